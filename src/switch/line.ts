/**
 * One connection to a switch, and the requests that go over it one after another. HTTP/1.1 as the switch speaks it, answers with
 * a length; a general client costs more than the rest of a call. A session belongs to its connection, so that it is never replaced.
 *
 *     idle ──ask──▶ connecting, or at once ──written──▶ reading the answer ──▶ the next request, or idle
 *                        └──────────────────────────────┴── lost, aborted, closed, no HTTP ──▶ every call fails
 */
import { connect, type Socket } from 'node:net';
import { switchErrors } from '../contracts/switch.ts';
import { formatRequest, type SwitchRequest } from '../wire/switch.ts';

interface Job {
  readonly bytes: string;
  readonly signal: AbortSignal | undefined;
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
        bytes,
        signal,
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      if (this.#jobs.length === 1) this.#write();
    });
  }
  close(): void {
    this.#end('it was closed');
  }
  #write(): void {
    const [job] = this.#jobs;
    if (job) {
      this.#socket ??= this.#connect();
      this.#socket.write(job.bytes);
    }
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
    if (!this.#whole && !this.#readHead()) return;
    const whole = this.#whole;
    if (!whole || this.#bytes < whole.length) return;
    const all = this.#joined();
    this.#pieces = all.length > whole.length ? [all.subarray(whole.length)] : [];
    this.#bytes -= whole.length;
    this.#whole = undefined;
    const answer = all.toString('utf8', whole.head, whole.length);
    const job = this.#jobs.shift();
    if (!job || this.#bytes > 0) this.#end('it answers what nobody asked');
    else this.#write();
    if (whole.status === 200) job?.resolve(answer);
    else job?.reject(refused(whole.status, answer));
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
