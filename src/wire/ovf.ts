/**
 * OVF descriptors (DMTF DSP0243), versions 1.x and 2.x: virtual machines with their processors, memory, disks and networks. What else
 * one may say is passed over. Manifests: a digest for each file of a package.
 */
import { FormatError, require } from './format-error.ts';
import { checkName } from './tar.ts';
import { childOf, childrenOf, type Element, parseXmlTree, textOf } from './xml-tree.ts';
import { escapeXml } from './xmlrpc-encode.ts';

export interface OvfFile {
  readonly href: string;
  readonly gzip: boolean;
}
export interface OvfDisk {
  /** Bytes. */
  readonly capacity: number;
  /** Undefined: a new, empty disk. */
  readonly file: OvfFile | undefined;
  /** The URI of its format. */
  readonly format: string;
}
export interface OvfMachine {
  readonly name: string;
  readonly description: string;
  readonly vcpus: number;
  /** Bytes. */
  readonly memory: number;
  readonly firmware: 'bios' | 'uefi';
  /** In the order of their places. */
  readonly disks: readonly OvfDisk[];
  readonly cdDrives: number;
  readonly nics: readonly { readonly network: string; readonly mac: string | undefined }[];
}

const envelope = /^http:\/\/(schemas\.dmtf\.org|www\.vmware\.com\/schema)\/ovf\/(1\/)?envelope(\/[12])?$/;
const resource = { cpu: 3, memory: 4, nic: 10, cd: 15, dvd: 16, disk: 17 } as const;

export function readOvf(text: string): readonly OvfMachine[] {
  const root = parseXmlTree(text);
  require(root.name === 'Envelope' && envelope.test(root.space), 'it is no OVF descriptor of version 1 or 2');
  const files = filesOf(root);
  const disks = disksOf(root, files);
  const systems = machinesIn(root);
  require(systems.length > 0, 'it describes no virtual machine');
  require(systems.length <= 64, `it describes ${systems.length} virtual machines, at most 64 are read`);
  return systems.map((system) => machine(system, disks, files));
}
/** Collections may be inside each other. */
function machinesIn(e: Element): readonly Element[] {
  return e.children.flatMap((c) =>
    c.name === 'VirtualSystem' ? [c] : c.name === 'VirtualSystemCollection' ? machinesIn(c) : [],
  );
}
function filesOf(root: Element): ReadonlyMap<string, OvfFile> {
  const found = new Map<string, OvfFile>();
  for (const file of childrenOf(childOf(root, 'References'), 'File')) {
    const { id = '', href = '', compression = 'identity', chunkSize } = Object.fromEntries(file.attributes);
    require(chunkSize === undefined, `the file ${href} is cut into chunks, which are not read`);
    require(!/^[a-z][a-z0-9+.-]*:/i.test(href), `the file ${href} is elsewhere, and is not fetched`);
    checkName(href);
    require(compression === 'identity' || compression === 'gzip', `the compression ${compression} is not known`);
    found.set(id, { href, gzip: compression === 'gzip' });
  }
  return found;
}
function disksOf(root: Element, files: ReadonlyMap<string, OvfFile>): ReadonlyMap<string, OvfDisk> {
  const found = new Map<string, OvfDisk>();
  for (const disk of childrenOf(childOf(root, 'DiskSection'), 'Disk')) {
    const a = Object.fromEntries(disk.attributes);
    const { diskId = '', fileRef, capacity = '0', capacityAllocationUnits, format = '', parentRef } = a;
    require(parentRef === undefined, `the disk ${diskId} lies on another one, which is not read`);
    const file = fileRef === undefined ? undefined : files.get(fileRef);
    require(fileRef === undefined ||
      file !== undefined, `the disk ${diskId} is in a file ${fileRef} that is not listed`);
    found.set(diskId, { capacity: amount(capacity, capacityAllocationUnits, 1), file, format });
  }
  return found;
}
/** `byte * 2^20`, or a word of older versions. */
function amount(digits: string, units: string | undefined, otherwise: number): number {
  require(/^\d{1,15}$/.test(digits.trim()), `${JSON.stringify(digits)} is no number`);
  return Number(digits) * unitOf(units, otherwise);
}
const words: Readonly<Record<string, number>> = {
  ...{
    byte: 1,
    bytes: 1,
    kilobytes: 2 ** 10,
    megabytes: 2 ** 20,
    gigabytes: 2 ** 30,
    kb: 2 ** 10,
    mb: 2 ** 20,
    gb: 2 ** 30,
  },
};
function unitOf(units: string | undefined, otherwise: number): number {
  if (units === undefined || units.trim() === '') return otherwise;
  const text = units.trim().toLowerCase();
  if (Object.hasOwn(words, text)) return words[text] as number;
  const found = /^bytes?\s*\*\s*(?:(\d+)\s*\*\s*)?(2|10)\s*\^\s*(\d{1,2})$/.exec(text);
  if (!found) throw new FormatError(`the unit ${JSON.stringify(units)} is not known`);
  return Number(found[1] ?? 1) * Number(found[2]) ** Number(found[3]);
}

