/** A QEMU without a toolstack, as the limit to compare with. */
import { spawn } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** One QEMU of our own and its control connection. */
export class Bare {
  readonly #lines: AsyncIterator<string>;
  readonly #socket: Socket;
  readonly #exited: Promise<unknown>;
  private constructor(socket: Socket, exited: Promise<unknown>) {
    this.#socket = socket;
    this.#exited = exited;
    this.#lines = createInterface(socket)[Symbol.asyncIterator]();
  }
  static async start(argv: readonly string[], path: string): Promise<Bare> {
    const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: 'ignore' });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const it = new Bare(await connected(path), exited);
    await it.#lines.next();
    await it.ask('qmp_capabilities');
    return it;
  }
  async ask(execute: string, args?: object): Promise<Record<string, unknown>> {
    this.#socket.write(`${JSON.stringify(args ? { execute, arguments: args } : { execute })}\n`);
    for (;;) {
      const { value } = await this.#lines.next();
      const answer = JSON.parse(value as string) as { return?: Record<string, unknown>; error?: { desc: string } };
      if (answer.error) throw new Error(`${execute}: ${answer.error.desc}`);
      if (answer.return) return answer.return;
    }
  }
  async end(): Promise<void> {
    this.#socket.write('{"execute":"quit"}\n');
    await this.#exited;
    this.#socket.destroy();
  }
}
async function connected(path: string): Promise<Socket> {
  for (;;) {
    const socket = createConnection(path);
    const done = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (done) return socket;
    await sleep(5);
  }
}
