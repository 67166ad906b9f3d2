/**
 * A client of one NBD export on a unix socket. Requests are pipelined: call without waiting, the caller bounds how many.
 *
 *     connecting ──greeting, options──▶ ready ──disconnect──▶ closed
 *                                         └──server gone, nonsense──▶ broken: every request, also later ones, fails
 */
import { connect, type Socket } from 'node:net';
import * as wire from '../wire/nbd.ts';
import { ByteReader } from './byte-reader.ts';

/** The server refused a request: `errno` as on Linux (28: no space left). */
export class NbdError extends Error {
  override readonly name = 'NbdError';
  readonly errno: number;
  constructor(errno: number, what: string) {
    super(`${what} failed with error ${errno}`);
    this.errno = errno;
  }
}
export interface Extent {
  readonly length: number;
  /** It reads as zeroes. */
  readonly zero: boolean;
}
interface Pending {
  readonly what: string;
  readonly data: Buffer | null;
  readonly offset: number;
  extents: Extent[];
  error: Error | undefined;
  resolve(): void;
  reject(error: Error): void;
}

export class NbdClient {
  readonly #socket: Socket;
  readonly #reader: ByteReader;
  readonly #pending = new Map<bigint, Pending>();
  #cookie = 0n;
  #broken: Error | undefined;
  #size = 0;
  #statusContext: number | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new ByteReader(socket);
  }
  /** Connects and agrees on the default export. */
  static async connect(path: string): Promise<NbdClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    const client = new NbdClient(socket);
    try {
      await client.#greet();
    } catch (error) {
      socket.destroy();
      throw error;
    }
    void client.#receive();
    return client;
  }
  /** Bytes of the export. */
  get size(): number {
    return this.#size;
  }
  async read(offset: number, length: number): Promise<Buffer> {
    const data = Buffer.alloc(length);
    await this.#request(wire.command.read, offset, length, { what: 'read', data });
    return data;
  }
  /** `data` must stay as it is until the answer. */
  async write(offset: number, data: Buffer): Promise<void> {
    await this.#request(wire.command.write, offset, data.length, { what: 'write', payload: data });
  }
  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.#request(wire.command.writeZeroes, offset, length, { what: 'write of zeroes' });
  }
  /** Everything that was answered before is on the medium. */
  async flush(): Promise<void> {
    await this.#request(wire.command.flush, 0, 0, { what: 'flush' });
  }
  /** What is known from `offset` on; it may cover less than `length`, and is one extent of data when the server cannot say. */
  async blockStatus(offset: number, length: number): Promise<readonly Extent[]> {
    if (this.#statusContext === undefined) return [{ length, zero: false }];
    const { extents } = await this.#request(wire.command.blockStatus, offset, length, { what: 'block status' });
    return extents.length > 0 ? extents : [{ length, zero: false }];
  }
  /** Says goodbye; answers when the connection is closed. */
  async disconnect(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.end(wire.request(wire.command.disconnect, 0n, 0, 0));
    await closed;
  }
  destroy(): void {
    this.#socket.destroy();
  }

  #request(
    type: number,
    offset: number,
    length: number,
    { what, data = null, payload }: { what: string; data?: Buffer | null; payload?: Buffer },
  ): Promise<Pending> {
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      const cookie = ++this.#cookie;
      const pending: Pending = {
        what,
        data,
        offset,
        extents: [],
        error: undefined,
        resolve: () => resolve(pending),
        reject,
      };
      this.#pending.set(cookie, pending);
      this.#socket.cork();
      this.#socket.write(wire.request(type, cookie, offset, length));
      if (payload) this.#socket.write(payload);
      this.#socket.uncork();
    });
  }
  async #greet(): Promise<void> {
    const hello = await this.#reader.take(18);
    if (hello.readBigUInt64BE(0) !== wire.magic.init || hello.readBigUInt64BE(8) !== wire.magic.option)
      throw new Error('the other side speaks no NBD');
    if ((hello.readUInt16BE(16) & wire.handshakeFlags) !== wire.handshakeFlags)
      throw new Error('the NBD server is too old');
    const flags = Buffer.alloc(4);
    flags.writeUInt32BE(wire.handshakeFlags);
    this.#socket.write(flags);
    if (await this.#option(wire.option.structuredReply, Buffer.alloc(0), () => undefined))
      await this.#option(wire.option.setMetaContext, wire.metaContextData(wire.baseAllocation), (type, data) => {
        if (type === wire.optionReply.metaContext) this.#statusContext = data.readUInt32BE(0);
      });
    const went = await this.#option(wire.option.go, wire.goData(), (type, data) => {
      if (type === wire.optionReply.info && data.readUInt16BE(0) === wire.infoExport)
        this.#size = Number(data.readBigUInt64BE(2));
    });
    if (!went) throw new Error('the NBD server refused the export');
  }
  /** Answers false when the server refuses the option. */
  async #option(id: number, data: Buffer, onReply: (type: number, data: Buffer) => void): Promise<boolean> {
    this.#socket.write(wire.optionRequest(id, data));
    for (;;) {
      const head = await this.#reader.take(20);
      if (head.readBigUInt64BE(0) !== wire.magic.optionReply) throw new Error('the NBD server answers nonsense');
      const type = head.readUInt32BE(12);
      const length = head.readUInt32BE(16);
      if (length > 1 << 20) throw new Error('the NBD server answers nonsense');
      const body = await this.#reader.take(length);
      if (type === wire.optionReply.ack) return true;
      if (type >= wire.optionReply.firstError) return false;
      onReply(type, body);
    }
  }
  async #receive(): Promise<void> {
    try {
      for (;;) await this.#reply();
    } catch (error) {
      this.#broken = error instanceof Error ? error : new Error(String(error));
      this.#socket.destroy();
      for (const pending of this.#pending.values()) pending.reject(this.#broken);
      this.#pending.clear();
    }
  }
  async #reply(): Promise<void> {
    const start = await this.#reader.take(16);
    const found = start.readUInt32BE(0);
    const cookie = start.readBigUInt64BE(8);
    const pending = this.#pending.get(cookie);
    if (!pending) throw new Error('the NBD server answers what was not asked');
    if (found === wire.simpleReplyMagic) {
      const errno = start.readUInt32BE(4);
      if (errno !== 0) pending.error = new NbdError(errno, pending.what);
      else if (pending.data) (await this.#reader.take(pending.data.length)).copy(pending.data);
      return this.#settle(cookie, pending);
    }
    if (found !== wire.structuredReplyMagic) throw new Error('the NBD server answers nonsense');
    const flags = start.readUInt16BE(4);
    const type = start.readUInt16BE(6);
    const length = (await this.#reader.take(4)).readUInt32BE(0);
    await this.#chunk(pending, type, length);
    if (flags & wire.doneFlag) this.#settle(cookie, pending);
  }
  async #chunk(pending: Pending, type: number, length: number): Promise<void> {
    if (type === wire.chunk.offsetData && pending.data) {
      const at = Number((await this.#reader.take(8)).readBigUInt64BE(0)) - pending.offset;
      if (at < 0 || at + length - 8 > pending.data.length) throw new Error('the NBD server sends too much');
      (await this.#reader.take(length - 8)).copy(pending.data, at);
      return;
    }
    if (length > 1 << 20) throw new Error('the NBD server answers nonsense');
    const body = await this.#reader.take(length);
    if (type >= wire.chunk.firstError) pending.error = new NbdError(body.readUInt32BE(0), pending.what);
    else if (type === wire.chunk.blockStatus && body.readUInt32BE(0) === this.#statusContext)
      for (let i = 4; i + 8 <= body.length; i += 8)
        pending.extents.push({ length: body.readUInt32BE(i), zero: (body.readUInt32BE(i + 4) & wire.zeroFlag) !== 0 });
  }
  #settle(cookie: bigint, pending: Pending): void {
    this.#pending.delete(cookie);
    if (pending.error) pending.reject(pending.error);
    else pending.resolve();
  }
}
