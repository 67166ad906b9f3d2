/**
 * The files of a repository, by their names, and what the header of each says.
 *
 *     <vdi>.qcow2 | .raw | .vhd         a disk as guests open it: the top of its chain
 *     <vdi>.<n>.qcow2                   the same; the largest n counts (none: 0), others are names that a guest has opened before
 *     <id>.base.qcow2 | .raw | .vhd     frozen content that tops and other bases lie on; never written again
 *     <vdi>.json                        name, description and origin of a disk
 *     <id>.tmp                          unfinished; removed at attach
 *     sr.json                           which repository this is
 *
 * Other files are not ours and are left alone.
 */
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { storageErrors } from '../../../contracts/storage.ts';
import { FormatError } from '../../../wire/format-error.ts';
import { readFooter } from '../../../wire/vhd.ts';
import type { Format } from '../../qemu-img.ts';

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const topPattern = new RegExp(`^(${uuid})(?:\\.([1-9]\\d{0,8}))?\\.(qcow2|raw|vhd)$`);
const basePattern = new RegExp(`^${uuid}\\.base\\.(qcow2|raw|vhd)$`);
const sidecarPattern = new RegExp(`^(${uuid})\\.json$`);
const temporaryPattern = new RegExp(`^${uuid}\\.tmp$`);

const endings = { qcow2: 'qcow2', raw: 'raw', vpc: 'vhd' } as const;
/** All that a top may be, the one that wins when there are two first: `freeze` was killed before it removed the other. */
export const topFormats = ['qcow2', 'raw', 'vpc'] as const satisfies readonly Format[];
export const topName = (vdi: string, format: Format, generation = 0) =>
  `${vdi}${generation === 0 ? '' : `.${generation}`}.${endings[format]}`;
export const baseName = (id: string, format: Format) => `${id}.base.${endings[format]}`;
/** The id in a base's name. */
export const baseId = (file: string): string => file.slice(0, 36);
export const sidecarName = (vdi: string) => `${vdi}.json`;
export const temporaryName = (id: string) => `${id}.tmp`;
/** The disk that a file is the top of. */
export const vdiOf = (file: string): string | undefined => topPattern.exec(file)?.[1];
/** How often the disk went on in a new file while a guest had it open. */
export const generationOf = (file: string): number => Number(topPattern.exec(file)?.[2] ?? 0);
export const isBase = (file: string): boolean => basePattern.test(file);
export const sidecarOf = (file: string): string | undefined => sidecarPattern.exec(file)?.[1];
export const isTemporary = (file: string): boolean => temporaryPattern.test(file);
export const formatOf = (file: string): Format =>
  topFormats.find((format) => file.endsWith(`.${endings[format]}`)) ?? 'qcow2';

/** One file of a chain. */
export interface Layer {
  readonly file: string;
  readonly format: Format;
  /** Bytes that are seen through it. */
  readonly virtualSize: number;
  /** The base below it. */
  readonly backing: string | null;
  /** Nothing was ever written or zeroed in it: all that is seen comes from below. */
  readonly empty: boolean;
}

/** Reads a file's header. Bad_data for one that is damaged or lies on a file that is not a base of this folder. */
export async function readLayer(folder: string, file: string): Promise<Layer> {
  const format = formatOf(file);
  const path = join(folder, file);
  if (format === 'raw') {
    const { size, blocks } = await stat(path);
    return { file, format, virtualSize: size, backing: null, empty: blocks === 0 };
  }
  const bad = (reason: string) => storageErrors.make('Bad_data', { reason: `${path}: ${reason}` });
  const handle = await open(path, 'r');
  try {
    const header = Buffer.alloc(512);
    await handle.read(header, 0, 512, 0);
    if (format === 'vpc') return { file, format, virtualSize: vhdSize(header, bad), backing: null, empty: false };
    if (header.readUInt32BE(0) !== 0x514649fb) throw bad('it is no qcow2 file');
    if (![2, 3].includes(header.readUInt32BE(4))) throw bad(`version ${header.readUInt32BE(4)} is not known`);
    const bytesAt = async (offset: bigint, length: number) => {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await handle.read(bytes, 0, length, Number(offset));
      if (bytesRead < length) throw bad('it is cut short');
      return bytes;
    };
    const nameLength = header.readUInt32BE(16);
    if (nameLength > 1023) throw bad('the name of its backing file is too long');
    const backing = nameLength ? (await bytesAt(header.readBigUInt64BE(8), nameLength)).toString() : null;
    if (backing !== null && !isBase(backing)) throw bad(`it lies on ${backing}, which is no base of this repository`);
    const tableLength = header.readUInt32BE(36) * 8;
    if (tableLength > 32 << 20) throw bad('its table is too long');
    const table = await bytesAt(header.readBigUInt64BE(40), tableLength);
    const virtualSize = Number(header.readBigUInt64BE(24));
    return { file, format, virtualSize, backing, empty: table.every((byte) => byte === 0) };
  } finally {
    await handle.close();
  }
}
/** Of a dynamic one that lies on nothing, as we make them. */
function vhdSize(header: Buffer, bad: (reason: string) => Error): number {
  try {
    const { kind, size } = readFooter(header);
    if (kind === 'dynamic') return size;
    throw bad(`it is a ${kind} VHD, not a dynamic one`);
  } catch (error) {
    throw error instanceof FormatError ? bad(error.message) : error;
  }
}
