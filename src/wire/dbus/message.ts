/**
 * D-Bus messages as a proxy sees them: the header taken apart and checked, the body checked against its signature and left as
 * bytes. Strict: what the specification does not allow is refused, so that nobody behind the proxy reads it otherwise.
 */
import { require } from '../format-error.ts';
import { Cursor, checkBody, checkValue, variantType } from './body.ts';
import { isBusName, isInterfaceName, isMemberName, isObjectPath } from './names.ts';
import { parseSignature } from './signature.ts';

export const messageTypes = ['method-call', 'method-return', 'error', 'signal'] as const;
export type MessageKind = (typeof messageTypes)[number];
/** Bits of a message's flags. */
export const flag = { noReplyExpected: 1, noAutoStart: 2, interactive: 4 } as const;

export interface DbusMessage {
  readonly kind: MessageKind;
  readonly flags: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature: string;
  readonly unixFds?: number;
  /** The whole message; its body begins at `bodyAt`. */
  readonly bytes: Buffer;
  readonly bodyAt: number;
  readonly little: boolean;
}

/** Bytes up to the length of the header fields. */
const fixedPart = 16;
const longestFields = 1 << 16;
type Name =
  | 'path'
  | 'interface'
  | 'member'
  | 'errorName'
  | 'replySerial'
  | 'destination'
  | 'sender'
  | 'signature'
  | 'unixFds';
interface Field {
  readonly name: Name;
  readonly code: 'o' | 's' | 'u' | 'g';
  readonly fits: (text: string) => boolean;
}
const any = (): boolean => true;
/** By their numbers in the header. */
export const headerFields: readonly (Field | undefined)[] = [
  undefined,
  { name: 'path', code: 'o', fits: isObjectPath },
  { name: 'interface', code: 's', fits: isInterfaceName },
  { name: 'member', code: 's', fits: isMemberName },
  { name: 'errorName', code: 's', fits: isInterfaceName },
  { name: 'replySerial', code: 'u', fits: any },
  { name: 'destination', code: 's', fits: isBusName },
  { name: 'sender', code: 's', fits: isBusName },
  { name: 'signature', code: 'g', fits: any },
  { name: 'unixFds', code: 'u', fits: any },
];
const required: Readonly<Record<MessageKind, readonly Name[]>> = {
  'method-call': ['path', 'member'],
  'method-return': ['replySerial'],
  error: ['errorName', 'replySerial'],
  signal: ['path', 'interface', 'member'],
};
/** For libraries' own use; nobody may send it. */
const localPath = '/org/freedesktop/DBus/Local';
const localInterface = 'org.freedesktop.DBus.Local';

/** Whether bytes are sent least significant first. */
function isLittle(mark: number | undefined): boolean {
  require(mark === 0x6c || mark === 0x42, 'the byte order is neither l nor B');
  return mark === 0x6c;
}
const u32At = (bytes: Buffer, at: number, little: boolean) =>
  little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
const align8 = (n: number) => Math.ceil(n / 8) * 8;

/** Bytes of the message that begins with these 16 bytes; FormatError when they begin none, or one of more than `longest` bytes. */
export function messageLength(bytes: Buffer, longest: number): number {
  const little = isLittle(bytes[0]);
  require(bytes[3] === 1, `version ${bytes[3]} of the protocol; 1 is spoken here`);
  const fields = u32At(bytes, 12, little);
  require(fields <= longestFields, `header fields of ${fields} bytes; at most ${longestFields} are allowed`);
  const length = align8(fixedPart + fields) + u32At(bytes, 4, little);
  require(length <= longest, `a message of ${length} bytes; at most ${longest} are allowed`);
  return length;
}

/** Takes one whole message apart. `body: false` leaves its body unchecked, for a sender that checks itself. */
export function parseMessage(bytes: Buffer, options: { readonly body?: boolean } = {}): DbusMessage {
  require(bytes.length >= fixedPart, 'a message is cut off');
  const little = isLittle(bytes[0]);
  const kind = messageTypes[(bytes[1] as number) - 1];
  require(kind !== undefined, `no message type ${bytes[1]}`);
  const serial = u32At(bytes, 8, little);
  require(serial !== 0, 'the serial number is 0');
  const fieldsEnd = fixedPart + u32At(bytes, 12, little);
  const bodyAt = align8(fieldsEnd);
  require(bytes.length === bodyAt + u32At(bytes, 4, little), 'the lengths of a message do not add up');
  const cursor = new Cursor(bytes, little, fixedPart, fieldsEnd);
  const found: { -readonly [K in Name]?: DbusMessage[K] } = {};
  while (cursor.at < fieldsEnd) readField(cursor, found);
  cursor.end = bodyAt;
  cursor.align(8);
  for (const name of required[kind]) require(found[name] !== undefined, `a ${kind} without ${name}`);
  require(found.path !== localPath && found.interface !== localInterface, 'a message of the reserved Local interface');
  require(found.replySerial !== 0, 'a reply to the serial number 0');
  const { signature = '', ...fields } = found;
  if (options.body !== false) checkBody(new Cursor(bytes, little, bodyAt, bytes.length), signature);
  return { ...fields, signature, kind, flags: bytes[2] as number, serial, bytes, bodyAt, little };
}
function readField(cursor: Cursor, found: Partial<Record<Name, string | number>>): void {
  cursor.align(8);
  const number = cursor.bytes[cursor.take(1)] as number;
  require(number !== 0, 'a header field 0');
  const type = variantType(cursor);
  const field = headerFields[number];
  if (!field) {
    checkValue(cursor, type, 2);
    return;
  }
  require(type.code === field.code, `header field ${field.name} has the type ${type.code}`);
  require(found[field.name] === undefined, `header field ${field.name} twice`);
  if (field.code === 'u') {
    found[field.name] = cursor.u32();
    return;
  }
  const text = field.code === 'g' ? cursor.signature() : cursor.string();
  if (field.code === 'g') parseSignature(text);
  require(field.fits(text), `header field ${field.name} cannot be ${JSON.stringify(text.slice(0, 100))}`);
  found[field.name] = text;
}

/** The first argument when it is a string; undefined otherwise. */
export function firstString(message: DbusMessage): string | undefined {
  if (!message.signature.startsWith('s')) return undefined;
  return new Cursor(message.bytes, message.little, message.bodyAt, message.bytes.length).string();
}

/** Cuts a stream into messages; what is not complete waits. */
export class MessageReader {
  readonly #longest: number;
  #parts: Buffer[] = [];
  #length = 0;
  /** Bytes of the message that has begun; 0: its first 16 have not arrived. */
  #wanted = 0;

  /** `longest`: bytes of a message at most. */
  constructor(longest: number) {
    this.#longest = longest;
  }
  /** The messages, whole, that `chunk` completes. FormatError where the stream cannot be followed any more. */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= Math.max(this.#wanted, fixedPart)) {
      const bytes = this.#joined();
      if (this.#wanted === 0) {
        this.#wanted = messageLength(bytes, this.#longest);
        continue;
      }
      const rest = bytes.subarray(this.#wanted);
      const message = bytes.subarray(0, this.#wanted);
      this.#parts = rest.length > 0 ? [rest] : [];
      this.#length = rest.length;
      this.#wanted = 0;
      yield message;
    }
  }
  /** Bytes that wait for the rest of their message. */
  get waiting(): number {
    return this.#length;
  }
  #joined(): Buffer {
    const all = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#length);
    this.#parts = [all];
    return all;
  }
}
