/**
 * A kernel of a few hundred bytes that shows whether an accelerator runs kernels: entered through PVH, it turns on long
 * mode, does what kernels do and poor accelerators cannot (`lock cmpxchg16b`, `xsave64`, `xrstor64`), counts down from five million
 * (a moment on hardware, minutes where ring 0 is interpreted) and writes 0x2a to QEMU's debug exit port, 0xf4.
 */

/** Exit status of a QEMU whose guest did all that: `(0x2a << 1) | 1`. */
export const passedStatus = 0x55;

const entry = 0x100000;
const code = Buffer.from(
  [
    'fac7050000200003102000c7050400200000000000c7050010200003202000c7050410200000000000bf00202000b883000000b9000200008907c747',
    '0400000000050000200083c708e2edb8000020000f22d80f20e00d200600000f22e0b9800000c00f320d000100000f300f20c083e0fb0d030000800f',
    '22c00f011538011000ea880010000800b8100000008ed88ec08ed0bc00001800bf0000190048c7070000000048c747080000000031c031d2bb010000',
    '00b902000000f0480fc70f755548837f0802754eb80100000031c90fa20fbae11a73320f20e00d000004000f22e031c9b80300000031d20f01d1bf00',
    '001a00b80300000031d2480fae27b80300000031d2480fae2fb9404b4c00ffc975fcb02aeb02b00166baf400eef4ebfd0000000000000000ffff0000',
    '009baf00ffff00000093cf00170020011000',
  ].join(''),
  'hex',
);

/** A 32-bit ELF file with one loaded segment at 1 MiB and the note that names its PVH entry. */
export function pvhKernel(text: Buffer): Buffer {
  const codeOffset = 0x1000;
  const file = Buffer.alloc(codeOffset + text.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1], 0);
  const header16 = { 16: 2, 18: 3, 40: 52, 42: 32, 44: 2 };
  const header32 = { 20: 1, 24: entry, 28: 52 };
  for (const [at, value] of Object.entries(header16)) file.writeUInt16LE(value, Number(at));
  for (const [at, value] of Object.entries(header32)) file.writeUInt32LE(value, Number(at));
  const segment = (at: number, fields: readonly number[]) => {
    fields.forEach((value, i) => {
      file.writeUInt32LE(value, at + 4 * i);
    });
  };
  segment(52, [1, codeOffset, entry, entry, text.length, text.length, 7, 0x1000]);
  segment(84, [4, 116, 0, 0, 20, 20, 4, 4]);
  segment(116, [4, 4, 18]);
  file.write('Xen\0', 128, 'latin1');
  file.writeUInt32LE(entry, 132);
  text.copy(file, codeOffset);
  return file;
}
export const probeKernel = (): Buffer => pvhKernel(code);
