/**
 * ISO 9660 images (ECMA-119) of a few files in one folder, with their names in Rock Ridge (for Linux) and Joliet (for Windows) too.
 * The same files give the same bytes: nothing in the image tells when or where it was made.
 *
 *     0 system area · 16 volume, Joliet's volume, end · 19 path tables · 23 folder · its continuation · Joliet's folder · files
 */
import { require } from './format-error.ts';

export const sectorBytes = 2048;
const firstVolume = 16;
const firstTable = 19;
const firstFolder = 23;

interface Extent {
  readonly sector: number;
  readonly bytes: number;
}
interface Placed extends Extent {
  readonly name: string;
  readonly shortName: string;
  readonly data: Uint8Array;
}

/** `label`: at most 16 characters. `files`: name → content; names are 1 to 64 printable ASCII characters without `/`. FormatError. */
export function iso9660(label: string, files: Readonly<Record<string, Uint8Array>>): Buffer {
  require(/^[ -~]{1,16}$/.test(label), `the label ${JSON.stringify(label)} is not 1 to 16 plain characters`);
  const named = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name] of named)
    require(/^[ -.0-~]{1,64}$/.test(name) &&
      name !== '.' &&
      name !== '..', `${JSON.stringify(name)} is no name of a file`);
  const shortNames = shorten(named.map(([name]) => name));
  // How much room the folders take does not depend on where they and their files are.
  const nowhere = named.map(([name, data], i) => ({
    ...at(0, data.length),
    name,
    shortName: shortNames[i] ?? '',
    data,
  }));
  const rockRidge = at(firstFolder, pack(rockRidgeRecords(nowhere, at(0, 0), 0)).length);
  const continued = after(rockRidge);
  const joliet = at(continued + 1, pack(jolietRecords(nowhere, at(0, 0))).length);
  let next = after(joliet);
  const placed = nowhere.map((file) => {
    const sector = next;
    next += sectorsOf(file.bytes);
    return { ...file, sector };
  });

  const image = Buffer.alloc(next * sectorBytes);
  const put = (sector: number, data: Uint8Array) => image.set(data, sector * sectorBytes);
  put(firstVolume, volume({ kind: 1, label, root: rockRidge, table: firstTable, sectors: next }));
  put(firstVolume + 1, volume({ kind: 2, label, root: joliet, table: firstTable + 2, sectors: next }));
  put(firstVolume + 2, Buffer.from('\xffCD001\x01', 'latin1'));
  [rockRidge, joliet].forEach((root, i) => {
    put(firstTable + 2 * i, pathTable(root, 'little'));
    put(firstTable + 2 * i + 1, pathTable(root, 'big'));
  });
  put(rockRidge.sector, pack(rockRidgeRecords(placed, rockRidge, continued)));
  put(continued, rockRidgeIsUsed);
  put(joliet.sector, pack(jolietRecords(placed, joliet)));
  for (const { sector, data } of placed) put(sector, data);
  return image;
}

const at = (sector: number, bytes: number): Extent => ({ sector, bytes });
const sectorsOf = (bytes: number) => Math.ceil(bytes / sectorBytes);
const after = ({ sector, bytes }: Extent) => sector + sectorsOf(bytes);

/** Names of eight characters for readers that know neither extension, each once; in the order of the names, which ISO 9660 asks for. */
function shorten(names: readonly string[]): string[] {
  const width = String(names.length).length;
  return names.map((name, i) => {
    const plain = name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
    return `${String(i).padStart(width, '0')}${plain.slice(0, 8 - width)}.;1`;
  });
}

/** Numbers are there twice, in both orders of bytes. */
function both32(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(value, 0);
  out.writeUInt32BE(value, 4);
  return out;
}
function both16(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt16LE(value, 0);
  out.writeUInt16BE(value, 2);
  return out;
}
const ucs2 = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

