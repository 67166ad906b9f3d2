/**
 * forkexecd's own interface, one program a connection:
 *
 *     connected ──Setup──▶ set up ──descriptors over the second socket, Exec──▶ running ──its end──▶ Finished
 *                                                                                │ Dontwaitpid, or the caller goes
 *                                                                                ▼
 *                                                                      runs on by itself
 */
import { closeSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../base/log.ts';
import {
  type ForkerAnswer,
  type ForkerEnd,
  ForkerReader,
  type ForkerRequest,
  type ForkerSetup,
  formatForker,
} from '../../wire/forker.ts';

/** Descriptors that arrive over a socket of their own, by the uuid that they were sent with. */
export interface Incoming {
  readonly path: string;
  /** All that were sent when the sender has closed, or what came within the time. They are the caller's to close. */
  all(): Promise<ReadonlyMap<string, number>>;
  close(): void;
}
export interface Running {
  readonly pid: number;
  readonly ended: Promise<ForkerEnd>;
}
export interface ForkerNeeds {
  readonly log: Log;
  /** Opens a socket for one caller's descriptors. */
  readonly receive: () => Promise<Incoming>;
  /** Starts the program with these descriptors, by the number that it sees them under, and closes ours. */
  readonly run: (setup: ForkerSetup, args: readonly string[], fds: ReadonlyMap<number, number>) => Promise<Running>;
}

/** Answers on a socket that only this user may open. */
export function serveForker(path: string, needs: ForkerNeeds): Promise<Server> {
  const server = createServer((socket) => new Caller(socket, needs));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o177);
    rmSync(path, { force: true });
    server.listen(path, () => resolve(server));
    process.umask(umask);
  });
}

class Caller {
  readonly #socket: Socket;
  readonly #needs: ForkerNeeds;
  readonly #reader = new ForkerReader();
  #setup: { readonly setup: ForkerSetup; readonly incoming: Incoming } | undefined;
  #began = false;
  /** One message after another. */
  #work: Promise<void> = Promise.resolve();

  constructor(socket: Socket, needs: ForkerNeeds) {
    this.#socket = socket;
    this.#needs = needs;
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const request of this.#reader.push(chunk)) this.#then(request);
      } catch (error) {
        this.#refuse(error);
      }
    });
    socket.on('error', (error) => needs.log.debug('a caller of the forker is lost', { error: error.message }));
    socket.once('close', () => {
      this.#work = this.#work.finally(() => this.#began || this.#setup?.incoming.close());
    });
  }
  #then(request: ForkerRequest): void {
    this.#work = this.#work.then(() => this.#take(request)).catch((error: unknown) => this.#refuse(error));
  }
  #refuse(error: unknown): void {
    this.#needs.log.warn('a caller of the forker was refused', { error: String(error) });
    this.#socket.destroy();
  }
  #answer(answer: ForkerAnswer): void {
    if (this.#socket.writable) this.#socket.write(formatForker(answer));
  }
  async #take(request: ForkerRequest): Promise<void> {
    if (request.kind === 'Dontwaitpid') this.#socket.end();
    else if (request.kind === 'Exec') await this.#exec();
    else {
      if (this.#setup) throw new Error('Setup was sent twice');
      this.#setup = { setup: request.setup, incoming: await this.#needs.receive() };
      this.#answer(['Setup_response', { fd_sock_path: this.#setup.incoming.path }]);
    }
  }
  async #received({ descriptors }: ForkerSetup, incoming: Incoming): Promise<ReadonlyMap<string, number>> {
    if (descriptors.size === 0) {
      incoming.close();
      return new Map();
    }
    const received = await incoming.all();
    const strange = [...received.keys()].find((uuid) => !descriptors.has(uuid));
    if (strange === undefined) return received;
    for (const fd of received.values()) closeSync(fd);
    throw new Error(`the descriptor ${strange} was not announced`);
  }
  async #exec(): Promise<void> {
    if (!this.#setup || this.#began) throw new Error('Exec was sent before Setup, or twice');
    this.#began = true;
    const { setup, incoming } = this.#setup;
    const received = await this.#received(setup, incoming);
    const { args, fds } = placed(setup, received);
    const { pid, ended } = await this.#needs.run(setup, args, fds);
    this.#answer(['Execed', pid]);
    void ended.then((end) => {
      this.#answer(['Finished', end]);
      this.#socket.end();
    });
  }
}

/** Which descriptor gets which number; arguments that end with a uuid get that number instead. */
export function placed(
  { cmdargs, descriptors }: Pick<ForkerSetup, 'cmdargs' | 'descriptors'>,
  received: ReadonlyMap<string, number>,
): { readonly args: readonly string[]; readonly fds: ReadonlyMap<number, number> } {
  const fds = new Map<number, number>();
  const numbers = new Map<string, number>();
  const taken = new Set([0, 1, 2, ...[...descriptors.values()].filter((n) => n !== null)]);
  for (const [uuid, wanted] of descriptors) {
    const fd = received.get(uuid);
    if (fd === undefined) continue;
    let number = wanted;
    for (let free = 3; number === null; free++) if (!taken.has(free)) number = free;
    taken.add(number);
    fds.set(number, fd);
    numbers.set(uuid, number);
  }
  const args = cmdargs.map((arg) => {
    const number = numbers.get(arg.slice(-36));
    return number === undefined ? arg : `${arg.slice(0, -36)}${number}`;
  });
  return { args, fds };
}
