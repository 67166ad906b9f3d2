/**
 * The file of a suspended guest: a header that says what to make, padded to a page, then QEMU's migration stream.
 *
 *     0   "guesthouse saved guest 1\n"
 *     32  u32 length of the header's JSON · u32 where the stream begins · u64 bytes of the stream, 0 while it is being written
 *     64  JSON of the domain's record
 */
import type { FileHandle } from 'node:fs/promises';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { DomainRecord } from './record.ts';

const magic = 'guesthouse saved guest 1\n';
const fixed = 64;
const page = 4096;
/** Longer headers are not read: no description of ours comes near. */
const longestHeader = 16 << 20;

export interface ImageHeader {
  readonly record: DomainRecord;
  /** Where the stream begins, in bytes. */
  readonly start: number;
  readonly length: number;
}

/** Writes the header; `length` 0 marks an image that is not complete. Answers where the stream begins. */
export async function writeHeader(file: FileHandle, record: DomainRecord, length: number): Promise<number> {
  const json = Buffer.from(JSON.stringify(record), 'utf8');
  const start = Math.ceil((fixed + json.length) / page) * page;
  const header = Buffer.alloc(start);
  header.write(magic, 0, 'latin1');
  header.writeUInt32LE(json.length, 32);
  header.writeUInt32LE(start, 36);
  header.writeBigUInt64LE(BigInt(length), 40);
  json.copy(header, fixed);
  await file.write(header, 0, header.length, 0);
  return start;
}
/** Makes an image that failed unusable for good. */
export async function spoil(file: FileHandle): Promise<void> {
  await file.write(Buffer.alloc(fixed), 0, fixed, 0);
}

/** Reads the header. Io_error for what is no image, or is not complete. */
export async function readHeader(file: FileHandle, name: string): Promise<ImageHeader> {
  const refuse = (why: string) => xenopsErrors.make('Io_error', { reason: `${name} is no saved guest: ${why}` });
  const head = await readExactly(file, 0, fixed);
  if (head?.toString('latin1', 0, magic.length) !== magic) throw refuse('it does not begin like one');
  const jsonLength = head.readUInt32LE(32);
  const start = head.readUInt32LE(36);
  const length = Number(head.readBigUInt64LE(40));
  if (length === 0) throw refuse('it was not written to its end');
  if (jsonLength > longestHeader || start < fixed + jsonLength) throw refuse('its header is damaged');
  const json = await readExactly(file, fixed, jsonLength);
  if (!json) throw refuse('it is cut off');
  try {
    const record = JSON.parse(json.toString('utf8')) as DomainRecord;
    if (record.version !== 1) throw new Error(`version ${String(record.version)} is not known here`);
    return { record, start, length };
  } catch (error) {
    throw refuse(String(error));
  }
}
async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return bytesRead === length ? buffer : undefined;
}
