/** How a viewer wants its pixels, and the two ways in which rectangles of cells go to it: raw, and hextile. */
import { cell, type Font } from './font.ts';
import { type Cells, size, wordsPerCell } from './terminal.ts';

export interface PixelFormat {
  readonly bytes: 1 | 2 | 4;
  readonly bigEndian: boolean;
  readonly max: readonly [red: number, green: number, blue: number];
  readonly shift: readonly [red: number, green: number, blue: number];
}
export const usualFormat: PixelFormat = { bytes: 4, bigEndian: false, max: [255, 255, 255], shift: [16, 8, 0] };
/** In cells. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly columns: number;
  readonly rows: number;
}

/** The 16 bytes of SetPixelFormat; undefined for what is not true-colour, or is nonsense. */
export function parsePixelFormat(m: Buffer): PixelFormat | undefined {
  const bytes = m.readUInt8(0) / 8;
  const max = [m.readUInt16BE(4), m.readUInt16BE(6), m.readUInt16BE(8)] as const;
  const shift = [m.readUInt8(10), m.readUInt8(11), m.readUInt8(12)] as const;
  const fits = max.every((most, i) => most > 0 && (shift[i] ?? 0) < 32);
  if ((bytes !== 1 && bytes !== 2 && bytes !== 4) || m.readUInt8(3) === 0 || !fits) return undefined;
  return { bytes, bigEndian: m.readUInt8(2) !== 0, max, shift };
}
export function formatPixelFormat(f: PixelFormat): Buffer {
  const m = Buffer.alloc(16);
  m.writeUInt8(f.bytes * 8, 0);
  m.writeUInt8(24, 1);
  m.writeUInt8(f.bigEndian ? 1 : 0, 2);
  m.writeUInt8(1, 3);
  for (const [i, most] of f.max.entries()) m.writeUInt16BE(most, 4 + 2 * i);
  for (const [i, s] of f.shift.entries()) m.writeUInt8(s, 10 + i);
  return m;
}
/** One pixel of a colour, as the viewer wants it. */
export function pixelOf(f: PixelFormat, rgb: number): Buffer {
  const parts = [(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255];
  let value = 0;
  for (const [i, part] of parts.entries()) value |= Math.round((part * (f.max[i] ?? 0)) / 255) << (f.shift[i] ?? 0);
  const pixel = Buffer.alloc(f.bytes);
  if (f.bytes === 1) pixel.writeUInt8(value & 0xff);
  else if (f.bytes === 2) pixel[f.bigEndian ? 'writeUInt16BE' : 'writeUInt16LE'](value & 0xffff);
  else pixel[f.bigEndian ? 'writeUInt32BE' : 'writeUInt32LE'](value >>> 0);
  return pixel;
}

/** Draws cells for one viewer; pixels of colours are kept, as there are few. */
export class Painter {
  readonly #font: Font;
  readonly #format: PixelFormat;
  readonly #pixels = new Map<number, Buffer>();

  constructor(font: Font, format: PixelFormat) {
    this.#font = font;
    this.#format = format;
  }
  #pixel(rgb: number): Buffer {
    const known = this.#pixels.get(rgb);
    if (known) return known;
    const made = pixelOf(this.#format, rgb);
    if (this.#pixels.size > 4096) this.#pixels.clear();
    this.#pixels.set(rgb, made);
    return made;
  }
  /** Every pixel, row by row. */
  raw(cells: Cells, area: Area): Buffer {
    const { bytes } = this.#format;
    const stride = area.columns * cell.width * bytes;
    const out = Buffer.allocUnsafe(stride * area.rows * cell.height);
    for (let row = 0; row < area.rows; row++) {
      for (let column = 0; column < area.columns; column++) {
        const at = ((area.y + row) * size.columns + area.x + column) * wordsPerCell;
        this.#cell(cells, at, out, row * cell.height * stride + column * cell.width * bytes, stride);
      }
    }
    return out;
  }
  #cell(cells: Cells, at: number, out: Buffer, start: number, stride: number): void {
    const [code = 0x20, front = 0, back = 0] = cells.subarray(at, at + wordsPerCell);
    const glyph = this.#font.glyph(code === 0 ? 0x20 : code);
    const [ink, ground] = [this.#pixel(front), this.#pixel(back)];
    for (let y = 0; y < cell.height; y++) {
      const bits = glyph[y] ?? 0;
      let to = start + y * stride;
      for (let mask = 1 << (cell.width - 1); mask > 0; mask >>= 1) {
        to += (bits & mask ? ink : ground).copy(out, to);
      }
    }
  }
  /** Tiles of 16 × 16 pixels: one colour, or a ground with runs of ink, or raw where that is shorter. */
  hextile(cells: Cells, area: Area): Buffer {
    const { bytes } = this.#format;
    const raw = this.raw(cells, area);
    const [width, height] = [area.columns * cell.width, area.rows * cell.height];
    const out: Buffer[] = [];
    for (let y = 0; y < height; y += 16) {
      for (let x = 0; x < width; x += 16) {
        const [w, h] = [Math.min(16, width - x), Math.min(16, height - y)];
        const tile = Buffer.allocUnsafe(w * h * bytes);
        for (let row = 0; row < h; row++) {
          const from = ((y + row) * width + x) * bytes;
          raw.copy(tile, row * w * bytes, from, from + w * bytes);
        }
        out.push(tileOf(tile, w, h, bytes));
      }
    }
    return Buffer.concat(out);
  }
}
const hextile = { raw: 1, background: 2, foreground: 4, anySubrects: 8, coloured: 16 } as const;

function tileOf(tile: Buffer, w: number, h: number, bytes: number): Buffer {
  const at = (x: number, y: number) => tile.subarray((y * w + x) * bytes, (y * w + x + 1) * bytes);
  const back = at(0, 0);
  const runs: Buffer[] = [];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; ) {
      const colour = at(x, y);
      let end = x + 1;
      while (end < w && at(end, y).equals(colour)) end++;
      if (!colour.equals(back)) runs.push(Buffer.concat([colour, Buffer.from([(x << 4) | y, (end - x - 1) << 4])]));
      x = end;
    }
  }
  const length = 2 + bytes + runs.length * (bytes + 2);
  if (runs.length > 255 || length > tile.length) return Buffer.concat([Buffer.from([hextile.raw]), tile]);
  if (runs.length === 0) return Buffer.concat([Buffer.from([hextile.background]), back]);
  const flags = hextile.background | hextile.anySubrects | hextile.coloured;
  return Buffer.concat([Buffer.from([flags]), back, Buffer.from([runs.length]), ...runs]);
}
