/**
 * The file of a suspended guest: a header that says what to make, padded to a page, then QEMU's migration stream.
 *
 *     0   "guesthouse saved guest 2\n"
 *     32  u32 length of the header's JSON · u32 where the stream begins · u64 bytes of the stream, 0 while it is being written
 *     48  u32 CRC-32 of the stream · of its last bytes, where the devices are · of the JSON · of the 60 bytes before this one
 *     64  JSON of the domain's record
 *
 * What version 1 wrote has no sums, and is read without.
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Sum } from './bytes.ts';
import type { DomainRecord } from './record.ts';

const magic = 'guesthouse saved guest ';
const version = 2;
const fixed = 64;
const page = 4096;
/** Bytes at the stream's end that are looked at before a guest is made of it. */
const tailBytes = 1 << 20;
/** Longer headers are not read: no description of ours comes near. */
const longestHeader = 16 << 20;

export interface ImageHeader {
  readonly record: DomainRecord;
  /** Where the stream begins, in bytes. */
  readonly start: number;
  readonly length: number;
  /** CRC-32 of the stream; undefined when the image has none. */
  readonly crc: number | undefined;
}

/** Writes the header; without a sum it marks an image that is not complete. Answers where the stream begins. */
export async function writeHeader(file: FileHandle, record: DomainRecord, sum?: Sum): Promise<number> {
  const json = Buffer.from(JSON.stringify(record), 'utf8');
  const start = Math.ceil((fixed + json.length) / page) * page;
  const header = Buffer.alloc(start);
  header.write(`${magic}${version}\n`, 0, 'latin1');
  header.writeUInt32LE(json.length, 32);
  header.writeUInt32LE(start, 36);
  header.writeBigUInt64LE(BigInt(sum?.length ?? 0), 40);
  header.writeUInt32LE(sum?.crc ?? 0, 48);
  header.writeUInt32LE(sum ? await tailOf(file, start, sum.length) : 0, 52);
  header.writeUInt32LE(crc32(json), 56);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  json.copy(header, fixed);
  await file.write(header, 0, header.length, 0);
  return start;
}
async function tailOf(file: FileHandle, start: number, length: number): Promise<number> {
  const bytes = Math.min(tailBytes, length);
  return crc32((await readExactly(file, start + length - bytes, bytes)) ?? Buffer.alloc(0));
}
/** Makes an image that failed unusable for good. */
export async function spoil(file: FileHandle): Promise<void> {
  await file.write(Buffer.alloc(fixed), 0, fixed, 0);
}

/** Reads the header and looks at the stream's end. Io_error for what is no image, is damaged or not complete. */
export async function readHeader(file: FileHandle, name: string): Promise<ImageHeader> {
  const refuse = (why: string) => xenopsErrors.make('Io_error', { reason: `${name} is no saved guest: ${why}` });
  const head = await readExactly(file, 0, fixed);
  if (head?.toString('latin1', 0, magic.length) !== magic) throw refuse('it does not begin like one');
  const format = Number.parseInt(head.toString('latin1', magic.length, 32), 10);
  if (format !== 1 && format !== version) throw refuse(`version ${format} is not known here`);
  const summed = format === version;
  if (summed && crc32(head.subarray(0, 60)) !== head.readUInt32LE(60)) throw refuse('its header is damaged');
  const jsonLength = head.readUInt32LE(32);
  const start = head.readUInt32LE(36);
  const length = Number(head.readBigUInt64LE(40));
  if (length === 0) throw refuse('it was not written to its end');
  if (jsonLength > longestHeader || start < fixed + jsonLength) throw refuse('its header is damaged');
  const json = await readExactly(file, fixed, jsonLength);
  if (!json || (await file.stat()).size < start + length) throw refuse('it is cut off');
  if (summed && crc32(json) !== head.readUInt32LE(56)) throw refuse('its header is damaged');
  if (summed && (await tailOf(file, start, length)) !== head.readUInt32LE(52))
    throw refuse('the state of its devices is damaged');
  try {
    const record = JSON.parse(json.toString('utf8')) as DomainRecord;
    if (record.version !== 1) throw new Error(`version ${String(record.version)} is not known here`);
    return { record, start, length, crc: summed ? head.readUInt32LE(48) : undefined };
  } catch (error) {
    throw refuse(String(error));
  }
}
async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return bytesRead === length ? buffer : undefined;
}
