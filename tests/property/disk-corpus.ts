/** Small files of every format that is imported, and what a spiteful sender might make of them. */
import { deflateRawSync } from 'node:zlib';
import { written } from '../../src/storage/formats/exchange.ts';
import { MemoryDisk } from '../../src/storage/formats/memory-disk.ts';
import { writeOvf } from '../../src/wire/ovf.ts';
import { tarEnd, tarHeader, tarPadding } from '../../src/wire/tar.ts';
import { writeFooter, writeHeader } from '../../src/wire/vhd.ts';
import { writeOva } from '../../src/wire/xva.ts';
import { seededRandom } from '../../src/xenops/backends/simulator/faults.ts';

/** Numbers below 2^32, the same ones for the same seed. */
export function numbers(seed: number): () => number {
  const next = seededRandom(seed);
  return () => next() * 2 ** 32;
}

export const diskSize = 300 * 1024;
function disk(): MemoryDisk {
  const made = new MemoryDisk(diskSize);
  for (let i = 70_000; i < 80_000; i++) made.bytes[i] = (i * 31) & 255;
  made.bytes.fill(9, diskSize - 5000);
  return made;
}
const id = '6f2b1d3c-0a1b-4c2d-8e3f-123456789abc';

/** Blocks of 512 KiB: one, of which little is sent. */
function vhd(kind: 'dynamic' | 'differencing'): Buffer {
  const footer = writeFooter({ kind, size: diskSize, id });
  const header = writeHeader({ tableAt: 1536, entries: 1, ...(kind === 'dynamic' ? {} : { parent: id }) });
  header.writeUInt32BE(512 << 10, 32);
  const table = Buffer.alloc(512, 0xff);
  table.writeUInt32BE(4, 0);
  const bitmap = Buffer.alloc(512, 0xff);
  const block = Buffer.concat([disk().bytes], 512 << 10);
  const file = Buffer.concat([footer, header, table, bitmap, block, footer]);
  mendVhd(file);
  return file;
}
function sum(b: Buffer, at: number): number {
  let total = 0;
  for (let i = 0; i < b.length; i++) if (i < at || i >= at + 4) total += b[i] as number;
  return ~total >>> 0;
}
/** Checksums that are right again, so that what is wrong is looked at. */
export function mendVhd(file: Buffer): void {
  for (const at of [0, file.length - 512]) {
    if (at < 0 || at + 512 > file.length) continue;
    const footer = file.subarray(at, at + 512);
    footer.writeUInt32BE(sum(footer, 64), 64);
  }
  if (file.length < 1536) return;
  const header = file.subarray(512, 1536);
  header.writeUInt32BE(sum(header, 36), 36);
}
function mendTar(file: Buffer): void {
  for (let at = 0; at + 512 <= file.length; at += 512) {
    if (file.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    let total = 8 * 32;
    for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) total += file[at + i] as number;
    file.write(`${total.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
}

/** One cluster of 4 KiB is packed, one not. */
function qcow2(): Buffer {
  const cluster = 4096;
  const file = Buffer.alloc(6 * cluster);
  file.writeUInt32BE(0x514649fb, 0);
  file.writeUInt32BE(3, 4);
  file.writeUInt32BE(12, 20);
  file.writeBigUInt64BE(BigInt(diskSize), 24);
  file.writeUInt32BE(1, 36);
  file.writeBigUInt64BE(BigInt(cluster), 40);
  file.writeBigUInt64BE(BigInt(4 * cluster), 48);
  file.writeUInt32BE(1, 56);
  file.writeUInt32BE(4, 96);
  file.writeUInt32BE(104, 100);
  file.writeBigUInt64BE(BigInt(2 * cluster) | (1n << 63n), cluster);
  file.writeBigUInt64BE(BigInt(3 * cluster) | (1n << 63n), 2 * cluster);
  const packed = deflateRawSync(Buffer.alloc(cluster, 'some text '));
  packed.copy(file, 5 * cluster);
  file.writeBigUInt64BE((1n << 62n) | BigInt(5 * cluster), 2 * cluster + 8);
  return file;
}
/** Grains of 4 KiB; the directory and one table. */
function sparseVmdk(): Buffer {
  const file = Buffer.alloc(20 * 512);
  file.writeUInt32LE(0x564d444b, 0);
  file.writeUInt32LE(1, 4);
  file.writeUInt32LE(3, 8);
  file.writeBigUInt64LE(BigInt(diskSize / 512), 12);
  file.writeBigUInt64LE(8n, 20);
  file.writeBigUInt64LE(1n, 28);
  file.writeBigUInt64LE(1n, 36);
  file.writeUInt32LE(512, 44);
  file.writeBigUInt64LE(2n, 56);
  file.writeBigUInt64LE(8n, 64);
  file.write('# Disk DescriptorFile\nparentCID=ffffffff\nRW 600 SPARSE "a.vmdk"\n', 512);
  file.writeUInt32LE(3, 2 * 512);
  file.writeUInt32LE(12, 3 * 512);
  file.fill(5, 12 * 512);
  return file;
}
function tarOf(entries: readonly (readonly [string, Buffer])[]): Buffer {
  const parts = entries.flatMap(([name, data]) => [
    tarHeader({ name, size: data.length }, 0),
    data,
    Buffer.alloc(tarPadding(data.length)),
  ]);
  return Buffer.concat([...parts, tarEnd]);
}
const value = (members: Readonly<Record<string, string>>): string =>
  `<value><struct>${Object.entries(members)
    .map(([k, v]) => `<member><name>${k}</name>${v}</member>`)
    .join('')}</struct></value>`;
const one = (v: string | number) => `<value>${v}</value>`;
const many = (...v: string[]) => `<value><array><data>${v.map(one).join('')}</data></array></value>`;
export function ovaXml(): string {
  const vm = value({
    ...{ name_label: one('v'), memory_static_max: one(67108864), memory_dynamic_max: one(67108864) },
    ...{ memory_dynamic_min: one(67108864), memory_static_min: one(0), VCPUs_max: one(1), VCPUs_at_startup: one(1) },
    ...{
      VBDs: many('Ref:1'),
      VIFs: many(),
      is_a_template: '<value><boolean>0</boolean></value>',
      power_state: one('Halted'),
    },
  });
  const vbd = value({ VDI: one('Ref:2'), type: one('Disk'), userdevice: one('0'), mode: one('RW') });
  const vdi = value({ virtual_size: one(diskSize), name_label: one('d'), SR: one('Ref:3') });
  return writeOva({ export_vsn: 2 }, [
    { cls: 'VM', id: 'Ref:0', snapshot: vm },
    { cls: 'VBD', id: 'Ref:1', snapshot: vbd },
    { cls: 'VDI', id: 'Ref:2', snapshot: vdi },
  ]);
}
const vmOf = () => ({ name: 'v', description: 'd', vcpus: 1, memory: 2 ** 26, firmware: 'bios', cdDrives: 1 }) as const;
export function ovf(file: string, bytes: number): string {
  const machine = { ...vmOf(), nics: [{ network: 'n', mac: undefined }] };
  return writeOvf({ version: 1, id: 'v', machine, disks: [{ file, bytes, capacity: diskSize }] });
}

export type Kind = 'vhd' | 'qcow2' | 'vmdk' | 'framed' | 'tar' | 'xva' | 'ova' | 'ova.xml' | 'ovf' | 'manifest';
export interface Sample {
  readonly kind: Kind;
  readonly file: Buffer;
}
export async function corpus(): Promise<readonly Sample[]> {
  const content = disk();
  const fixed = Buffer.concat([content.bytes, writeFooter({ kind: 'fixed', size: diskSize, id })]);
  const { file: vmdk } = await written('vmdk', content);
  const { file: framed } = await written('framed', content);
  const empty = new MemoryDisk(diskSize);
  const xva = tarOf([
    ['ova.xml', Buffer.from(ovaXml())],
    ['Ref:2/00000000', content.bytes],
    ['Ref:2/00000000.checksum', Buffer.from('0'.repeat(40))],
  ]);
  return [
    { kind: 'vhd', file: vhd('dynamic') },
    { kind: 'vhd', file: vhd('differencing') },
    { kind: 'vhd', file: fixed },
    { kind: 'qcow2', file: qcow2() },
    { kind: 'qcow2', file: (await written('qcow2', empty)).file.subarray(0, 200_000) },
    { kind: 'vmdk', file: sparseVmdk() },
    { kind: 'vmdk', file: vmdk },
    { kind: 'framed', file: framed },
    {
      kind: 'tar',
      file: tarOf([
        ['a/b', Buffer.from('hello')],
        ['c', Buffer.alloc(600, 1)],
      ]),
    },
    { kind: 'xva', file: xva },
    {
      kind: 'ova',
      file: tarOf([
        ['v.ovf', Buffer.from(ovf('d.vmdk', vmdk.length))],
        ['d.vmdk', vmdk],
      ]),
    },
    { kind: 'ova.xml', file: Buffer.from(ovaXml()) },
    { kind: 'ovf', file: Buffer.from(ovf('d.vmdk', 1000)) },
    { kind: 'manifest', file: Buffer.from(`SHA256(a.ovf)= ${'0'.repeat(64)}\nSHA1(b)= ${'1'.repeat(40)}\n`) },
  ];
}

const sharp: readonly bigint[] = [
  ...[
    0n,
    1n,
    2n,
    511n,
    512n,
    0x7fffffffn,
    0x80000000n,
    0xffffffffn,
    0x100000000n,
    0x7fffffffffffffffn,
    0xffffffffffffffffn,
  ],
  ...[1n << 20n, 1n << 40n, 1n << 46n, 1n << 53n, 1n << 62n, 1n << 63n],
];
const words = [
  '../../etc/passwd',
  '/etc/shadow',
  'a'.repeat(300),
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&b;',
  'OpaqueRef:NULL',
  '\0',
  '-1',
  '1e309',
];

/** The sample with one to four things about it changed. */
export function mutated({ kind, file }: Sample, next: () => number): Buffer {
  let out = Buffer.from(file);
  const below = (n: number) => (n <= 0 ? 0 : next() % n);
  // Most of what matters is where files begin.
  const place = () =>
    below(4) === 0 ? below(out.length) : below(Math.min(out.length, [64, 512, 2048, 12_288][below(4)] as number));
  for (let i = 1 + below(4); i > 0 && out.length > 0; i--) {
    const at = place();
    const what = below(8);
    if (what <= 1) out[at] = below(256);
    else if (what === 2) (out[at] as number) ^= 1 << below(8);
    else if (what <= 4) {
      const number = Buffer.alloc(8);
      const n = sharp[below(sharp.length)] as bigint;
      if (below(2)) number.writeBigUInt64BE(n);
      else number.writeBigUInt64LE(n);
      const width = below(2) ? 8 : 4;
      number.subarray(below(2) ? 0 : 8 - width).copy(out, at - (at % 4), 0, width);
    } else if (what === 5) out = out.subarray(0, below(out.length));
    else if (what === 6) {
      const [from, length] = [place(), below(600)];
      Buffer.from(out.subarray(from, from + length)).copy(out, at);
    } else {
      const word = Buffer.from(words[below(words.length)] as string);
      out = Buffer.concat([out.subarray(0, at), word, out.subarray(at + (below(2) ? word.length : 0))]);
    }
  }
  if (kind === 'vhd' && below(4) > 0) mendVhd(out);
  if (['tar', 'xva', 'ova'].includes(kind) && below(4) > 0) mendTar(out);
  return out;
}
