/** Streams of simulated guests over unix sockets, so that they move between processes, and between hosts as real guests do. */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Wire, Wires } from './moves.ts';
import type { SimTransfer } from './world.ts';

/** A guest is a few hundred bytes. */
const longest = 1 << 20;

async function read(socket: Socket): Promise<SimTransfer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > longest) throw new Error('it is too long');
    parts.push(part);
  }
  const guest = JSON.parse(Buffer.concat(parts).toString('utf8')) as Partial<SimTransfer>;
  const whole = typeof guest.vm === 'string' && Number.isFinite(guest.memoryTarget) && Number.isFinite(guest.vcpus);
  if (!whole || !Number.isFinite(guest.startedAt) || !Array.isArray(guest.vbds))
    throw new Error('something is missing');
  return guest as SimTransfer;
}

/** Streams in the folder; without one, of this process alone. */
export const wiresIn = (dir: string | undefined): Wires => (dir === undefined ? new Map() : new SocketWires(dir));

class SocketWires implements Wires {
  readonly #dir: string;
  readonly #open = new Map<string, { readonly server: Server; readonly wire: Wire }>();

  constructor(dir: string) {
    this.#dir = dir;
  }
  address(id: string): string {
    return join(this.#dir, `in-${id.slice(-12)}`);
  }
  async set(address: string, wire: Wire): Promise<void> {
    const server = createServer((socket) => {
      server.close();
      socket.on('error', () => socket.destroy());
      read(socket).then(wire.sent, (error: unknown) => {
        wire.cut(xenopsErrors.make('Io_error', { reason: `the guest did not come in whole: ${String(error)}` }));
      });
    });
    await rm(address, { force: true });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(address, resolve));
    this.#open.set(address, { server, wire });
  }
  /** The end of a stream: of this process, or whatever listens at the address. */
  get(address: string): Wire | undefined {
    const own = this.#open.get(address);
    if (!own) return { sent: (guest) => send(address, guest), cut: () => undefined, guest: nobody };
    const sent: Wire['sent'] = (guest) => {
      own.server.close();
      return own.wire.sent(guest);
    };
    return { ...own.wire, sent };
  }
  delete(address: string): void {
    this.#open.get(address)?.server.close();
    this.#open.delete(address);
  }
}
const nobody = new Promise<never>(() => undefined);

async function send(address: string, guest: SimTransfer): Promise<void> {
  const socket = connect(address);
  await once(socket, 'connect');
  await pipeline([JSON.stringify(guest)], socket);
}
