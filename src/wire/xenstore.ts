/**
 * Xenstore's packets: a header of four little-endian u32 (operation, request id, transaction id, length of the payload), then the
 * payload. Strings end with NUL; a written value is the rest of the payload. Bytes of paths and values travel as latin1 strings
 * (one character per byte), so nothing is lost and nothing is interpreted here.
 */

/** Operation numbers of the protocol. */
export const op = {
  control: 0,
  directory: 1,
  read: 2,
  getPerms: 3,
  watch: 4,
  unwatch: 5,
  transactionStart: 6,
  transactionEnd: 7,
  introduce: 8,
  release: 9,
  getDomainPath: 10,
  write: 11,
  mkdir: 12,
  rm: 13,
  setPerms: 14,
  watchEvent: 15,
  error: 16,
  isDomainIntroduced: 17,
  resume: 18,
  setTarget: 19,
  resetWatches: 21,
  directoryPart: 22,
  getFeature: 23,
  setFeature: 24,
  getQuota: 25,
  setQuota: 26,
} as const;

/** Bytes of a header. */
export const headerSize = 16;
/** Bytes that a payload may have, in either direction. */
export const payloadMax = 4096;
/** Bytes of an absolute path, without its NUL. */
export const absolutePathMax = 3072;
/** Bytes of a relative path as it is sent, without its NUL. */
export const relativePathMax = 2048;

/** The names that an error reply may carry. */
export const errorNames = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
] as const;
export type ErrorName = (typeof errorNames)[number];

/** Bits of GET_FEATURE and of a ring's `server_features`. */
export const feature = { reconnection: 1, error: 2, watchDepth: 4, anyDomain: 8 } as const;
/** In a permission list: every domain. */
export const domidAny = 0x7ff5;
/** In IS_DOMAIN_INTRODUCED: the caller. */
export const domidSelf = 0x7ff0;

/** The u32 at `at`; never negative. */
export function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** Node's own methods, which `toString` and `write` reach by a detour. */
interface Latin1 {
  latin1Slice(from: number, to: number): string;
  latin1Write(text: string, at: number, length: number): number;
}
/** The bytes from `from` to `to` as characters. */
export const latin1 = (bytes: Buffer, from: number, to: number): string =>
  from >= to ? '' : (bytes as unknown as Latin1).latin1Slice(from, to);
/** Writes characters as bytes at `at`. */
export function putLatin1(bytes: Buffer, at: number, text: string): void {
  if (text.length > 0) (bytes as unknown as Latin1).latin1Write(text, at, text.length);
}

/** Writes `value` as a u32 at `at`. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** One packet as a value. */
export interface Packet {
  readonly type: number;
  readonly requestId: number;
  readonly transactionId: number;
  readonly payload: Buffer;
}

/** A packet's bytes; a string payload is latin1. */
export function encodePacket(
  type: number,
  requestId: number,
  transactionId: number,
  payload: string | Uint8Array,
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const bytes = Buffer.allocUnsafe(headerSize + body.length);
  putU32(bytes, 0, type);
  putU32(bytes, 4, requestId);
  putU32(bytes, 8, transactionId);
  putU32(bytes, 12, body.length);
  bytes.set(body, headerSize);
  return bytes;
}

/** Cuts a stream of bytes into packets; `push` answers those that are complete and keeps the rest. */
export class PacketReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #max: number;

  /** `max`: bytes of the longest payload that is taken. */
  constructor(max: number = payloadMax) {
    this.#max = max;
  }
  /** Throws RangeError when a length above the maximum is announced: the stream cannot be followed any more. */
  push(chunk: Uint8Array): Packet[] {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk);
    const packets: Packet[] = [];
    let at = 0;
    while (bytes.length - at >= headerSize) {
      const length = u32(bytes, at + 12);
      if (length > this.#max) {
        throw new RangeError(`xenstore: a packet of ${length} bytes; at most ${this.#max} are allowed`);
      }
      if (bytes.length - at < headerSize + length) break;
      packets.push({
        type: u32(bytes, at),
        requestId: u32(bytes, at + 4),
        transactionId: u32(bytes, at + 8),
        payload: bytes.subarray(at + headerSize, at + headerSize + length),
      });
      at += headerSize + length;
    }
    this.#rest = bytes.subarray(at);
    return packets;
  }
  /** Bytes of a packet that is not complete yet. */
  get rest(): Buffer {
    return this.#rest;
  }
}

/** The strings of a payload, each of which ends with NUL; bytes after the last NUL are left out. */
export function strings(payload: Buffer): string[] {
  const all = latin1(payload, 0, payload.length).split('\0');
  all.pop();
  return all;
}
