/**
 * A store's client: the contract's calls as packets over any pipe, and a pipe over a unix socket. It works with every xenstored, ours or
 * another, and is what in-process users get too (`open-store.ts`), over a pipe without a socket.
 *
 *     connecting ──▶ open ──pipe ends──▶ gone                     requests and watches fail with Store_gone
 *                     ▲                   │
 *                     └──── reconnect ────┘  (only with `reconnect`; watches are set again and fire once)
 */
import { connect } from 'node:net';
import { isKind } from '../contracts/contract.ts';
import type { Store, StoreOperations, StorePermission } from '../contracts/xenstore.ts';
import { storeErrors } from '../contracts/xenstore.ts';
import { encodePacket, latin1, op, type Packet, PacketReader, payloadMax, strings } from '../wire/xenstore.ts';

/** Where a client's bytes go. */
export interface Pipe {
  write(bytes: Buffer): void;
  /** Ends it; `ended` of the client is called, at once or later. */
  end(): void;
}
/** What a pipe tells its client. */
export interface PipeUser {
  received(bytes: Buffer): void;
  ended(reason: string): void;
}
export type OpenPipe = (user: PipeUser) => Promise<Pipe>;

export interface ClientOptions {
  /** Shown in errors. */
  readonly address: string;
  /** Opens a new pipe when one ended, for as long as this many milliseconds; 0 (the default) never. */
  readonly reconnectMs?: number;
  /** Called when the store is gone for good without `close`. */
  readonly gone?: (reason: string) => void;
}

interface Waiting {
  readonly type: number;
  readonly path: string;
  resolve(payload: Buffer): void;
  reject(error: Error): void;
}
interface Watching {
  readonly path: string;
  readonly depth: number | undefined;
  readonly changed: (path: string) => void;
}

/** oxenstored's replies on a socket may be longer than the protocol allows. */
const replyMax = 1 << 20;
const operationNames = new Map<number, string>(Object.entries(op).map(([name, number]) => [number, name]));
const ok = (): void => undefined;

/** A store on the unix socket `path` (`/run/xenstored/socket` on a Xen host). Throws `Store_gone` when nobody answers there. */
export function connectStore(path: string, options: Omit<ClientOptions, 'address'> = {}): Promise<StoreClient> {
  return openClient(socketPipe(path), { ...options, address: path });
}

/** A client over pipes that `open` makes. */
export async function openClient(open: OpenPipe, options: ClientOptions): Promise<StoreClient> {
  const client = new StoreClient(open, options);
  await client.open();
  return client;
}

export class StoreClient implements Store {
  readonly #open: OpenPipe;
  readonly #options: ClientOptions;
  #pipe: Pipe | undefined;
  #opening: Promise<void> | undefined;
  #reader = new PacketReader(replyMax);
  #nextRequest = 1;
  #nextToken = 1;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watching = new Map<string, Watching>();
  #over: string | undefined;
  readonly #outside: StoreOperations;

