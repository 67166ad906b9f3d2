/** For tests and the benchmark: an HTTP server that knows `POST /cli` and nothing else, and a client without a process. */
import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import {
  type Command,
  encodeChunkHeader,
  encodeEnd,
  encodeGreeting,
  encodeResponse,
  ThinCliReader,
} from '../../wire/thin-cli.ts';
import type { XeDoor } from './door.ts';

/** Serves the door on a unix socket. */
export function serveCli(door: XeDoor, path: string): Promise<Server> {
  const server = createServer((socket) => void receive(door, socket));
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

async function receive(door: XeDoor, socket: Socket): Promise<void> {
  let got = Buffer.alloc(0);
  const enough = (): number | undefined => {
    const end = got.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const length = Number(/content-length: (\d+)/i.exec(got.toString('latin1', 0, end))?.[1] ?? 0);
    return got.length >= end + 4 + length ? end + 4 + length : undefined;
  };
  while (enough() === undefined) {
    const chunk: Buffer | null = socket.read();
    if (chunk) got = Buffer.concat([got, chunk]);
    else if (socket.destroyed || socket.readableEnded) return;
    else await new Promise((resolve) => socket.once('readable', resolve).once('close', resolve));
  }
  const stop = enough() ?? 0;
  const start = got.indexOf('\r\n\r\n') + 4;
  await door.handle(socket, got.subarray(stop), got.subarray(start, stop), { local: true });
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  /** What the host asked for besides printing. */
  readonly asked: readonly Command[];
}
export interface Answers {
  /** Lines for prompts. */
  readonly lines?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** How transfers and consoles end; well, when absent. */
  readonly transfer?: (command: Command) => Promise<boolean> | boolean;
  readonly login?: readonly string[];
  readonly local?: boolean;
}

/** Two ends of a connection in memory. */
export function duplexPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex) =>
    new Duplex({
      read() {
        return undefined;
      },
      write(chunk, _, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  const a: Duplex = make(() => b);
  const b: Duplex = make(() => a);
  return [a, b];
}

/** Runs `xe ARGS` against the door, without a process. */
export async function runXe(door: XeDoor, args: readonly string[], answers: Answers = {}): Promise<Outcome> {
  const [near, far] = duplexPair();
  const login = answers.login ?? ['username=', 'password='];
  const served = door.handle(far, Buffer.alloc(0), Buffer.from([...args, ...login, ''].join('\n')), {
    local: answers.local ?? true,
  });
  const reader = new ThinCliReader(near);
  await reader.greeting();
  near.write(encodeGreeting());
  const lines = [...(answers.lines ?? [])];
  const asked: Command[] = [];
  let stdout = '';
  let stderr = '';
  const send = (text: string) =>
    near.write(Buffer.concat([encodeChunkHeader(Buffer.byteLength(text)), Buffer.from(text), encodeEnd()]));
  for (;;) {
    const m = await reader.message();
    if (m?.kind !== 'command') throw new Error(`the door said ${JSON.stringify(m)}`);
    const c = m.command;
    if (c.do === 'exit') {
      await served;
      return { stdout, stderr, code: c.code, asked };
    }
    if (c.do === 'print') stdout += `${c.text}\n`;
    else if (c.do === 'printStderr') stderr += c.text;
    else asked.push(c);
    if (c.do === 'prompt') send(lines.shift() ?? '');
    if (c.do === 'load') {
      const text = answers.files?.[c.file];
      near.write(encodeResponse(text === undefined ? 'failed' : 'ok'));
      if (text !== undefined) send(text);
    }
    if (c.do === 'httpGet' || c.do === 'httpPut' || c.do === 'httpConnect')
      near.write(encodeResponse((await (answers.transfer?.(c) ?? true)) ? 'ok' : 'failed'));
  }
}
