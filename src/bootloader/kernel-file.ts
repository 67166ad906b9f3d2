/** Whether a file that a guest offers is a kernel, and whole. */
import type { FileHandle } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

const setupHeader = 0x1f1;

/** Undefined for a kernel that can be tried; else what is wrong with it. */
export async function kernelFault(file: FileHandle): Promise<string | undefined> {
  const { size } = await file.stat();
  if (size === 0) return 'it is empty';
  const head = await readAt(file, 0, 4096);
  if (head.length >= 0x206 && head.toString('latin1', 0x202, 0x206) === 'HdrS') return bzImageFault(head, size);
  if (isElf(head)) return elfFault(file, head, size);
  if (head[0] === 0x1f && head[1] === 0x8b) {
    const inner = await gunzipHead(await readAt(file, 0, 1 << 16));
    return isElf(inner) ? undefined : 'it is compressed with gzip, and no ELF kernel is inside';
  }
  return `it is neither a Linux kernel (bzImage) nor an ELF file: it begins with ${head.toString('hex', 0, 8)}`;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** The header tells the sectors of set-up code, and the length of the rest in units of 16 bytes. */
function bzImageFault(head: Buffer, size: number): string | undefined {
  const sectors = head[setupHeader] || 4;
  const whole = (sectors + 1) * 512 + head.readUInt32LE(0x1f4) * 16;
  return size < whole ? `it is cut off: it has ${size} of ${whole} bytes` : undefined;
}

const isElf = (head: Buffer): boolean => head.length >= 64 && head.toString('latin1', 0, 4) === '\x7fELF';

/** Every segment must lie in the file. */
async function elfFault(file: FileHandle, head: Buffer, size: number): Promise<string | undefined> {
  if (head[5] !== 1) return 'it is an ELF file of another byte order';
  const wide = head[4] === 2;
  const at = wide ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28);
  const entry = head.readUInt16LE(wide ? 54 : 42);
  const count = head.readUInt16LE(wide ? 56 : 44);
  if (entry < (wide ? 56 : 32) || count === 0 || count > 256) return 'it is an ELF file without segments to load';
  if (at + entry * count > size)
    return `it is cut off: its table of segments ends at ${at + entry * count} of ${size} bytes`;
  const table = await readAt(file, at, entry * count);
  for (let p = 0; p + entry <= table.length; p += entry) {
    const offset = wide ? Number(table.readBigUInt64LE(p + 8)) : table.readUInt32LE(p + 4);
    const length = wide ? Number(table.readBigUInt64LE(p + 32)) : table.readUInt32LE(p + 16);
    if (offset + length > size) return `it is cut off: a segment ends at ${offset + length} of ${size} bytes`;
  }
  return undefined;
}

/** The first bytes of what was packed; empty when it was not. */
function gunzipHead(packed: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const unpack = createGunzip();
    const done = (head: Buffer) => {
      unpack.destroy();
      resolve(head);
    };
    unpack.once('data', done);
    unpack.once('error', () => done(Buffer.alloc(0)));
    unpack.once('end', () => done(Buffer.alloc(0)));
    unpack.end(packed);
  });
}
