/**
 * The file of a suspended guest: a header that says what to make, padded to a page, then Xen's own stream.
 *
 *     0   "guesthouse saved xen guest 1\n"
 *     32  u32 length of the header's JSON · u32 where the stream begins · u64 bytes of the stream, 0 while it is being written
 *     64  JSON of the domain's record
 */
import { type FileHandle, readFile } from 'node:fs/promises';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { DomainRecord } from './record.ts';

const magic = 'guesthouse saved xen guest 1\n';
const fixed = 64;
const page = 4096;
/** Longer headers are not read: no description of ours comes near. */
const longestHeader = 16 << 20;

export interface ImageHeader {
  readonly record: DomainRecord;
  /** Where the stream begins, in bytes. */
  readonly start: number;
}
/** The header; `length` 0 marks an image that is not complete. */
export function header(record: DomainRecord, length: number): Buffer {
  const json = Buffer.from(JSON.stringify(record), 'utf8');
  const bytes = Buffer.alloc(Math.ceil((fixed + json.length) / page) * page);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(json.length, 32);
  bytes.writeUInt32LE(bytes.length, 36);
  bytes.writeBigUInt64LE(BigInt(length), 40);
  json.copy(bytes, fixed);
  return bytes;
}
/** Makes an image that failed unusable for good. */
export async function spoil(file: FileHandle): Promise<void> {
  await file.write(Buffer.alloc(fixed), 0, fixed, 0);
}
/** Reads the header, and leaves the file at the stream. Io_error for what is no image, or is not complete. */
export async function readHeader(file: FileHandle, name: string): Promise<ImageHeader> {
  const refuse = (why: string) => xenopsErrors.make('Io_error', { reason: `${name} is no saved guest of Xen: ${why}` });
  const head = await readExactly(file, fixed);
  if (head?.toString('latin1', 0, magic.length) !== magic) throw refuse('it does not begin like one');
  const jsonLength = head.readUInt32LE(32);
  const start = head.readUInt32LE(36);
  if (head.readBigUInt64LE(40) === 0n) throw refuse('it was not written to its end');
  if (jsonLength > longestHeader || start < fixed + jsonLength || start > fixed + longestHeader)
    throw refuse('its header is damaged');
  const rest = await readExactly(file, start - fixed);
  if (!rest) throw refuse('it is cut off');
  try {
    const record = JSON.parse(rest.toString('utf8', 0, jsonLength)) as DomainRecord;
    if (record.version !== 1) throw new Error(`version ${String(record.version)} is not known here`);
    return { record, start };
  } catch (error) {
    throw refuse(String(error));
  }
}
/** Reads on from where the file is, and leaves it after that. */
async function readExactly(file: FileHandle, length: number): Promise<Buffer | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, null);
  return bytesRead === length ? buffer : undefined;
}
/** Where a descriptor that a library reads or writes has come to. */
export async function positionOf(file: FileHandle): Promise<number> {
  const text = await readFile(`/proc/self/fdinfo/${file.fd}`, 'latin1');
  return Number(/^pos:\s*(\d+)/m.exec(text)?.[1] ?? 0);
}
