/**
 * The firmware tables (ACPI) of a machine without firmware: a PVH guest learns from them how many processors it has. One block:
 *
 *     root pointer ─▶ XSDT ─▶ FADT (reduced hardware) ─▶ DSDT (empty)
 *                      └────▶ MADT: a local APIC per virtual CPU
 */
const oem = 'GUESTH';
const table = 'GUESTHSE';
const headerSize = 36;
const reducedHardware = 1 << 20;
const apicBase = 0xfee0_0000;
/** Parts begin at multiples of this. */
const alignment = 64;

/** The block for a machine whose tables lie at `address`; it begins with the root pointer. */
export function acpiTables(address: number, vcpus: number): Buffer {
  const layout = new Map<string, { offset: number; size: number }>();
  let end = 0;
  const sizes = { rsdp: 36, xsdt: headerSize + 16, fadt: 276, dsdt: headerSize, madt: headerSize + 8 + 8 * vcpus };
  for (const [name, size] of Object.entries(sizes)) {
    layout.set(name, { offset: end, size });
    end = Math.ceil((end + size) / alignment) * alignment;
  }
  const block = Buffer.alloc(end);
  const part = (name: string) => {
    const { offset, size } = layout.get(name) as { offset: number; size: number };
    return { bytes: block.subarray(offset, offset + size), address: BigInt(address + offset) };
  };
  const [rsdp, xsdt, fadt, dsdt, madt] = ['rsdp', 'xsdt', 'fadt', 'dsdt', 'madt'].map(part) as [
    Part,
    Part,
    Part,
    Part,
    Part,
  ];
  header(dsdt.bytes, 'DSDT', 2);
  header(fadt.bytes, 'FACP', 6);
  fadt.bytes.writeUInt32LE(Number(dsdt.address), 40);
  fadt.bytes.writeUInt32LE(reducedHardware, 112);
  fadt.bytes.writeBigUInt64LE(dsdt.address, 140);
  checksum(fadt.bytes, 9);
  header(madt.bytes, 'APIC', 4);
  madt.bytes.writeUInt32LE(apicBase, headerSize);
  for (let cpu = 0; cpu < vcpus; cpu++) madt.bytes.set([0, 8, cpu, cpu * 2, 1, 0, 0, 0], headerSize + 8 + cpu * 8);
  checksum(madt.bytes, 9);
  header(xsdt.bytes, 'XSDT', 1);
  xsdt.bytes.writeBigUInt64LE(fadt.address, headerSize);
  xsdt.bytes.writeBigUInt64LE(madt.address, headerSize + 8);
  checksum(xsdt.bytes, 9);
  rsdp.bytes.write(`RSD PTR \0${oem}\u0002`, 'latin1');
  rsdp.bytes.writeUInt32LE(rsdp.bytes.length, 20);
  rsdp.bytes.writeBigUInt64LE(xsdt.address, 24);
  checksum(rsdp.bytes.subarray(0, 20), 8);
  checksum(rsdp.bytes, 32);
  return block;
}
interface Part {
  readonly bytes: Buffer;
  readonly address: bigint;
}

function header(bytes: Buffer, signature: string, revision: number): void {
  bytes.write(signature, 'latin1');
  bytes.writeUInt32LE(bytes.length, 4);
  bytes[8] = revision;
  bytes.write(oem, 10, 'latin1');
  bytes.write(table, 16, 'latin1');
  bytes.writeUInt32LE(1, 24);
  bytes.write('GHSE', 28, 'latin1');
  bytes.writeUInt32LE(1, 32);
  checksum(bytes, 9);
}
/** Makes all bytes add up to 0 modulo 256, by the one at `at`. */
function checksum(bytes: Buffer, at: number): void {
  bytes[at] = 0;
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 255;
}
