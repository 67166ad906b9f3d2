/** D-Bus messages that a proxy makes itself: answers, refusals, and messages with another header. Little-endian. */
import { type DbusMessage, flag, headerFields, type MessageKind, messageTypes } from './message.ts';

/** A value of one of the few types that such messages have. */
export type Argument =
  | { readonly s: string }
  | { readonly u: number }
  | { readonly b: boolean }
  | { readonly i: number };
export interface Outgoing {
  readonly kind: MessageKind;
  readonly flags?: number;
  readonly serial: number;
  readonly path?: string | undefined;
  readonly interface?: string | undefined;
  readonly member?: string | undefined;
  readonly errorName?: string | undefined;
  readonly replySerial?: number | undefined;
  readonly destination?: string | undefined;
  readonly sender?: string | undefined;
  readonly body?: readonly Argument[];
}

const pad = (length: number, alignment: number) => Buffer.alloc(-length & (alignment - 1));
function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u32(bytes.length), bytes, Buffer.alloc(1)]);
}
function signature(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1'), Buffer.alloc(1)]);
}
function argument(value: Argument): Buffer {
  if ('s' in value) return text(value.s);
  if ('u' in value) return u32(value.u);
  return 'b' in value ? u32(value.b ? 1 : 0) : u32(value.i);
}
/** Values one after the other, each at a multiple of its alignment: all these types have 4. */
function encodeBody(values: readonly Argument[]): Buffer {
  let body = Buffer.alloc(0);
  for (const value of values) body = Buffer.concat([body, pad(body.length, 4), argument(value)]);
  return body;
}

/** The bytes of a message. */
export function encodeMessage(message: Outgoing): Buffer {
  const { body: values = [], ...named } = message;
  const body = encodeBody(values);
  const types = values.map((value) => Object.keys(value)[0]).join('');
  const texts: Readonly<Record<string, string | number | undefined>> = { ...named, signature: types || undefined };
  let fields = Buffer.alloc(0);
  for (const [number, field] of headerFields.entries()) {
    const value = field && texts[field.name];
    if (!field || value === undefined) continue;
    // The head has four bytes, so a value after it is aligned.
    const head = Buffer.concat([Buffer.from([number]), signature(field.code)]);
    const coded = field.code === 'g' ? signature(String(value)) : typeof value === 'number' ? u32(value) : text(value);
    fields = Buffer.concat([fields, pad(fields.length, 8), head, coded]);
  }
  const type = messageTypes.indexOf(message.kind) + 1;
  const begin = Buffer.from([0x6c, type, message.flags ?? 0, 1]);
  const head = Buffer.concat([begin, u32(body.length), u32(message.serial), u32(fields.length), fields]);
  return Buffer.concat([head, pad(head.length, 8), body]);
}

/** A number for messages that nobody answers. */
export const unansweredSerial = 0xffffffff;

/** An error that answers `call`, to whoever sent it; as from the bus itself. */
export function errorReply(call: DbusMessage, errorName: string, why: string, destination = call.sender): Buffer {
  return encodeMessage({
    kind: 'error',
    flags: flag.noReplyExpected,
    serial: unansweredSerial,
    errorName,
    replySerial: call.serial,
    sender: 'org.freedesktop.DBus',
    destination,
    body: [{ s: why }],
  });
}
