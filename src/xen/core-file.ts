/**
 * The memory of a hardware-virtualised guest as a core file for debuggers: ELF, with a segment for each range of its memory at the
 * guest's physical addresses. Xen's own dump looks at each frame of 4 GiB one by one, which takes minutes.
 *
 *     header ─ program headers ─ (to a whole page) ─ pages of the first range ─ of the second …      pages that are not there: holes
 */
import { open } from 'node:fs/promises';
import { pageSize } from './libc.ts';
import { openForeignReader } from './libxenforeignmemory.ts';

export interface MemoryRange {
  /** Guest's physical address and length in bytes, whole pages. */
  readonly start: number;
  readonly length: number;
}
const sizes = { header: 64, programHeader: 56 };
const typeCore = 4;
const machineX86 = 62;
const load = 1;
const readWriteExecute = 7;
/** Mapped at once: 4 MiB. */
const pagesAtOnce = 1024;

/** What stands before the memory; as long as its last segment's offset says. */
export function coreHeader(ranges: readonly MemoryRange[]): Buffer {
  const first = alignUp(sizes.header + ranges.length * sizes.programHeader);
  const bytes = Buffer.alloc(first);
  // 64 bits, little-endian, version 1.
  bytes.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  bytes.writeUInt16LE(typeCore, 16);
  bytes.writeUInt16LE(machineX86, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(sizes.header), 32);
  bytes.writeUInt16LE(sizes.header, 52);
  bytes.writeUInt16LE(sizes.programHeader, 54);
  bytes.writeUInt16LE(ranges.length, 56);
  let offset = first;
  ranges.forEach(({ start, length }, i) => {
    const at = sizes.header + i * sizes.programHeader;
    bytes.writeUInt32LE(load, at);
    bytes.writeUInt32LE(readWriteExecute, at + 4);
    // Offset, virtual and physical address (the same: the guest's page tables are in the dump), length in the file and in memory, alignment.
    [offset, start, start, length, length, pageSize].forEach((value, field) => {
      bytes.writeBigUInt64LE(BigInt(value), at + 8 + 8 * field);
    });
    offset += length;
  });
  return bytes;
}
const alignUp = (bytes: number) => Math.ceil(bytes / pageSize) * pageSize;

/** Writes `path` anew, readable by its owner alone. Throws `CallFailed`, or what the file system says. */
export async function dumpMemory(domid: number, ranges: readonly MemoryRange[], path: string): Promise<void> {
  using memory = openForeignReader(domid);
  await using file = await open(path, 'w', 0o600);
  const header = coreHeader(ranges);
  await file.write(header, 0, header.length, 0);
  let offset = header.length;
  for (const { start, length } of ranges) {
    const [first, count] = [start / pageSize, length / pageSize];
    for (let done = 0; done < count; done += pagesAtOnce) {
      const at = offset + done * pageSize;
      await memory.read(first + done, Math.min(pagesAtOnce, count - done), async (bytes, there) => {
        for (const [from, to] of runsOf(there))
          await file.write(bytes, from * pageSize, (to - from) * pageSize, at + from * pageSize);
      });
    }
    offset += length;
  }
  await file.truncate(offset);
}
/** The stretches of `there` that are true: from, and up to but not with. */
export function runsOf(there: readonly boolean[]): [number, number][] {
  const runs: [number, number][] = [];
  there.forEach((is, i) => {
    const last = runs.at(-1);
    if (is && last?.[1] === i) last[1]++;
    else if (is) runs.push([i, i + 1]);
  });
  return runs;
}
