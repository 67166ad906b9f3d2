/**
 * The screen of simulated guests: one still picture over RFB, the same for all of them. Keys and pointer are taken and ignored.
 *
 *   connected ─▶ version ─▶ security (none) ─▶ shared ─▶ messages
 *        └──────────┴───────────┴── nonsense, or a message that is too long ─▶ closed
 */
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';

const [width, height] = [320, 200];
const title = Buffer.from('Simulated guest');
/** Bytes of a clipboard that a client may send. */
const longestText = 256 * 1024;

/** How a client wants its pixels. */
interface Pixels {
  readonly bytes: number;
  readonly bigEndian: boolean;
  readonly max: readonly [red: number, green: number, blue: number];
  readonly shift: readonly [red: number, green: number, blue: number];
}
const usual: Pixels = { bytes: 4, bigEndian: false, max: [255, 255, 255], shift: [16, 8, 0] };

export class Screen {
  readonly path: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** `path` of its unix socket. */
  constructor(path: string) {
    this.path = path;
  }
  async open(): Promise<void> {
    if (this.#server) return;
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o711 });
    // what an earlier process left behind
    rmSync(this.path, { force: true });
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      new Viewer(socket);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: this.path, backlog: 64 }, resolve);
    });
  }
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }
}

/** One message of the protocol: how many bytes it needs, given those that are there; then what it does. */
interface Step {
  needs(seen: Buffer): number;
  take(message: Buffer): Step | undefined;
}

class Viewer {
  readonly #socket: Socket;
  #seen: Buffer = Buffer.alloc(0);
  #pixels = usual;
  #step: Step | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#step = this.#version;
    // a client that goes away in the middle of a message is no event for the guest
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => this.#read(bytes));
    socket.write('RFB 003.008\n');
  }
  #read(bytes: Buffer): void {
    this.#seen = Buffer.concat([this.#seen, bytes]);
    while (this.#step) {
      const needed = this.#step.needs(this.#seen);
      if (needed > longestText) break;
      if (this.#seen.length < needed) return;
      const message = this.#seen.subarray(0, needed);
      this.#seen = this.#seen.subarray(needed);
      this.#step = this.#step.take(message);
    }
    this.#socket.destroy();
  }
  readonly #version: Step = {
    needs: () => 12,
    take: (m) => {
      const minor = /^RFB 003\.(\d{3})\n$/.exec(m.toString('latin1'))?.[1];
      if (minor === undefined) return undefined;
      if (Number(minor) < 7) {
        this.#socket.write(Buffer.from([0, 0, 0, 1]));
        return this.#shared;
      }
      this.#socket.write(Buffer.from([1, 1]));
      return this.#security(Number(minor) >= 8);
    },
  };
  #security(tellsResult: boolean): Step {
    return {
      needs: () => 1,
      take: (m) => {
        if (m[0] !== 1) return undefined;
        if (tellsResult) this.#socket.write(Buffer.alloc(4));
        return this.#shared;
      },
    };
  }
  readonly #shared: Step = {
    needs: () => 1,
    take: () => {
      const init = Buffer.alloc(24 + title.length);
      init.writeUInt16BE(width, 0);
      init.writeUInt16BE(height, 2);
      Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(init, 4);
      init.writeUInt32BE(title.length, 20);
      title.copy(init, 24);
      this.#socket.write(init);
      return this.#message;
    },
  };
  readonly #message: Step = {
    needs: (seen) => {
      const kind = seen[0];
      if (kind === 2) return seen.length < 4 ? 4 : 4 + 4 * seen.readUInt16BE(2);
      if (kind === 6) return seen.length < 8 ? 8 : 8 + seen.readUInt32BE(4);
      return lengths[kind ?? -1] ?? 1;
    },
    take: (m) => {
      const kind = m[0] as number;
      if (kind === 0) this.#pixels = pixelsOf(m) ?? this.#pixels;
      // who asks faster than it reads gets fewer pictures
      else if (kind === 3 && m[1] === 0 && this.#socket.writableLength === 0) this.#socket.write(picture(this.#pixels));
      return kind in lengths || kind === 2 || kind === 6 ? this.#message : undefined;
    },
  };
}
/** Messages of a fixed length: pixel format, request for an update, key, pointer. */
const lengths: Readonly<Record<number, number>> = { 0: 20, 3: 10, 4: 8, 5: 6 };

/** Undefined for formats with a palette. */
function pixelsOf(m: Buffer): Pixels | undefined {
  const bytes = (m[4] as number) / 8;
  if (m[7] === 0 || ![1, 2, 4].includes(bytes)) return undefined;
  const max = [m.readUInt16BE(8), m.readUInt16BE(10), m.readUInt16BE(12)] as const;
  const shift = [(m[14] as number) & 31, (m[15] as number) & 31, (m[16] as number) & 31] as const;
  return { bytes, bigEndian: m[6] !== 0, max, shift };
}
/** An update of the whole screen: a house under an evening sky. */
function picture({ bytes, bigEndian, max, shift }: Pixels): Buffer {
  const out = Buffer.alloc(16 + width * height * bytes);
  out.writeUInt16BE(1, 2);
  out.writeUInt16BE(width, 8);
  out.writeUInt16BE(height, 10);
  let at = 16;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += bytes) {
      let value = 0;
      for (const [i, part] of colour(x, y).entries())
        value += Math.round((part / 255) * (max[i] as number)) * 2 ** (shift[i] as number);
      value %= 2 ** (8 * bytes);
      if (bigEndian) out.writeUIntBE(value, at, bytes);
      else out.writeUIntLE(value, at, bytes);
    }
  return out;
}
function colour(x: number, y: number): readonly [number, number, number] {
  const roof = y >= 60 && y < 100 && Math.abs(x - 160) <= y - 60;
  const walls = y >= 100 && y < 160 && Math.abs(x - 160) < 32;
  const door = y >= 130 && y < 160 && Math.abs(x - 160) < 8;
  if (door) return [255, 214, 110];
  if (walls) return [222, 214, 196];
  if (roof) return [150, 60, 50];
  return y >= 160 ? [44, 70, 48] : [30 + y, 40 + Math.floor(y / 2), 110];
}
