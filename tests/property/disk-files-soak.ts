/**
 * Soak of what is imported: `bin/node tests/property/disk-files-soak.ts [COUNT] [SEED]`, a million by default. Each mutated file is
 * taken, or refused with a reason; nothing is written outside the disk, and memory does not grow.
 */

import type { Into, Spool } from '../../src/storage/formats/format.ts';
import { formats } from '../../src/storage/formats/index.ts';
import { MemoryDisk } from '../../src/storage/formats/memory-disk.ts';
import { FormatError } from '../../src/wire/format-error.ts';
import { readManifest, readOvf } from '../../src/wire/ovf.ts';
import { StreamReader } from '../../src/wire/stream-reader.ts';
import { TarReader } from '../../src/wire/tar.ts';
import { readOva } from '../../src/wire/xva.ts';
import { corpus, diskSize, mutated, numbers, type Sample } from './disk-corpus.ts';

const disk = new MemoryDisk(diskSize);
async function* inParts(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
function inMemory(data: Buffer): Spool {
  return {
    read: async (into, offset, length, position) => ({
      bytesRead:
        position >= data.length ? 0 : data.copy(into, offset, position, Math.min(data.length, position + length)),
    }),
    stat: async () => ({ size: data.length }),
  };
}
async function parse({ kind, file }: Sample, part: number): Promise<void> {
  const stream = new StreamReader(inParts(file, part));
  switch (kind) {
    case 'vhd':
    case 'qcow2':
    case 'vmdk':
    case 'framed': {
      const spool = async (rest: StreamReader, most: number) => {
        const data = await rest.upTo(file.length);
        if (data.length > most) throw new FormatError('it is too long');
        return inMemory(data);
      };
      const into: Into = { target: disk, size: diskSize, from: 0, isEmpty: true, spool };
      return formats[kind].read(stream, into);
    }
    case 'tar':
    case 'xva':
    case 'ova': {
      const tar = new TarReader(stream);
      for (let m = await tar.next(); m; m = await tar.next()) for await (const _ of tar.content());
      return;
    }
    case 'ova.xml':
      readOva(file.toString('utf8'));
      return;
    case 'ovf':
      readOvf(file.toString('utf8'));
      return;
    case 'manifest':
      readManifest(file.toString('utf8'));
  }
}

/** Runs `count` files; answers how many were taken. Throws with the seed and number of the first that goes wrong. */
export async function soakFiles(count: number, seed: number): Promise<{ taken: number; refused: number }> {
  const samples = await corpus();
  let taken = 0;
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const next = numbers(seed * 1_000_003 + i);
    const sample = samples[i % samples.length] as Sample;
    const file = mutated(sample, next);
    try {
      await parse({ kind: sample.kind, file }, 1 + (next() % 70_000));
      taken++;
    } catch (error) {
      if (!(error instanceof FormatError)) throw new Error(`seed ${seed}, file ${i}, ${sample.kind}`, { cause: error });
      refused++;
    }
  }
  return { taken, refused };
}

if (import.meta.main) {
  const [count = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  const start = performance.now();
  const found = await soakFiles(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const mib = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    `disk files: ${count} files of seed ${seed}, ${found.taken} taken, ${found.refused} refused with the reason, none else, in ${seconds} s; at most ${mib} MiB resident`,
  );
}
