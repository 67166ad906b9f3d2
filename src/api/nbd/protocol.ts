/** The handshake of NBD as a server speaks it (fixed newstyle); names and numbers as in its specification. */
import type { Duplex } from 'node:stream';
import { handshakeFlags, magic } from '../../wire/nbd.ts';

export const option = {
  ...{ exportName: 1, abort: 2, list: 3, startTls: 5, info: 6, go: 7, structuredReply: 8, listMeta: 9, setMeta: 10 },
} as const;
export const reply = {
  ack: 1,
  unsupported: 2 ** 31 + 1,
  invalid: 2 ** 31 + 3,
  tlsRequired: 2 ** 31 + 5,
  unknown: 2 ** 31 + 6,
} as const;
export const firstError = 2 ** 31;
/** Bytes of an option's data that are read. */
const largest = 64 << 10;

export function greeting(): Buffer {
  const b = Buffer.alloc(18);
  b.writeBigUInt64BE(magic.init, 0);
  b.writeBigUInt64BE(magic.option, 8);
  b.writeUInt16BE(handshakeFlags, 16);
  return b;
}
export function replyTo(id: number, type: number, data = Buffer.alloc(0)): Buffer {
  const b = Buffer.alloc(20);
  b.writeBigUInt64BE(magic.optionReply, 0);
  b.writeUInt32BE(id, 8);
  b.writeUInt32BE(type, 12);
  b.writeUInt32BE(data.length, 16);
  return Buffer.concat([b, data]);
}
export interface Asked {
  readonly id: number;
  readonly data: Buffer;
}
/** The next option of a client. */
export async function readOption(from: Taker): Promise<Asked> {
  const head = await from.take(16);
  if (head.readBigUInt64BE(0) !== magic.option) throw new Error('the client speaks no NBD');
  const length = head.readUInt32BE(12);
  if (length > largest) throw new Error(`an option has ${length} bytes`);
  return { id: head.readUInt32BE(8), data: await from.take(length) };
}
/** The next reply of a server: its type, and the whole of it. */
export async function readReply(from: Taker): Promise<{ readonly type: number; readonly whole: Buffer }> {
  const head = await from.take(20);
  const length = head.readUInt32BE(16);
  if (head.readBigUInt64BE(0) !== magic.optionReply || length > 1 << 20) throw new Error('the server speaks no NBD');
  return { type: head.readUInt32BE(12), whole: Buffer.concat([head, await from.take(length)]) };
}
/** The name of an export in an option's data, and the data with an empty name in its place. */
export function renamed(data: Buffer): { readonly name: string; readonly data: Buffer } | undefined {
  if (data.length < 4) return undefined;
  const length = data.readUInt32BE(0);
  if (length > 4096 || 4 + length > data.length) return undefined;
  const rest = data.subarray(4 + length);
  return { name: data.toString('utf8', 4, 4 + length), data: Buffer.concat([Buffer.alloc(4), rest]) };
}
const events = ['readable', 'end', 'close'] as const;
/** Takes exact numbers of bytes, and leaves what comes after them to whoever reads on when it has let go. */
export class Taker {
  readonly stream: Duplex;
  #wake: () => void = () => undefined;
  readonly #onEvent = () => this.#wake();
  constructor(stream: Duplex) {
    this.stream = stream;
    for (const event of events) stream.on(event, this.#onEvent);
  }
  async take(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      const data = this.stream.read(length) as Buffer | null;
      if (data?.length === length) return data;
      if (data || this.stream.readableEnded || this.stream.destroyed) throw new Error('the connection was closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
  letGo(): void {
    for (const event of events) this.stream.off(event, this.#onEvent);
  }
}
