/** Codecs over disks in memory, for tests: a disk as the bytes of a file, and back. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { FormatError } from '../../wire/format-error.ts';
import { StreamReader } from '../../wire/stream-reader.ts';
import type { From, Into } from './format.ts';
import { formats } from './index.ts';
import { MemoryDisk } from './memory-disk.ts';
import { send } from './plan.ts';

export type FormatName = keyof typeof formats;

/** The file that a disk is given as, from byte `from` on; `length` is what was announced. */
export async function written(
  format: FormatName,
  disk: MemoryDisk,
  options: { base?: MemoryDisk; from?: number } = {},
): Promise<{ file: Buffer; length: number | null }> {
  const { base, from = 0 } = options;
  const made: From = {
    ...{ source: disk, size: disk.size, id: '6f2b1d3c-0a1b-4c2d-8e3f-123456789abc' },
    ...(base ? { base: { id: '11111111-2222-3333-4444-555555555555', source: base, size: base.size } } : {}),
  };
  const plan = await formats[format].plan(made);
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  await send(plan, disk, sink, { from, onBytes: () => undefined });
  return { file: Buffer.concat(chunks), length: plan.length };
}
/** Reads a file that arrives in parts of `part` bytes into a disk of `size` bytes, which has the content of `base`. */
export async function taken(
  format: FormatName,
  file: Buffer,
  options: { size: number; base?: MemoryDisk; part?: number },
): Promise<MemoryDisk> {
  const { size, base, part = 65536 } = options;
  const disk = new MemoryDisk(size, base?.bytes);
  const folder = await mkdtemp(join(tmpdir(), 'gh-format-'));
  const spools: Awaited<ReturnType<typeof open>>[] = [];
  const into: Into = {
    ...{ target: disk, size, from: 0, isEmpty: base === undefined },
    async spool(stream, most) {
      const spool = await open(join(folder, 'spool'), 'wx+');
      spools.push(spool);
      const rest = await stream.upTo(file.length);
      if (rest.length > most) throw new FormatError('it is too long');
      await spool.write(rest);
      return spool;
    },
  };
  try {
    await formats[format].read(new StreamReader(inParts(file, part)), into);
    return disk;
  } finally {
    for (const spool of spools) await spool.close();
    await rm(folder, { recursive: true });
  }
}
async function* inParts(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
