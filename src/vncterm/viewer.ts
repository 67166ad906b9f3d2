/**
 * One viewer's connection: RFB 3.3, 3.7 and 3.8.
 *
 *     version ──▶ security ──▶ (password) ──▶ shared? ──▶ messages ⟲
 *        └───────────┴─────────────┴── nonsense, a wrong password, a message that is too long ──▶ closed
 *
 * It is sent what changed since its last picture, and only when it has asked, and has taken what was sent before: a slow one
 * sees fewer pictures and costs no memory.
 */
import type { Socket } from 'node:net';
import { cell, type Font } from './font.ts';
import { Keyboard } from './keys.ts';
import { type Area, formatPixelFormat, Painter, parsePixelFormat, usualFormat } from './pixels.ts';
import { challengeBytes, judge, minorVersion, newChallenge, security, withLength } from './security.ts';
import { type Cells, size, wordsPerCell } from './terminal.ts';

export interface ViewerOptions {
  readonly socket: Socket;
  readonly font: Font;
  /** Shown in the viewer's title. */
  readonly name: string;
  /** What must be known to see and type; at most 8 characters count. */
  readonly password?: string | undefined;
  /** The screen as it is now; undefined: not known yet, `update` will be called. */
  cells(): Cells | undefined;
  applicationKeys(): boolean;
  type(text: string): void;
}
const encodings = { raw: 0, hextile: 5 } as const;
/** Bytes of a clipboard that a viewer may send. */
const longest = 256 * 1024;

/** A message: how many bytes it has, given those that are there; then what it does, and what comes next (undefined: close). */
interface Step {
  needs(seen: Buffer): number;
  take(message: Buffer): Step | undefined;
}
const fixed = (length: number, take: (m: Buffer) => Step | undefined): Step => ({ needs: () => length, take });

export class Viewer {
  readonly #o: ViewerOptions;
  readonly #keyboard = new Keyboard();
  #painter: Painter;
  #encoding: number = encodings.raw;
  #step: Step | undefined;
  #pieces: Buffer = Buffer.alloc(0);
  /** What it sees; undefined: nothing yet, or it asked for everything. */
  #shown: Cells | undefined;
  #wants = false;

