/** The host's end of a thin CLI connection: prints, asks and has files moved, at the client's machine. */
import type { Duplex } from 'node:stream';
import {
  type Command,
  encodeChunkHeader,
  encodeCommand,
  encodeEnd,
  encodeGreeting,
  type Response,
  ThinCliError,
  ThinCliReader,
} from '../../wire/thin-cli.ts';

/** Output is gathered up to this many bytes before it is sent. */
const batch = 64 * 1024;
/** Clients send responses and headers of blobs only; all of them are a few bytes long. */
const maxMessage = 1024;

export class Screen {
  readonly #socket: Duplex;
  readonly #reader: ThinCliReader;
  #out: Buffer[] = [];
  #size = 0;
  #sent: Promise<void> = Promise.resolve();

  /** `head`: bytes that came after the request's body. */
  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#reader = new ThinCliReader(chunks(socket, head), maxMessage);
  }
  /** Says hello and hears the client's. */
  async greet(): Promise<void> {
    this.#socket.write(encodeGreeting());
    await this.#reader.greeting();
  }
  /** A line; the client adds the newline. */
  print(text: string): void {
    this.#put({ do: 'print', text });
  }
  /** Text for stderr, as it is. */
  printError(text: string): void {
    this.#put({ do: 'printStderr', text });
  }
  /** Progress: sent at once. */
  async tell(text: string): Promise<void> {
    this.printError(text);
    await this.flush();
  }
  error(code: string, params: readonly string[]): void {
    this.#put({ do: 'error', code, params });
  }
  debug(text: string): void {
    this.#put({ do: 'debug', text });
  }
  /** The last message: the client ends with this status. */
  async exit(code: number): Promise<void> {
    this.#put({ do: 'exit', code });
    await this.flush();
  }
  /** The content of a file at the client; `undefined` when it cannot be read there. */
  async load(file: string, limit: number): Promise<Buffer | undefined> {
    await this.#ask({ do: 'load', file });
    if ((await this.#answer()) === 'failed') return undefined;
    return this.#blob(limit);
  }
  /** A line that the user types. */
  async prompt(): Promise<string> {
    await this.#ask({ do: 'prompt' });
    return (await this.#blob(64 * 1024)).toString('utf8').replace(/\r?\n$/, '');
  }
  /** Has the client transfer a file or connect its terminal; whether that went well. */
  async transfer(command: Extract<Command, { readonly do: 'httpGet' | 'httpPut' | 'httpConnect' }>): Promise<boolean> {
    await this.#ask(command);
    return (await this.#answer()) === 'ok';
  }
  async flush(): Promise<void> {
    this.#send();
    await this.#sent;
  }

  #put(command: Command): void {
    const bytes = encodeCommand(command);
    this.#out.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= batch) this.#send();
  }
  #send(): void {
    if (this.#size === 0) return;
    const bytes = Buffer.concat(this.#out, this.#size);
    this.#out = [];
    this.#size = 0;
    this.#sent = new Promise((resolve, reject) => this.#socket.write(bytes, (e) => (e ? reject(e) : resolve())));
    // a client that has gone is met where the next answer is awaited
    this.#sent.catch(() => undefined);
  }
  async #ask(command: Command): Promise<void> {
    this.#put(command);
    await this.flush();
  }
  async #answer(): Promise<Exclude<Response, 'wait'>> {
    for (;;) {
      const m = await this.#reader.message();
      if (m?.kind !== 'response')
        throw new ThinCliError(m ? `a ${m.kind} where a response was due` : 'the client has gone');
      if (m.response !== 'wait') return m.response;
    }
  }
  async #blob(limit: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let size = 0;
    for (;;) {
      const m = await this.#reader.message();
      if (m?.kind === 'end') return Buffer.concat(parts, size);
      if (m?.kind !== 'chunk') throw new ThinCliError(m ? `a ${m.kind} inside a blob` : 'the client has gone');
      size += m.length;
      if (size > limit) throw new ThinCliError(`the file is longer than ${limit} bytes`);
      for await (const piece of this.#reader.bytes(m.length)) parts.push(piece);
    }
  }
}

async function* chunks(socket: Duplex, head: Buffer): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for await (const chunk of socket) yield chunk as Buffer;
}

/** A blob in one piece, for the client's side and for tests. */
export const encodeBlob = (bytes: Buffer): Buffer =>
  Buffer.concat([...(bytes.length > 0 ? [encodeChunkHeader(bytes.length), bytes] : []), encodeEnd()]);
