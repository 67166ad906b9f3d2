/** Glyphs of the console's font, unpacked when first needed. */
import { inflateRawSync } from 'node:zlib';
import { fontData } from './font-data.ts';

/** Pixels of a cell. */
export const cell = { width: 9, height: 18 } as const;

export interface Font {
  /** The rows of a character, top first; the leftmost pixel is bit 8. Characters that are missing get a box. */
  glyph(codePoint: number): Uint16Array;
}
export function loadFont(): Font {
  const data = inflateRawSync(Buffer.from(fontData, 'base64'));
  const words = new Uint16Array(new Uint8Array(data).buffer);
  const glyphs = new Map<number, Uint16Array>();
  for (let at = 0; at < words.length; at += 1 + cell.height) {
    glyphs.set(words[at] as number, words.subarray(at + 1, at + 1 + cell.height));
  }
  const missing = new Uint16Array(cell.height).fill(0, 0, 3);
  for (let y = 3; y < 15; y++) missing[y] = y === 3 || y === 14 ? 0x0fe : 0x082;
  return { glyph: (codePoint) => glyphs.get(codePoint) ?? missing };
}