interface Item {
  readonly type: number;
  readonly id: string;
  readonly parent: string;
  readonly place: number;
  readonly at: Element;
}
function machine(
  system: Element,
  disks: ReadonlyMap<string, OvfDisk>,
  files: ReadonlyMap<string, OvfFile>,
): OvfMachine {
  const hardware = childOf(system, 'VirtualHardwareSection');
  if (!hardware) throw new FormatError('a virtual machine has no hardware');
  const items = hardware.children
    .filter((c) => ['Item', 'StorageItem', 'EthernetPortItem'].includes(c.name))
    .map((at): Item => {
      const text = (name: string) => textOf(at, name) ?? '';
      const place = Number(text('AddressOnParent') || 0);
      return { type: Number(text('ResourceType')), id: text('InstanceID'), parent: text('Parent'), place, at };
    });
  const of = (...types: number[]) => items.filter((i) => types.includes(i.type));
  const quantity = (type: number, unit: number) => {
    const item = of(type)[0]?.at;
    const digits = textOf(item, 'VirtualQuantity');
    return digits === undefined
      ? undefined
      : amount(digits, type === resource.memory ? textOf(item, 'AllocationUnits') : '', unit);
  };
  const order = new Map(items.map((i, n) => [i.id, n]));
  const byPlace = (a: Item, b: Item) => (order.get(a.parent) ?? -1) - (order.get(b.parent) ?? -1) || a.place - b.place;
  return {
    name: textOf(system, 'Name') || system.attributes.get('id') || 'imported',
    description: textOf(childOf(system, 'AnnotationSection'), 'Annotation') ?? '',
    vcpus: quantity(resource.cpu, 1) ?? 1,
    memory: quantity(resource.memory, 2 ** 20) ?? 2 ** 30,
    firmware: firmwareOf(hardware),
    disks: of(resource.disk)
      .sort(byPlace)
      .map((item) => diskOf(item.at, disks, files)),
    cdDrives: of(resource.cd, resource.dvd).length,
    nics: of(resource.nic).map(({ at }) => ({
      network: textOf(at, 'Connection') ?? '',
      mac: textOf(at, 'Address') || undefined,
    })),
  };
}
/** VMware's way of saying it. */
function firmwareOf(hardware: Element): 'bios' | 'uefi' {
  const said = childrenOf(hardware, 'Config').find((c) => c.attributes.get('key') === 'firmware');
  return said?.attributes.get('value')?.toLowerCase() === 'efi' ? 'uefi' : 'bios';
}
/** `ovf:/disk/ID`, `/disk/ID` or, straight, `ovf:/file/ID`. */
function diskOf(at: Element, disks: ReadonlyMap<string, OvfDisk>, files: ReadonlyMap<string, OvfFile>): OvfDisk {
  const said = textOf(at, 'HostResource') ?? '';
  const [, kind, id = ''] = /^(?:ovf:)?\/(disk|file)\/(.+)$/.exec(said) ?? [];
  const file = kind === 'file' ? files.get(id) : undefined;
  const found = kind === 'disk' ? disks.get(id) : file && { capacity: 0, file, format: '' };
  if (!found) throw new FormatError(`a disk is ${JSON.stringify(said)}, which is not described`);
  return found;
}

export interface NewOvf {
  readonly version: 1 | 2;
  readonly id: string;
  readonly machine: Omit<OvfMachine, 'disks'>;
  readonly disks: readonly { readonly file: string; readonly bytes: number; readonly capacity: number }[];
}
const cim = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2';
const vmdkFormat = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
type Lines = readonly (readonly [tag: string, value: string | number])[];

