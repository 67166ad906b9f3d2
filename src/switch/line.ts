/**
 * One connection to a switch. Requests are written as they come, without waiting for the answers to those before (HTTP's
 * pipelining); answers come in the same order. HTTP/1.1 as the switch speaks it, answers with a length; a general client costs
 * more than the rest of a call. A session belongs to its connection, so that it is never replaced.
 *
 *     idle ──ask──▶ connecting, or at once ──written──▶ reading answers, the oldest request's first ──none left──▶ idle
 *                        └──────────────────────────────┴── lost, aborted, closed, no HTTP ──▶ every call fails
 */
import { connect, type Socket } from 'node:net';
import { switchErrors } from '../contracts/switch.ts';
import { formatRequest, type SwitchRequest } from '../wire/switch.ts';

interface Job {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
}
const longestHead = 16 * 1024;

export class Line {
  readonly #socketPath: string;
  readonly #jobs: Job[] = [];
  #socket: Socket | undefined;
  #lost: string | undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Of the answer that is being read, head and body; undefined until its head is there. */
  #whole: { readonly length: number; readonly head: number; readonly status: number } | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }
  /** Switch_gone, Not_logged_in, Switch_refused; the signal's reason when it is aborted, which ends the connection. */
  ask(asked: SwitchRequest, body = '', signal?: AbortSignal): Promise<string> {
    const { method, path } = formatRequest(asked);
    const length = method === 'POST' ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : '';
    const bytes = `${method} ${path} HTTP/1.1\r\nHost: switch\r\n${length}\r\n${method === 'POST' ? body : ''}`;
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#gone(this.#lost));
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        reject(signal?.reason);
        this.#end('a call was stopped');
      };
      const settled = () => signal?.removeEventListener('abort', stop);
      signal?.addEventListener('abort', stop, { once: true });
      this.#jobs.push({
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#write(bytes);
    });
  }
  close(): void {
    this.#end('it was closed');
  }
  /** What is asked in one turn of the event loop goes out in one piece. */
  #write(bytes: string): void {
    this.#socket ??= this.#connect();
    const socket = this.#socket;
    if (socket.writableCorked === 0) {
      socket.cork();
      queueMicrotask(() => socket.uncork());
    }
    socket.write(bytes);
  }
  #connect(): Socket {
    const socket = connect(this.#socketPath);
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => this.#end('the connection was lost'));
    return socket;
  }
  #end(why: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = why;
    this.#socket?.destroy();
    for (const job of this.#jobs.splice(0)) job.reject(this.#gone(why));
  }
  #read(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    while (this.#bytes > 0 && this.#lost === undefined && this.#readAnswer());
  }
  /** Whether a whole answer was there. */
  #readAnswer(): boolean {
    if (!this.#whole && !this.#readHead()) return false;
    const whole = this.#whole;
    if (!whole || this.#bytes < whole.length) return false;
    const all = this.#joined();
    this.#pieces = all.length > whole.length ? [all.subarray(whole.length)] : [];
    this.#bytes -= whole.length;
    this.#whole = undefined;
    const answer = all.toString('utf8', whole.head, whole.length);
    const job = this.#jobs.shift();
    if (!job || (this.#jobs.length === 0 && this.#bytes > 0)) this.#end('it answers what nobody asked');
    if (whole.status === 200) job?.resolve(answer);
    else job?.reject(refused(whole.status, answer));
    return true;
  }
  /** Whether the head of an answer is there. */
  #readHead(): boolean {
    const all = this.#joined();
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) {
      if (all.length > longestHead) this.#end('it answers no HTTP');
      return false;
    }
    const head = all.toString('latin1', 0, end);
    const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(head)?.[1];
    const length = /\r\ncontent-length: *([0-9]{1,15}) *(?:\r\n|$)/i.exec(head)?.[1];
    if (status === undefined || length === undefined) {
      this.#end('its answer has no status or no length');
      return false;
    }
    this.#whole = { status: Number(status), head: end + 4, length: end + 4 + Number(length) };
    return true;
  }
  #joined(): Buffer {
    const [first, second] = this.#pieces;
    if (first && !second) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all;
  }
  #gone(reason: string): Error {
    return switchErrors.make('Switch_gone', { address: this.#socketPath, reason });
  }
}
function refused(status: number, answer: string): Error {
  if (answer === 'Please log in.') return switchErrors.make('Not_logged_in');
  return switchErrors.make('Switch_refused', { status, answer });
}
