/**
 * The body of a request as chunks, with back-pressure, also when the client closes before it has sent what it announced: every
 * byte that arrived is delivered. (Node drops what a request has buffered when its connection ends early; so nothing is left
 * in that buffer: chunks are taken as they come, and while the taker is slow the connection itself is paused.)
 */
import type { IncomingMessage } from 'node:http';

/** Bytes that may wait here. */
const highWater = 256 * 1024;

export class Body {
  readonly #req: IncomingMessage;
  #chunks: Buffer[] = [];
  #waiting = 0;
  #state: 'open' | 'complete' | 'cut' = 'open';
  #stopped: { error: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(req: IncomingMessage) {
    this.#req = req;
    req.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#waiting += chunk.length;
      if (this.#waiting >= highWater) this.#flow(false);
      this.#wake();
    });
    req.on('end', () => this.#end(req.complete ? 'complete' : 'cut'));
    req.on('close', () => this.#end(req.complete ? 'complete' : 'cut'));
    // `close` follows: what arrived before is still delivered.
    req.on('error', () => this.#end('cut'));
  }
  /** Whether the client closed before it had sent what it announced. Known once `chunks` has ended. */
  get cut(): boolean {
    return this.#state === 'cut';
  }
  /** Makes `chunks` throw `error` as soon as it is waited for. */
  stop(error: unknown): void {
    this.#stopped ??= { error };
    this.#wake();
  }
  /** What arrives, until the body or the connection ends. To be taken once. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      if (this.#stopped) throw this.#stopped.error;
      const next = this.#chunks.shift();
      if (next) {
        this.#waiting -= next.length;
        yield next;
        if (this.#waiting < highWater && this.#req.isPaused()) this.#flow(true);
        continue;
      }
      if (this.#state !== 'open') return;
      if (this.#req.isPaused()) this.#flow(true);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #flow(on: boolean): void {
    if (on) {
      this.#req.resume();
      this.#req.socket.resume();
    } else {
      this.#req.pause();
      this.#req.socket.pause();
    }
  }
  #end(state: 'complete' | 'cut'): void {
    // What came while the request was paused is in its own buffer, and nobody would ask for it any more.
    for (let left = this.#req.read(); left !== null; left = this.#req.read()) this.#chunks.push(left);
    if (this.#state === 'open') this.#state = state;
    this.#wake();
  }
}

/** Bytes that `content-length` announces; undefined when it does not. */
export function announced(req: IncomingMessage): number | undefined {
  const text = req.headers['content-length'];
  return text === undefined ? undefined : Number(text);
}
