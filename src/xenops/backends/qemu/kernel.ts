/** What a kernel file is: how QEMU will enter it. */
import type { FileHandle } from 'node:fs/promises';

const pvhNote = 18; // XEN_ELFNOTE_PHYS32_ENTRY
const noteSegment = 4;
const mib = 1 << 20;

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** `bzimage`, `pvh` (an ELF file whose notes name a PVH entry point), or undefined for what cannot be started. */
export async function kernelEntry(file: FileHandle): Promise<'bzimage' | 'pvh' | undefined> {
  const head = await readAt(file, 0, 1024);
  if (head.length >= 0x206 && head.toString('latin1', 0x202, 0x206) === 'HdrS') return 'bzimage';
  if (head.length < 64 || head.toString('latin1', 0, 4) !== '\x7fELF' || head[5] !== 1) return undefined;
  for (const { offset, size } of await segments(file, head, noteSegment))
    if (hasPvhNote(await readAt(file, offset, Math.min(size, 1 << 16)))) return 'pvh';
  return undefined;
}
/** Bytes of memory without which the kernel cannot even be put in place: where it ends, once it is unpacked. */
export async function kernelExtent(file: FileHandle): Promise<number> {
  const head = await readAt(file, 0, 1024);
  if (head.toString('latin1', 0, 4) === '\x7fELF')
    return Math.max(0, ...(await segments(file, head, 1)).map(({ address, memory }) => address + memory));
  const sinceProtocol = 0x20a; // `init_size` is there since 2.10
  return head.length >= 0x264 && head.readUInt16LE(0x206) >= sinceProtocol ? mib + head.readUInt32LE(0x260) : 0;
}
interface Segment {
  readonly offset: number;
  readonly size: number;
  /** Where it goes in memory, and how much it takes there. */
  readonly address: number;
  readonly memory: number;
}
async function segments(file: FileHandle, head: Buffer, type: number): Promise<Segment[]> {
  const wide = head[4] === 2;
  const at = wide ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28);
  const entry = head.readUInt16LE(wide ? 54 : 42);
  const count = Math.min(head.readUInt16LE(wide ? 56 : 44), 256);
  if (entry < (wide ? 56 : 32)) return [];
  const table = await readAt(file, at, entry * count);
  const found: Segment[] = [];
  for (let p = 0; p + entry <= table.length; p += entry) {
    if (table.readUInt32LE(p) !== type) continue;
    found.push(
      wide
        ? {
            offset: Number(table.readBigUInt64LE(p + 8)),
            size: Number(table.readBigUInt64LE(p + 32)),
            address: Number(table.readBigUInt64LE(p + 24)),
            memory: Number(table.readBigUInt64LE(p + 40)),
          }
        : {
            offset: table.readUInt32LE(p + 4),
            size: table.readUInt32LE(p + 16),
            address: table.readUInt32LE(p + 12),
            memory: table.readUInt32LE(p + 20),
          },
    );
  }
  return found;
}
function hasPvhNote(notes: Buffer): boolean {
  const padded = (n: number) => (n + 3) & ~3;
  for (let p = 0; p + 12 <= notes.length; ) {
    const nameSize = notes.readUInt32LE(p);
    const size = notes.readUInt32LE(p + 4);
    const name = notes.toString('latin1', p + 12, p + 12 + nameSize).replace(/\0$/, '');
    const end = p + 12 + padded(nameSize) + size;
    if (name === 'Xen' && notes.readUInt32LE(p + 8) === pvhNote) return end <= notes.length;
    p += 12 + padded(nameSize) + padded(size);
  }
  return false;
}
