import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { vmlinuxOf } from './kernel.ts';

/** An ELF image with one segment of ten bytes, followed by sections that nobody needs. */
function elf(): Buffer {
  const image = Buffer.alloc(0x200);
  image.write('\x7fELF', 0, 'latin1');
  image.writeBigUInt64LE(0x40n, 0x20); // program headers
  image.writeBigUInt64LE(0x180n, 0x28); // section headers
  image.writeUInt16LE(0x38, 0x36);
  image.writeUInt16LE(1, 0x38);
  image.writeUInt16LE(3, 0x3c);
  image.writeBigUInt64LE(0x100n, 0x40 + 8);
  image.writeBigUInt64LE(10n, 0x40 + 0x20);
  image.write('0123456789', 0x100);
  return image;
}
function bzImage(payload: Buffer): Buffer {
  const head = Buffer.alloc(5 * 512);
  head[0x1f1] = 4;
  head.write('HdrS', 0x202);
  head.writeUInt32LE(16, 0x248);
  head.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([head, Buffer.alloc(16), payload, Buffer.alloc(100)]);
}

for (const [name, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`the kernel is taken out of a bzImage packed with ${name}, without its sections`, () => {
    const found = vmlinuxOf(bzImage(pack(elf())));
    assert.equal(found.length, 0x100 + 10);
    assert.equal(found.toString('latin1', 0x100), '0123456789');
    assert.equal(found.readBigUInt64LE(0x28), 0n);
    assert.equal(found.readUInt16LE(0x3c), 0);
  });
}

test('what is no bzImage is refused with the reason', () => {
  assert.throws(() => vmlinuxOf(Buffer.alloc(100)), /no bzImage/);
  assert.throws(() => vmlinuxOf(bzImage(Buffer.from('unknown'))), /packed in an unknown way \(756e6b6e6f77\)/);
  assert.throws(() => vmlinuxOf(bzImage(gzipSync('no elf'))), /no ELF image/);
});
