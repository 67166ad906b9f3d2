/**
 * The wire of QEMU's guest agent: a command, an answer, one after another, JSON in lines. The guest at the other end is not trusted:
 * nothing is read but while an answer is waited for, so that one that talks unasked fills its own pipe only, and an answer has a
 * greatest length and a deadline. Whatever goes wrong ends the connection; the next command begins a new one.
 *
 *     away ──command──▶ connected ──guest-sync-delimited──▶ in step ──command, answer──▶ in step
 *      ▲                    └──────────── failure, silence, garbage ────────┴──▶ away
 */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';

/** Bytes of the longest answer. */
export const longestAnswer = 1 << 20;
const separator = 0xff;
const newline = 10;

/** The agent refused a command. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}
/** There is no answer, or none that can be read. */
export class AgentSilence extends Error {
  override readonly name = 'AgentSilence';
}

export class AgentChannel {
  readonly #path: string;
  readonly #clock: Clock;
  #socket: Socket | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #serial = 0;
  #closed = false;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }
  /** Runs a command, after those that were asked for before. AgentError, AgentSilence. */
  call(command: string, args: Readonly<Record<string, unknown>> | undefined, deadlineMs: number): Promise<unknown> {
    const mine = this.#turn.then(() => this.#call(command, args, deadlineMs, true));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
  /** For a command that a guest does not answer when it carries it out: answers when it was refused, or when it has been quiet so long. */
  tell(command: string, args: Readonly<Record<string, unknown>>, quietMs: number): Promise<void> {
    const mine = this.#turn.then(async () => {
      await this.#call('guest-ping', undefined, quietMs, true);
      await this.#call(command, args, quietMs, false);
    });
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #call(command: string, args: unknown, deadlineMs: number, mustAnswer: boolean): Promise<unknown> {
    let answer: string;
    try {
      const socket = this.#socket ?? (await this.#connect(deadlineMs));
      socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) })}\n`);
      answer = await this.#read(socket, newline, command, deadlineMs);
    } catch (error) {
      this.#drop();
      if (!mustAnswer && error instanceof AgentSilence) return undefined;
      throw error;
    }
    return this.#valueOf(command, answer);
  }
  #valueOf(command: string, answer: string): unknown {
    const parsed = parse(answer);
    if (typeof parsed !== 'object' || parsed === null) {
      this.#drop();
      throw new AgentSilence(`${command}: the answer is no JSON object`);
    }
    const { error, return: value } = parsed as { error?: { desc?: unknown } | null; return?: unknown };
    if (error) throw new AgentError(`${command}: ${String(error.desc).slice(0, 200)}`);
    return value;
  }
  /** What was said before the separator is of no account: of an earlier connection, or of an agent that was started anew. */
  async #connect(deadlineMs: number): Promise<Socket> {
    if (this.#closed) throw new AgentSilence('the domain is let go of');
    const socket = await open(this.#path);
    socket.pause();
    socket.on('error', () => this.#drop(socket));
    socket.on('close', () => this.#drop(socket));
    this.#socket = socket;
    const id = ++this.#serial;
    const line = JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id } });
    socket.write(Buffer.concat([Buffer.of(separator), Buffer.from(`${line}\n`)]));
    const command = 'guest-sync-delimited';
    await this.#read(socket, separator, command, deadlineMs);
    const answer = parse(await this.#read(socket, newline, command, deadlineMs));
    if ((answer as { return?: unknown } | undefined)?.return !== id) throw new AgentSilence(`${command}: out of step`);
    return socket;
  }
  /** What comes before the byte `end`; what comes after it stays in the socket. */
  #read(socket: Socket, end: number, command: string, deadlineMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let length = 0;
      const done = (f: () => void) => {
        cancel();
        socket.off('readable', look).off('close', gone);
        f();
      };
      const fail = (why: string) => done(() => reject(new AgentSilence(`${command}: ${why}`)));
      const gone = () => fail('the connection ended');
      const cancel = this.#clock.after(deadlineMs, () => fail(`no answer within ${deadlineMs} ms`));
      const look = (): void => {
        for (let piece = socket.read() as Buffer | null; piece; piece = socket.read() as Buffer | null) {
          const at = piece.indexOf(end);
          length += at < 0 ? piece.length : at;
          if (length > longestAnswer) {
            fail(`the answer is longer than ${longestAnswer} bytes`);
            return;
          }
          pieces.push(at < 0 ? piece : piece.subarray(0, at));
          if (at < 0) continue;
          if (at + 1 < piece.length) socket.unshift(piece.subarray(at + 1));
          done(() => resolve(Buffer.concat(pieces).toString('utf8')));
          return;
        }
      };
      socket.on('readable', look).on('close', gone);
      if (socket.destroyed) gone();
      else look();
    });
  }
  #drop(socket = this.#socket): void {
    socket?.destroy();
    if (socket === this.#socket) this.#socket = undefined;
  }
}
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says what that means
  }
}
function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', (error) => reject(new AgentSilence(error.message)));
    socket.once('connect', () => resolve(socket));
  });
}
