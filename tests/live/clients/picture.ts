/** Pictures that vncsnapshot wrote. */
import assert from 'node:assert/strict';
import { run } from './program.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of each pixel. */
  readonly pixels: Buffer;
}
/** Reads the picture that vncsnapshot wrote. */
export async function readPicture(file: string): Promise<Picture> {
  const { code, out, err } = await run('djpeg', ['-pnm', '-rgb', file]);
  assert.equal(code, 0, err);
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(out.subarray(0, 40).toString('latin1'));
  assert.ok(head, `no picture in ${file}`);
  return { width: Number(head[1]), height: Number(head[2]), pixels: out.subarray(head[0].length) };
}
/** How much of the picture is bright, and in how many bands of a text line's height there is something bright and something dark. */
export function textOf({ width, height, pixels }: Picture): { bright: number; lines: number } {
  const bright = (x: number, y: number) => (pixels[(y * width + x) * 3 + 1] ?? 0) > 100;
  let count = 0;
  let lines = 0;
  for (let top = 0; top + 16 <= height; top += 16) {
    let here = 0;
    for (let y = top; y < top + 16; y++) for (let x = 0; x < width; x++) if (bright(x, y)) here++;
    count += here;
    if (here > 50 && here < width * 8) lines++;
  }
  return { bright: count / (width * height), lines };
}