interface Volume {
  /** 1: primary; 2: supplementary, Joliet. */
  readonly kind: 1 | 2;
  readonly label: string;
  readonly root: Extent;
  readonly table: number;
  readonly sectors: number;
}
function volume({ kind, label, root, table, sectors }: Volume): Buffer {
  const out = Buffer.alloc(sectorBytes);
  const wide = kind === 2;
  const text = (from: number, to: number, value: string) => {
    out.subarray(from, to).set(wide ? ucs2(' '.repeat((to - from) >> 1)) : Buffer.alloc(to - from, ' '));
    (wide ? ucs2(value) : Buffer.from(value, 'latin1')).copy(out, from);
  };
  out.set([kind, ...Buffer.from('CD001'), 1]);
  text(8, 40, '');
  text(40, 72, label);
  both32(sectors).copy(out, 80);
  if (wide) out.write('%/E', 88, 'latin1'); // UCS-2, level 3
  both16(1).copy(out, 120);
  both16(1).copy(out, 124);
  both16(sectorBytes).copy(out, 128);
  both32(tableBytes).copy(out, 132);
  out.writeUInt32LE(table, 140);
  out.writeUInt32BE(table + 1, 148);
  record({ name: Buffer.of(0), where: root, folder: true }).copy(out, 156);
  for (const from of [190, 318, 446, 574]) text(from, from + 128, '');
  for (const from of [702, 739, 776]) text(from, from + 37, '');
  // Made, changed: 1970; expires, effective: never said.
  const dates = ['1970010100000000', '1970010100000000', '0000000000000000', '0000000000000000'];
  for (const [i, date] of dates.entries()) out.write(date, 813 + 17 * i, 'latin1');
  out[881] = 1;
  return out;
}
const tableBytes = 10;
/** Of folders there is the root only. */
function pathTable(root: Extent, order: 'little' | 'big'): Buffer {
  const out = Buffer.alloc(tableBytes);
  out[0] = 1;
  if (order === 'little') out.writeUInt32LE(root.sector, 2);
  else out.writeUInt32BE(root.sector, 2);
  if (order === 'little') out.writeUInt16LE(1, 6);
  else out.writeUInt16BE(1, 6);
  return out;
}

interface Row {
  /** As it stands in the record: 0 for the folder itself, 1 for the one above. */
  readonly name: Buffer;
  readonly where: Extent;
  readonly folder?: boolean;
  /** System use: Rock Ridge's fields. */
  readonly more?: Buffer;
}
function record({ name, where, folder = false, more = Buffer.alloc(0) }: Row): Buffer {
  const padding = name.length % 2 === 0 ? 1 : 0;
  const out = Buffer.alloc(33 + name.length + padding + more.length + (more.length % 2));
  out[0] = out.length;
  both32(where.sector).copy(out, 2);
  both32(where.bytes).copy(out, 10);
  out.set([70, 1, 1], 18); // 1970-01-01
  out[25] = folder ? 2 : 0;
  both16(1).copy(out, 28);
  out[32] = name.length;
  name.copy(out, 33);
  more.copy(out, 33 + name.length + padding);
  return out;
}
/** Whole sectors of records: none lies across the border of two. */
function pack(records: readonly Buffer[]): Buffer {
  const sectors: Buffer[] = [];
  let used = sectorBytes;
  for (const each of records) {
    if (used + each.length > sectorBytes) {
      sectors.push(Buffer.alloc(sectorBytes));
      used = 0;
    }
    each.copy(sectors.at(-1)!, used);
    used += each.length;
  }
  return Buffer.concat(sectors);
}
const itself = Buffer.of(0);
const above = Buffer.of(1);

function jolietRecords(files: readonly Placed[], root: Extent): Buffer[] {
  return [
    record({ name: itself, where: root, folder: true }),
    record({ name: above, where: root, folder: true }),
    ...files.map((file) => record({ name: ucs2(file.name), where: file })),
  ];
}
/** System Use Sharing Protocol, Rock Ridge 1.09: modes and names; the folder itself says in `continued` that this is used. */
function rockRidgeRecords(files: readonly Placed[], root: Extent, continued: number): Buffer[] {
  const used = field('SP', Buffer.of(0xbe, 0xef, 0));
  const elsewhere = field('CE', Buffer.concat([both32(continued), both32(0), both32(rockRidgeIsUsed.length)]));
  const folderMode = mode(0o40555, 2);
  return [
    record({ name: itself, where: root, folder: true, more: Buffer.concat([used, folderMode, elsewhere]) }),
    record({ name: above, where: root, folder: true, more: folderMode }),
    ...files.map((file) => {
      const name = field('NM', Buffer.concat([Buffer.of(0), Buffer.from(file.name, 'latin1')]));
      const more = Buffer.concat([mode(0o100444, 1), name]);
      return record({ name: Buffer.from(file.shortName, 'latin1'), where: file, more });
    }),
  ];
}
function field(kind: string, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(kind, 'latin1'), Buffer.of(data.length + 4, 1), data]);
}
/** Mode, links, owner and group of a POSIX file. */
const mode = (bits: number, links: number) =>
  field('PX', Buffer.concat([both32(bits), both32(links), both32(0), both32(0)]));
const extension = ['RRIP_1991A', 'ROCK RIDGE', 'IEEE P1282'] as const;
const rockRidgeIsUsed = field(
  'ER',
  Buffer.concat([Buffer.of(...extension.map((t) => t.length), 1), Buffer.from(extension.join(''), 'latin1')]),
);
