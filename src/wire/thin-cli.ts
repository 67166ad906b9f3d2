/**
 * The thin CLI protocol: what `xe` and the host say to each other after `POST /cli`. The host runs the command; the
 * client prints, asks and moves files when told to.
 *
 * Greeting, both ways, host first: the magic text, u32 major, u32 minor. After it messages: u32 length of the payload, then the
 * payload. Integers are u32 little endian; a string is its length in bytes and the bytes (UTF-8); a list its count and items.
 * A payload starts with 9 (command, from the host), 10 (response, from the client) or 11 (blob header, either way); the bytes of
 * a blob's chunk follow its header outside of the framing.
 */

export const magic = 'XenSource thin CLI protocol';
export const protocolMajor = 0;
export const protocolMinor = 2;
/** Bytes of a greeting. */
export const greetingLength = magic.length + 8;
/** A payload longer than this is refused by clients: no host sends one. */
export const maxPayload = 64 * 1024 * 1024;

/** What the host asks of the client. */
export type Command =
  | { readonly do: 'print'; readonly text: string }
  | { readonly do: 'printStderr'; readonly text: string }
  | { readonly do: 'debug'; readonly text: string }
  | { readonly do: 'load'; readonly file: string }
  | { readonly do: 'prompt' }
  | { readonly do: 'exit'; readonly code: number }
  | { readonly do: 'httpGet'; readonly file: string; readonly url: string }
  | { readonly do: 'httpPut'; readonly file: string; readonly url: string }
  | { readonly do: 'httpConnect'; readonly url: string }
  | { readonly do: 'error'; readonly code: string; readonly params: readonly string[] };

/** `wait` keeps the connection alive during a long transfer; `ok` or `failed` follows. */
export type Response = 'ok' | 'failed' | 'wait';

export type Message =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'response'; readonly response: Response }
  /** `length` raw bytes follow. */
  | { readonly kind: 'chunk'; readonly length: number }
  | { readonly kind: 'end' };

const payloadKind = { command: 9, response: 10, blob: 11 } as const;
const commandTag = {
  print: 0,
  load: 1,
  prompt: 3,
  exit: 4,
  httpGet: 12,
  httpPut: 13,
  error: 14,
  debug: 15,
  printStderr: 16,
  httpConnect: 17,
} as const;
const responseTag = { ok: 5, failed: 6, wait: 18 } as const;
const blobTag = { chunk: 7, end: 8 } as const;

/** What came over the socket is not the protocol. */
export class ThinCliError extends Error {
  override readonly name = 'ThinCliError';
}

// ---- writing ------------------------------------------------------------

/** One message in one buffer: its length, then integers and strings in their order. */
function framed(...parts: readonly (number | string)[]): Buffer {
  let size = 4;
  for (const part of parts) size += typeof part === 'number' ? 4 : 4 + Buffer.byteLength(part);
  const out = Buffer.allocUnsafe(size);
  let at = out.writeUInt32LE(size - 4);
  for (const part of parts) {
    if (typeof part === 'number') at = out.writeUInt32LE(part >>> 0, at);
    else {
      const length = out.write(part, at + 4, 'utf8');
      out.writeUInt32LE(length, at);
      at += 4 + length;
    }
  }
  return out;
}

export function encodeGreeting(): Buffer {
  const out = Buffer.allocUnsafe(greetingLength);
  out.write(magic, 'latin1');
  out.writeUInt32LE(protocolMajor, magic.length);
  out.writeUInt32LE(protocolMinor, magic.length + 4);
  return out;
}

function commandArguments(c: Command): readonly (number | string)[] {
  switch (c.do) {
    case 'print':
    case 'printStderr':
    case 'debug':
      return [c.text];
    case 'load':
      return [c.file];
    case 'prompt':
      return [];
    case 'exit':
      return [c.code];
    case 'httpGet':
    case 'httpPut':
      return [c.file, c.url];
    case 'httpConnect':
      return [c.url];
    case 'error':
      return [c.code, c.params.length, ...c.params];
  }
}

export const encodeCommand = (c: Command): Buffer =>
  framed(payloadKind.command, commandTag[c.do], ...commandArguments(c));
export const encodeResponse = (r: Response): Buffer => framed(payloadKind.response, responseTag[r]);
/** The header that goes before `length` raw bytes. */
export const encodeChunkHeader = (length: number): Buffer => framed(payloadKind.blob, blobTag.chunk, length);
export const encodeEnd = (): Buffer => framed(payloadKind.blob, blobTag.end);

export function encodeMessage(m: Message): Buffer {
  switch (m.kind) {
    case 'command':
      return encodeCommand(m.command);
    case 'response':
      return encodeResponse(m.response);
    case 'chunk':
      return encodeChunkHeader(m.length);
    case 'end':
      return encodeEnd();
  }
}

