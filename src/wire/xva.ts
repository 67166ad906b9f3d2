/**
 * XVA, the export format of XenAPI: a tar archive of `ova.xml`, then the disks in chunks, each followed by its checksum.
 *
 *     ova.xml · Ref:7/00000000 · Ref:7/00000000.xxhash · Ref:7/00000003 · Ref:7/00000003.xxhash · …
 *
 * Chunks have 1 MiB (the last what is left); those that are all zeroes are left out, never the first and the last.
 */
import { FormatError, require } from './format-error.ts';
import { parseXmlValue, type Wire, XmlError } from './xmlrpc-decode.ts';
import { escapeXml } from './xmlrpc-encode.ts';

export const xvaChunk = 1 << 20;
/** The newest version that is written and read. */
export const xvaVersion = 2;
export const ovaXml = 'ova.xml';
/** Bytes of `ova.xml`; a thousand VMs with their devices stay below. */
export const largestOvaXml = 16 << 20;
/** Bytes of a chunk that are read; those that are written have 1 MiB. */
export const largestChunk = 64 << 20;

export interface XvaObject {
  readonly cls: string;
  /** `Ref:7`. */
  readonly id: string;
  readonly snapshot: { readonly [field: string]: Wire };
}
export interface Ova {
  readonly version: { readonly [key: string]: Wire };
  readonly objects: readonly XvaObject[];
}
type Struct = { readonly [key: string]: Wire };
const isStruct = (v: Wire | undefined): v is Struct => typeof v === 'object' && v !== null && !Array.isArray(v);

/** `version` has text, and `export_vsn` a number; `snapshot` is the XML of a record, `<value>…</value>`. */
export function writeOva(
  version: Readonly<Record<string, string | number>>,
  objects: readonly { readonly cls: string; readonly id: string; readonly snapshot: string }[],
): string {
  const member = (name: string, value: string) => `<member><name>${name}</name>${value}</member>`;
  const bare = (v: string | number) => `<value>${escapeXml(String(v))}</value>`;
  const struct = (members: string) => `<value><struct>${members}</struct></value>`;
  const about = Object.entries(version).map(([k, v]) => member(k, bare(v)));
  const list = objects.map((o) =>
    struct(member('class', bare(o.cls)) + member('id', bare(o.id)) + member('snapshot', o.snapshot)),
  );
  const array = `<value><array><data>${list.join('')}</data></array></value>`;
  return struct(member('version', struct(about.join(''))) + member('objects', array));
}
/** FormatError for what is none; `tooNew` when a later version than ours wrote it. */
export function readOva(text: string): Ova & { readonly tooNew: boolean } {
  const whole = xmlText(text);
  require(isStruct(whole) && isStruct(whole['version']), 'ova.xml has no version');
  const { version, objects } = whole;
  require(Array.isArray(objects), 'ova.xml has no objects');
  const found = (objects as readonly Wire[]).map((o) => {
    require(isStruct(o), 'an object of ova.xml is none');
    const { class: cls, id, snapshot } = o;
    require(typeof cls === 'string' && typeof id === 'string' && isStruct(snapshot), 'an object of ova.xml is none');
    require(/^[\w:.-]{1,100}$/.test(id), `an object of ova.xml is called ${JSON.stringify(id.slice(0, 100))}`);
    return { cls, id, snapshot };
  });
  require(new Set(found.map((o) => o.id)).size === found.length, 'two objects of ova.xml have the same name');
  const export_vsn = Number((version as Struct)['export_vsn'] ?? 0);
  require(Number.isInteger(export_vsn), 'the version of ova.xml is no number');
  return { version: version as Struct, objects: found, tooNew: export_vsn > xvaVersion };
}
function xmlText(text: string): Wire {
  try {
    return parseXmlValue(text);
  } catch (cause) {
    if (!(cause instanceof XmlError)) throw cause;
    throw new FormatError(`ova.xml cannot be read: ${cause.message}`, { cause });
  }
}

export const chunkName = (disk: string, number: number): string => `${disk}/${String(number).padStart(8, '0')}`;
export interface ChunkName {
  /** `Ref:7`. */
  readonly disk: string;
  readonly number: number;
  readonly checksum: 'xxhash' | 'sha1' | undefined;
}
/** What the name of a member says; undefined for one that is no chunk. */
export function readChunkName(name: string): ChunkName | undefined {
  const found = /^([\w:.-]{1,100})\/(\d{8,9})(?:\.(xxhash|checksum))?$/.exec(name);
  if (!found) return undefined;
  const [, disk = '', number = '', kind] = found;
  return { disk, number: Number(number), checksum: kind === 'checksum' ? 'sha1' : (kind as 'xxhash' | undefined) };
}