  constructor(options: ViewerOptions) {
    this.#o = options;
    this.#painter = new Painter(options.font, usualFormat);
    this.#step = this.#version;
    const { socket } = options;
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy()); // a viewer may go away at any time
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('drain', () => this.update());
    socket.write('RFB 003.008\n');
  }
  /** The screen may have changed. */
  update(): void {
    const { socket } = this.#o;
    if (!this.#wants || socket.writableLength > 0 || socket.destroyed) return;
    const cells = this.#o.cells();
    if (!cells) return;
    const areas = changed(this.#shown, cells);
    if (areas.length === 0) return;
    this.#wants = false;
    this.#shown = cells;
    const head = Buffer.alloc(4);
    head.writeUInt16BE(areas.length, 2);
    socket.cork();
    socket.write(head);
    for (const area of areas) this.#send(cells, area);
    socket.uncork();
  }
  #send(cells: Cells, area: Area): void {
    const head = Buffer.alloc(12);
    const rectangle = [area.x * cell.width, area.y * cell.height, area.columns * cell.width, area.rows * cell.height];
    for (const [i, n] of rectangle.entries()) head.writeUInt16BE(n, 2 * i);
    head.writeInt32BE(this.#encoding, 8);
    this.#o.socket.write(head);
    this.#o.socket.write(
      this.#encoding === encodings.hextile ? this.#painter.hextile(cells, area) : this.#painter.raw(cells, area),
    );
  }

  #read(bytes: Buffer): void {
    this.#pieces = this.#pieces.length === 0 ? bytes : Buffer.concat([this.#pieces, bytes]);
    while (this.#step) {
      const needed = this.#step.needs(this.#pieces);
      if (needed > longest) break;
      if (this.#pieces.length < needed) return;
      const message = this.#pieces.subarray(0, needed);
      this.#pieces = this.#pieces.subarray(needed);
      this.#step = this.#step.take(message);
    }
    this.#o.socket.end();
  }
  get #version(): Step {
    return fixed(12, (m) => {
      const minor = minorVersion(m);
      if (minor === undefined) return undefined;
      const kind = this.#o.password === undefined ? security.none : security.password;
      if (minor >= 7) {
        this.#o.socket.write(Buffer.from([1, kind]));
        return fixed(1, (chosen) => (chosen[0] === kind ? this.#authenticate(minor) : undefined));
      }
      this.#o.socket.write(Buffer.from([0, 0, 0, kind]));
      return this.#authenticate(minor);
    });
  }
  #authenticate(minor: number): Step {
    const { password, socket } = this.#o;
    if (password === undefined) {
      if (minor >= 8) socket.write(Buffer.alloc(4));
      return this.#shared;
    }
    const challenge = newChallenge();
    socket.write(challenge);
    return fixed(challengeBytes, (answer) => {
      const { right, reply } = judge(challenge, answer, password, minor);
      socket.write(reply);
      return right ? this.#shared : undefined;
    });
  }
  get #shared(): Step {
    return fixed(1, () => {
      const init = Buffer.alloc(4);
      init.writeUInt16BE(size.columns * cell.width, 0);
      init.writeUInt16BE(size.rows * cell.height, 2);
      this.#o.socket.write(Buffer.concat([init, formatPixelFormat(usualFormat), withLength(this.#o.name)]));
      return this.#message;
    });
  }
  readonly #message: Step = {
    needs: (seen) => {
      const kind = seen[0];
      if (kind === 2) return seen.length < 4 ? 4 : 4 + 4 * seen.readUInt16BE(2);
      if (kind === 6) return seen.length < 8 ? 8 : 8 + seen.readUInt32BE(4);
      return lengths[kind ?? -1] ?? 1;
    },
    take: (m) => (this.#act(m) ? this.#message : undefined),
  };
  /** False: it cannot go on. */
  #act(m: Buffer): boolean {
    const kind = m[0];
    if (kind === 0) {
      const format = parsePixelFormat(m.subarray(4));
      if (!format) return false;
      this.#painter = new Painter(this.#o.font, format);
      this.#shown = undefined;
    } else if (kind === 2) {
      const wanted = Array.from({ length: m.readUInt16BE(2) }, (_, i) => m.readInt32BE(4 + 4 * i));
      this.#encoding = wanted.includes(encodings.hextile) ? encodings.hextile : encodings.raw;
    } else if (kind === 3) {
      if (m[1] === 0) this.#shown = undefined;
      this.#wants = true;
      this.update();
    } else if (kind === 4) {
      this.#type(this.#keyboard.key(m.readUInt32BE(4), m[1] !== 0, this.#o.applicationKeys()));
    } else if (kind === 6) {
      this.#type(m.subarray(8).toString('latin1').replaceAll('\n', '\r'));
    } else if (kind !== 5) return false;
    return true;
  }
  #type(text: string): void {
    if (text !== '') this.#o.type(text);
  }
}
/** Messages of a fixed length: pixel format, request for an update, key, pointer. */
const lengths: Readonly<Record<number, number>> = { 0: 20, 3: 10, 4: 8, 5: 6 };

/** The rows that differ, each from its first to its last changed cell; everything for one who has seen nothing. */
function changed(before: Cells | undefined, now: Cells): Area[] {
  if (!before) return [{ x: 0, y: 0, columns: size.columns, rows: size.rows }];
  const areas: Area[] = [];
  const row = size.columns * wordsPerCell;
  for (let y = 0; y < size.rows; y++) {
    let first = -1;
    let last = -1;
    for (let i = y * row; i < (y + 1) * row; i++) {
      if (before[i] === now[i]) continue;
      if (first < 0) first = i;
      last = i;
    }
    if (first < 0) continue;
    const x = Math.floor((first - y * row) / wordsPerCell);
    areas.push({ x, y, columns: Math.floor((last - y * row) / wordsPerCell) - x + 1, rows: 1 });
  }
  return areas;
}