  constructor(open: OpenPipe, options: ClientOptions) {
    this.#open = open;
    this.#options = options;
    this.#outside = new Operations(this, 0);
  }
  /** For `openClient`. */
  async open(): Promise<void> {
    try {
      this.#pipe = await this.#open({
        received: (bytes) => this.#received(bytes),
        ended: (reason) => this.#ended(reason),
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw storeErrors.make('Store_gone', { address: this.#options.address, reason }, { cause: error });
    }
  }

  read = (path: string): Promise<string> => this.#outside.read(path);
  find = (path: string): Promise<string | undefined> => this.#outside.find(path);
  readBytes = (path: string): Promise<Uint8Array> => this.#outside.readBytes(path);
  write = (path: string, value: string | Uint8Array): Promise<void> => this.#outside.write(path, value);
  mkdir = (path: string): Promise<void> => this.#outside.mkdir(path);
  rm = (path: string): Promise<void> => this.#outside.rm(path);
  directory = (path: string): Promise<string[]> => this.#outside.directory(path);
  permissions = (path: string): Promise<StorePermission[]> => this.#outside.permissions(path);
  setPermissions = (path: string, permissions: readonly StorePermission[]): Promise<void> =>
    this.#outside.setPermissions(path, permissions);

  async transaction<T>(work: (inside: StoreOperations) => Promise<T>): Promise<T> {
    for (;;) {
      const id = Number(latin1Of(await this.request(op.transactionStart, 0, '\0', '')));
      let result: T;
      try {
        result = await work(new Operations(this, id));
      } catch (error) {
        // The store may be gone, which is then what `work` threw.
        await this.request(op.transactionEnd, id, 'F\0', '').catch(ok);
        throw error;
      }
      try {
        await this.request(op.transactionEnd, id, 'T\0', '');
        return result;
      } catch (error) {
        if (!isStoreError(error, 'EAGAIN')) throw error;
      }
    }
  }
  async watch(
    path: string,
    changed: (path: string) => void,
    options: { readonly depth?: number } = {},
  ): Promise<() => Promise<void>> {
    const token = `t${this.#nextToken++}`;
    this.#watching.set(token, { path, depth: options.depth, changed });
    try {
      await this.#setWatch(token, path, options.depth);
    } catch (error) {
      this.#watching.delete(token);
      throw error;
    }
    return async () => {
      if (!this.#watching.delete(token) || this.#over !== undefined) return;
      await this.request(op.unwatch, 0, `${path}\0${token}\0`, path);
    };
  }
  introduce = (domid: number, gfn: bigint, port: number): Promise<void> =>
    this.request(op.introduce, 0, `${domid}\0${gfn}\0${port}\0`, String(domid)).then(ok);
  release = (domid: number): Promise<void> => this.request(op.release, 0, `${domid}\0`, String(domid)).then(ok);
  resume = (domid: number): Promise<void> => this.request(op.resume, 0, `${domid}\0`, String(domid)).then(ok);
  isIntroduced = async (domid: number): Promise<boolean> =>
    latin1Of(await this.request(op.isDomainIntroduced, 0, `${domid}\0`, String(domid))) === 'T';
  domainPath = async (domid: number): Promise<string> =>
    latin1Of(await this.request(op.getDomainPath, 0, `${domid}\0`, String(domid)));
  /** A CONTROL command with its arguments; the answer without its NUL. */
  control = async (command: string, ...args: string[]): Promise<string> =>
    latin1Of(await this.request(op.control, 0, [command, ...args].map((each) => `${each}\0`).join(''), command));
  async close(): Promise<void> {
    this.#fail('it was closed');
    this.#pipe?.end();
    this.#pipe = undefined;
  }

  /** Sends one request; answers the reply's payload. Throws Store_error with the name that the store answered. */
  async request(type: number, transaction: number, payload: string | Buffer, path: string): Promise<Buffer> {
    if (this.#opening !== undefined) await this.#opening;
    const pipe = this.#pipe;
    if (pipe === undefined || this.#over !== undefined) throw this.#goneError(this.#over ?? 'it is not open');
    if (payload.length > payloadMax) throw storeError('E2BIG', type, path);
    const id = this.#nextRequest;
    this.#nextRequest = id >= 0xffffffff ? 1 : id + 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { type, path, resolve, reject });
      pipe.write(encodePacket(type, id, transaction, payload));
    });
  }

  async #setWatch(token: string, path: string, depth: number | undefined): Promise<void> {
    const plain = `${path}\0${token}\0`;
    if (depth === undefined) {
      await this.request(op.watch, 0, plain, path);
      return;
    }
    try {
      await this.request(op.watch, 0, `${plain}${depth}\0`, path);
    } catch (error) {
      // Before 4.21 a depth is not known; what lies deeper is left out here.
      if (!isStoreError(error, 'EINVAL')) throw error;
      await this.request(op.watch, 0, plain, path);
    }
  }
  #received(bytes: Buffer): void {
    let packets: Packet[];
    try {
      packets = this.#reader.push(bytes);
    } catch (error) {
      this.#pipe?.end();
      this.#ended((error as Error).message);
      return;
    }
    for (const packet of packets) {
      if (packet.type === op.watchEvent) this.#event(packet);
      else this.#reply(packet);
    }
  }
  #reply(packet: Packet): void {
    const waiting = this.#waiting.get(packet.requestId);
    if (waiting === undefined) return;
    this.#waiting.delete(packet.requestId);
    if (packet.type === op.error) waiting.reject(storeError(latin1Of(packet.payload), waiting.type, waiting.path));
    else waiting.resolve(packet.payload);
  }
  #event(packet: Packet): void {
    const [path = '', token = ''] = strings(packet.payload);
    const watching = this.#watching.get(token);
    if (watching === undefined || tooDeep(watching, path)) return;
    watching.changed(path);
  }
  #ended(reason: string): void {
    if (this.#over !== undefined) return;
    this.#pipe = undefined;
    this.#reader = new PacketReader(replyMax);
    const lost = this.#goneError(reason);
    for (const waiting of this.#waiting.values()) waiting.reject(lost);
    this.#waiting.clear();
    if ((this.#options.reconnectMs ?? 0) > 0) this.#opening = this.#reconnect(reason);
    else this.#lose(reason);
  }
  async #reconnect(reason: string): Promise<void> {
    const until = Date.now() + (this.#options.reconnectMs ?? 0);
    for (let pause = 5; this.#over === undefined; pause = Math.min(pause * 2, 200)) {
      try {
        await this.open();
        break;
      } catch (error) {
        if (Date.now() > until) return this.#lose(`${reason}; ${(error as Error).message}`);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    this.#opening = undefined;
    const again = [...this.#watching].map(([token, { path, depth }]) => this.#setWatch(token, path, depth));
    // A connection that is lost again is seen by `#ended`, which sets the watches once more.
    await Promise.allSettled(again);
  }
  #lose(reason: string): void {
    this.#opening = undefined;
    this.#fail(reason);
    this.#options.gone?.(reason);
  }
  #fail(reason: string): void {
    this.#over ??= reason;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#goneError(this.#over));
    this.#waiting.clear();
    this.#watching.clear();
  }
  #goneError(reason: string): Error {
    return storeErrors.make('Store_gone', { address: this.#options.address, reason });
  }
}

/** The calls inside one transaction, or outside of all (0). */
class Operations implements StoreOperations {
  readonly #client: StoreClient;
  readonly #transaction: number;

  constructor(client: StoreClient, transaction: number) {
    this.#client = client;
    this.#transaction = transaction;
  }
  async read(path: string): Promise<string> {
    return (await this.#ask(op.read, path)).toString('utf8');
  }
  async find(path: string): Promise<string | undefined> {
    try {
      return await this.read(path);
    } catch (error) {
      if (isStoreError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
  readBytes(path: string): Promise<Uint8Array> {
    return this.#ask(op.read, path);
  }
  async write(path: string, value: string | Uint8Array): Promise<void> {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    checkPath(path, op.write);
    await this.#client.request(op.write, this.#transaction, Buffer.concat([Buffer.from(`${path}\0`), bytes]), path);
  }
  async mkdir(path: string): Promise<void> {
    await this.#ask(op.mkdir, path);
  }
  async rm(path: string): Promise<void> {
    await this.#ask(op.rm, path);
  }
  async directory(path: string): Promise<string[]> {
    try {
      return strings(await this.#ask(op.directory, path)).sort();
    } catch (error) {
      if (!isStoreError(error, 'E2BIG')) throw error;
      return this.#directoryInParts(path, error);
    }
  }
  async permissions(path: string): Promise<StorePermission[]> {
    return strings(await this.#ask(op.getPerms, path)).map((text) => ({
      domid: Number(text.slice(1)),
      access: text[0] as StorePermission['access'],
    }));
  }
  async setPermissions(path: string, permissions: readonly StorePermission[]): Promise<void> {
    await this.#ask(op.setPerms, path, permissions.map((each) => `${each.access}${each.domid}\0`).join(''));
  }
  async #directoryInParts(path: string, tooBig: unknown): Promise<string[]> {
    let names = '';
    let generation: string | undefined;
    for (;;) {
      const payload = await this.#ask(op.directoryPart, path, `${names.length}\0`).catch((error) => {
        throw isStoreError(error, 'ENOSYS') ? tooBig : error;
      });
      const text = latin1(payload, 0, payload.length);
      const end = text.indexOf('\0');
      if (generation !== undefined && text.slice(0, end) !== generation) {
        names = '';
        generation = undefined;
        continue;
      }
      generation = text.slice(0, end);
      const part = text.slice(end + 1);
      // An empty string is the mark of the end: two NULs in a row, or nothing else.
      if (part === '\0' || part.endsWith('\0\0')) return (names + part).split('\0').filter(Boolean).sort();
      names += part;
    }
  }
  async #ask(type: number, path: string, rest = ''): Promise<Buffer> {
    checkPath(path, type);
    return this.#client.request(type, this.#transaction, `${path}\0${rest}`, path);
  }
}

/** Whether `error` is the store's answer with this name. */
export const isStoreError = (error: unknown, code?: string): boolean =>
  isKind(error, 'Store_error') && (code === undefined || error.args['code'] === code);

const storeError = (code: string, type: number, path: string): Error =>
  storeErrors.make('Store_error', { code, operation: operationNames.get(type) ?? String(type), path });

/** A character that has no byte of its own would name another node. */
function checkPath(path: string, type: number): void {
  if (!/^[\x01-\x7f]*$/.test(path)) throw storeError('EINVAL', type, path);
}

/** A text payload without the NUL at its end. */
const latin1Of = (payload: Buffer): string => {
  const text = latin1(payload, 0, payload.length);
  return text.endsWith('\0') ? text.slice(0, -1) : text;
};

function tooDeep(watching: Watching, path: string): boolean {
  if (watching.depth === undefined || path.startsWith('@')) return false;
  const extra = path.slice(watching.path === '/' ? 0 : watching.path.length);
  return extra.split('/').length - 1 > watching.depth;
}

/** Pipes over the unix socket at `path`; requests of one turn of the event loop are sent together. */
export function socketPipe(path: string): OpenPipe {
  return (user) =>
    new Promise((resolve, reject) => {
      const socket = connect(path);
      let corked = false;
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        let reason = 'the other side closed it';
        socket.on('error', (error) => {
          reason = error.message;
        });
        socket.on('data', (bytes) => user.received(bytes as Buffer));
        socket.on('close', () => user.ended(reason));
        resolve({
          write(bytes) {
            if (!corked) {
              corked = true;
              socket.cork();
              process.nextTick(() => {
                corked = false;
                socket.uncork();
              });
            }
            socket.write(bytes);
          },
          end: () => socket.destroy(),
        });
      });
    });
}
