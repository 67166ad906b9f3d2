/**
 * Where the bytes of transfers come in and go out: a unix socket for everybody, and for callers in this process a stream that costs
 * no copies. One peer each.
 *
 *     open ──first peer, by either way──▶ closed
 *       └──nobody for a minute, abort──▶ closed
 */
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { storageErrors } from '../contracts/storage.ts';

/** How long a door waits for its peer. */
const patienceMs = 60_000;
/** Bytes that wait in a stream within this process. */
const highWaterMark = 1 << 20;

export interface Door {
  /** The first peer. Rejects (Cancelled) when nobody comes, or when `signal` aborts. */
  accept(signal: AbortSignal): Promise<Duplex>;
  close(): void;
}

export class Doors {
  readonly #clock: Clock;
  readonly #local = new Map<string, (peer: Duplex) => void>();
  constructor(clock: Clock) {
    this.#clock = clock;
  }
  /** Listens at `path`, mode 0600. */
  async open(path: string): Promise<Door> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    await chmod(path, 0o600);
    const close = () => {
      this.#local.delete(path);
      server.close();
    };
    const accept = (signal: AbortSignal) =>
      new Promise<Duplex>((resolve, reject) => {
        const stop = () => {
          forget();
          close();
          reject(storageErrors.make('Cancelled'));
        };
        const forget = this.#clock.after(patienceMs, stop);
        if (signal.aborted) return stop();
        signal.addEventListener('abort', stop, { once: true });
        const take = (peer: Duplex) => {
          forget();
          signal.removeEventListener('abort', stop);
          close();
          // A broken connection surfaces where the stream is read or written.
          peer.on('error', () => undefined);
          resolve(peer);
        };
        server.once('connection', take);
        this.#local.set(path, take);
      });
    return { accept, close };
  }
  /** Comes in from within this process; undefined when nobody waits at `path`. */
  connect(path: string): Duplex | undefined {
    const take = this.#local.get(path);
    if (!take) return undefined;
    const [ours, theirs] = duplexPair({ highWaterMark });
    joined(ours, theirs);
    take(ours);
    return theirs;
  }
}
/** When one side is gone, so is the other. */
function joined(a: Duplex, b: Duplex): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('close', () => other.destroy());
    // It surfaces where the stream is read or written.
    one.on('error', () => undefined);
  }
}
