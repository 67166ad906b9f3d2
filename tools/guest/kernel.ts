/** Takes the uncompressed kernel out of a bzImage: with it a guest starts through PVH, without unpacking itself slowly. */
import { execFileSync } from 'node:child_process';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

const formats: readonly { readonly magic: string; readonly unpack: (payload: Buffer) => Buffer }[] = [
  { magic: '1f8b', unpack: (p) => gunzipSync(p) },
  { magic: '28b52ffd', unpack: (p) => zstdDecompressSync(p) },
  { magic: 'fd377a585a00', unpack: (p) => piped('xz', ['-dc', '--single-stream'], p) },
  // The kernel's build appends the unpacked length, which lz4 would take for another block.
  { magic: '02214c18', unpack: (p) => piped('lz4', ['-dc'], p.subarray(0, -4)) },
];

/** The ELF image inside; throws when the file is no bzImage or packed in a way that is not known. */
export function vmlinuxOf(bzImage: Buffer): Buffer {
  if (bzImage.length < 0x260 || bzImage.toString('latin1', 0x202, 0x206) !== 'HdrS')
    throw new Error('this is no bzImage: it has no setup header');
  const setupSectors = bzImage[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248);
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(0x24c));
  const format = formats.find((f) => payload.subarray(0, f.magic.length / 2).toString('hex') === f.magic);
  if (!format) throw new Error(`the kernel is packed in an unknown way (${payload.subarray(0, 6).toString('hex')})`);
  const elf = format.unpack(payload);
  if (elf.toString('latin1', 1, 4) !== 'ELF') throw new Error('what was packed in the kernel is no ELF image');
  return loadable(elf);
}

/** Without what follows the last loadable segment or note: symbols and section names are of no use to a loader. */
function loadable(elf: Buffer): Buffer {
  const at = Number(elf.readBigUInt64LE(0x20));
  const [size, count] = [elf.readUInt16LE(0x36), elf.readUInt16LE(0x38)];
  let end = at + size * count;
  for (let i = 0; i < count; i++) {
    const header = at + i * size;
    end = Math.max(end, Number(elf.readBigUInt64LE(header + 8)) + Number(elf.readBigUInt64LE(header + 0x20)));
  }
  const cut = Buffer.from(elf.subarray(0, end));
  // No section headers any more: their offset, count and string index.
  cut.writeBigUInt64LE(0n, 0x28);
  cut.writeUInt16LE(0, 0x3c);
  cut.writeUInt16LE(0, 0x3e);
  return cut;
}

function piped(tool: string, args: readonly string[], input: Buffer): Buffer {
  return execFileSync(tool, args, { input, maxBuffer: 1 << 30, stdio: ['pipe', 'pipe', 'pipe'] });
}