// ---- reading ------------------------------------------------------------

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  int(): number {
    if (this.#at + 4 > this.#bytes.length) throw new ThinCliError('message ends inside an integer');
    const n = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return n;
  }
  text(): string {
    const length = this.int();
    if (length > this.#bytes.length - this.#at)
      throw new ThinCliError(`message ends inside a string of ${length} bytes`);
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }
  texts(): string[] {
    const count = this.int();
    // each item takes at least its length word
    if (count * 4 > this.#bytes.length - this.#at)
      throw new ThinCliError(`message ends inside a list of ${count} items`);
    return Array.from({ length: count }, () => this.text());
  }
  finish(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new ThinCliError(`${left} bytes too many in a message`);
  }
}

const nameOf = <N extends string>(tags: Readonly<Record<N, number>>, tag: number, what: string): N => {
  for (const name in tags) if (tags[name] === tag) return name;
  throw new ThinCliError(`unknown ${what} ${tag}`);
};

function readCommand(c: Cursor): Command {
  const name = nameOf(commandTag, c.int(), 'command');
  switch (name) {
    case 'print':
    case 'printStderr':
    case 'debug':
      return { do: name, text: c.text() };
    case 'load':
      return { do: name, file: c.text() };
    case 'prompt':
      return { do: name };
    case 'exit':
      return { do: name, code: c.int() | 0 };
    case 'httpGet':
    case 'httpPut':
      return { do: name, file: c.text(), url: c.text() };
    case 'httpConnect':
      return { do: name, url: c.text() };
    case 'error':
      return { do: name, code: c.text(), params: c.texts() };
  }
}

/** One message from its payload (without the length word). Throws `ThinCliError`. */
export function decodePayload(payload: Buffer): Message {
  const c = new Cursor(payload);
  const m = readMessage(c);
  c.finish();
  return m;
}

function readMessage(c: Cursor): Message {
  const kind = nameOf(payloadKind, c.int(), 'kind of message');
  if (kind === 'command') return { kind, command: readCommand(c) };
  if (kind === 'response') return { kind, response: nameOf(responseTag, c.int(), 'response') };
  const blob = nameOf(blobTag, c.int(), 'part of a blob');
  return blob === 'chunk' ? { kind: 'chunk', length: c.int() } : { kind: 'end' };
}

/** The versions in a greeting. Throws `ThinCliError` when it is none or its major is not ours. */
export function decodeGreeting(bytes: Buffer): { readonly major: number; readonly minor: number } {
  const said = bytes.toString('latin1', 0, magic.length);
  if (said !== magic || bytes.length !== greetingLength)
    throw new ThinCliError(`the other side does not speak the thin CLI protocol: it said ${JSON.stringify(said)}`);
  const major = bytes.readUInt32LE(magic.length);
  const minor = bytes.readUInt32LE(magic.length + 4);
  if (major !== protocolMajor)
    throw new ThinCliError(
      `the other side speaks version ${major}.${minor} of the thin CLI protocol, this is ${protocolMajor}.x`,
    );
  return { major, minor };
}

/**
 * Pulls greeting, messages and raw bytes out of a stream of buffers, in any cut. `undefined` from `message` and `bytes`
 * means that the stream has ended between messages; an end inside one throws.
 */
export class ThinCliReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #limit: number;
  #held: Buffer = Buffer.alloc(0);

  /** `limit`: bytes of the longest message that is taken; blobs are not messages. */
  constructor(source: AsyncIterable<Buffer>, limit = maxPayload) {
    this.#source = source[Symbol.asyncIterator]();
    this.#limit = limit;
  }
  async greeting(): Promise<{ readonly major: number; readonly minor: number }> {
    const word = await this.#take(magic.length);
    if (!word) throw new ThinCliError('the connection was closed before the greeting');
    // the versions are only waited for when the word is right: what answers in another protocol may say no more
    const versions = word.toString('latin1') === magic ? await this.#take(greetingLength - magic.length) : undefined;
    return decodeGreeting(versions ? Buffer.concat([word, versions]) : word);
  }
  async message(): Promise<Message | undefined> {
    const head = await this.#take(4);
    if (!head) return undefined;
    const length = head.readUInt32LE();
    if (length > this.#limit) throw new ThinCliError(`a message of ${length} bytes is longer than ${this.#limit}`);
    const payload = await this.#take(length);
    if (!payload) throw new ThinCliError('the connection was closed inside a message');
    return decodePayload(payload);
  }
  /** Exactly `length` raw bytes, in pieces as they come. */
  async *bytes(length: number): AsyncGenerator<Buffer> {
    let left = length;
    while (left > 0) {
      if (this.#held.length === 0 && !(await this.#more()))
        throw new ThinCliError('the connection was closed inside a blob');
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
  /** Whether the next message has been received in full, so that `message` does not wait. */
  get ready(): boolean {
    return this.#held.length >= 4 && this.#held.length >= 4 + this.#held.readUInt32LE();
  }
  async #take(length: number): Promise<Buffer | undefined> {
    const parts = [this.#held];
    let have = this.#held.length;
    while (have < length) {
      const next = await this.#source.next();
      if (next.done) {
        if (have > 0) throw new ThinCliError(`the connection was closed after ${have} of ${length} bytes`);
        return undefined;
      }
      parts.push(next.value);
      have += next.value.length;
    }
    const all = parts.length === 1 ? this.#held : Buffer.concat(parts, have);
    this.#held = all.subarray(length);
    return all.subarray(0, length);
  }
  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#held = next.value;
    return true;
  }
}