/** A descriptor of one machine whose disks are VMDK files. */
export function writeOvf({ version, id, machine: m, disks }: NewOvf): string {
  const q = escapeXml;
  const space = `http://schemas.dmtf.org/ovf/envelope/${version}`;
  // The elements of an item come in alphabetical order.
  const item = (tag: string, prefix: string, lines: Lines) =>
    `      <${tag}>\n${lines.map(([k, v]) => `        <${prefix}:${k}>${q(String(v))}</${prefix}:${k}>`).join('\n')}\n      </${tag}>`;
  const rasd = (...lines: Lines) => item('Item', 'rasd', lines);
  const storage = (...lines: Lines) => (version === 2 ? item('StorageItem', 'sasd', lines) : rasd(...lines));
  const port = (...lines: Lines) => (version === 2 ? item('EthernetPortItem', 'epasd', lines) : rasd(...lines));
  const firmware =
    m.firmware === 'uefi' ? ['      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>'] : [];
  const networks = [...new Set(m.nics.map((n) => n.network))];
  const controller = 3;
  const cds = Array.from({ length: m.cdDrives }, (_, i) => i);
  const items = [
    rasd(
      ['AllocationUnits', 'hertz * 10^6'],
      ['ElementName', `${m.vcpus} virtual CPUs`],
      ['InstanceID', 1],
      ['ResourceType', 3],
      ['VirtualQuantity', m.vcpus],
    ),
    rasd(
      ['AllocationUnits', 'byte * 2^20'],
      ['ElementName', 'Memory'],
      ['InstanceID', 2],
      ['ResourceType', 4],
      ['VirtualQuantity', Math.ceil(m.memory / 2 ** 20)],
    ),
    rasd(
      ['Address', 0],
      ['ElementName', 'SCSI controller'],
      ['InstanceID', controller],
      ['ResourceSubType', 'lsilogic'],
      ['ResourceType', 6],
    ),
    ...disks.map((_, i) =>
      storage(
        ['AddressOnParent', i],
        ['ElementName', `Disk ${i}`],
        ['HostResource', `ovf:/disk/disk${i}`],
        ['InstanceID', 10 + i],
        ['Parent', controller],
        ['ResourceType', 17],
      ),
    ),
    ...cds.map((i) =>
      storage(
        ['AddressOnParent', disks.length + i],
        ['ElementName', `CD drive ${i}`],
        ['InstanceID', 100 + i],
        ['Parent', controller],
        ['ResourceType', 15],
      ),
    ),
    ...m.nics.map((n, i) =>
      port(
        ...(n.mac === undefined ? [] : [['Address', n.mac] as const]),
        ['AddressOnParent', i],
        ['AutomaticAllocation', 'true'],
        ['Connection', n.network],
        ['ElementName', `Interface ${i}`],
        ['InstanceID', 200 + i],
        ['ResourceSubType', 'E1000'],
        ['ResourceType', 10],
      ),
    ),
  ];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<Envelope xmlns="${space}" xmlns:ovf="${space}" xmlns:rasd="${cim}/CIM_ResourceAllocationSettingData" xmlns:vssd="${cim}/CIM_VirtualSystemSettingData"` +
      (version === 2
        ? ` xmlns:sasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_StorageAllocationSettingData.xsd" xmlns:epasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_EthernetPortAllocationSettingData.xsd"`
        : '') +
      ' xmlns:vmw="http://www.vmware.com/schema/ovf">',
    '  <References>',
    ...disks.map((d, i) => `    <File ovf:id="file${i}" ovf:href="${q(d.file)}" ovf:size="${d.bytes}"/>`),
    '  </References>',
    '  <DiskSection>',
    '    <Info>The virtual disks</Info>',
    ...disks.map(
      (d, i) =>
        `    <Disk ovf:diskId="disk${i}" ovf:fileRef="file${i}" ovf:capacity="${d.capacity}" ovf:format="${vmdkFormat}"/>`,
    ),
    '  </DiskSection>',
    '  <NetworkSection>',
    '    <Info>The networks</Info>',
    ...networks.map((n) => `    <Network ovf:name="${q(n)}"><Description>${q(n)}</Description></Network>`),
    '  </NetworkSection>',
    `  <VirtualSystem ovf:id="${q(id)}">`,
    '    <Info>A virtual machine</Info>',
    `    <Name>${q(m.name)}</Name>`,
    ...(m.description === ''
      ? []
      : [
          `    <AnnotationSection><Info>Its description</Info><Annotation>${q(m.description)}</Annotation></AnnotationSection>`,
        ]),
    '    <OperatingSystemSection ovf:id="1"><Info>The guest operating system</Info></OperatingSystemSection>',
    '    <VirtualHardwareSection>',
    '      <Info>The virtual hardware</Info>',
    '      <System>',
    '        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>',
    '        <vssd:InstanceID>0</vssd:InstanceID>',
    `        <vssd:VirtualSystemIdentifier>${q(m.name)}</vssd:VirtualSystemIdentifier>`,
    '        <vssd:VirtualSystemType>vmx-07</vssd:VirtualSystemType>',
    '      </System>',
    ...items,
    ...firmware,
    '    </VirtualHardwareSection>',
    '  </VirtualSystem>',
    '</Envelope>',
    '',
  ].join('\n');
}

export type Digest = 'sha1' | 'sha256' | 'sha512';
export interface ManifestRow {
  readonly file: string;
  readonly algorithm: Digest;
  readonly digest: string;
}
export function readManifest(text: string): readonly ManifestRow[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  require(lines.length <= 10_000, 'the manifest is too long');
  return lines.map((line) => {
    const found = /^\s*(SHA-?(?:1|256|512))\s*\((.+?)\)\s*=\s*([0-9a-f]+)\s*$/i.exec(line);
    if (!found) throw new FormatError(`the line ${JSON.stringify(line.slice(0, 200))} of the manifest cannot be read`);
    const [, algorithm = '', file = '', digest = ''] = found;
    return { file, algorithm: algorithm.toLowerCase().replace('-', '') as Digest, digest: digest.toLowerCase() };
  });
}
export const writeManifest = (rows: readonly Omit<ManifestRow, 'algorithm'>[]): string =>
  rows.map(({ file, digest }) => `SHA256(${file})= ${digest}\n`).join('');
