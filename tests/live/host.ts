/** The real thing: `bin/guesthouse up` in a new folder, with its supervisor, house and guests as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { places } from '../../src/apps/places.ts';
import { connectHouse } from '../../src/apps/toolstack.ts';

const root = join(import.meta.dirname, '../..');
export const bin = (name: string): string => join(root, 'bin', name);

export interface LiveHost extends AsyncDisposable {
  readonly data: string;
  readonly url: string;
  /** With `tls` only. */
  readonly tlsUrl: string | undefined;
  /** What `up` wrote to stderr. */
  readonly said: readonly string[];
  readonly up: ChildProcess;
  readonly password: string;
  /** A call as root through the local socket; it is tried again while the house is away only when `again` says so. */
  call(method: string, ...params: unknown[]): Promise<unknown>;
  /** Answers when the house answers calls (again). */
  back(): Promise<void>;
}
export interface LiveOptions {
  readonly hypervisor?: 'qemu' | 'simulator';
  readonly demo?: boolean;
  /** Listens with TLS too. */
  readonly tls?: boolean;
  readonly data?: string;
  /** The network namespace that it runs in. */
  readonly namespace?: string;
  /** `HOST:PORT` to listen on with TLS. */
  readonly listenTls?: string;
}

/** Why the tests with Tiny Linux cannot run here; undefined when they can. */
export function cannotRun(): string | undefined {
  if (!existsSync('/usr/bin/qemu-system-x86_64')) return 'QEMU is not installed: the package qemu-system-x86 has it';
  if (!existsSync(join(root, 'build/guest/manifest.json'))) return 'the guest image is not built: npm run setup';
  return undefined;
}

export async function liveHost(o: LiveOptions = {}): Promise<LiveHost> {
  const data = o.data ?? mkdtempSync(join(tmpdir(), 'ghl-'));
  chmodSync(data, 0o711); // guests run as users of their own
  const args = [
    'up',
    '--data',
    data,
    '--listen',
    '127.0.0.1:0',
    '--listen-tls',
    o.listenTls ?? (o.tls ? '127.0.0.1:0' : 'none'),
    '--hypervisor',
    o.hypervisor ?? 'qemu',
  ];
  const command = [bin('guesthouse'), ...args, ...(o.demo ? ['--demo'] : [])];
  const [program = '', ...rest] = o.namespace ? ['/usr/sbin/ip', 'netns', 'exec', o.namespace, ...command] : command;
  const up = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  createInterface(up.stderr!).on('line', (line) => said.push(line));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(up.stdout!).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(line.slice(6));
    });
    up.once('exit', (code) => reject(new Error(`guesthouse up ended with ${code}: ${said.join('\n')}`)));
  });
  const tlsUrl = o.tls ? await tlsUrlOf(data) : undefined;
  let session = '';
  const socketPath = join(data, 'run', 'xapi.sock');
  const call = async (method: string, ...params: unknown[]) => {
    if (session === '') session = (await post(socketPath, 'session.login_with_password', ['root', ''])) as string;
    return post(socketPath, method, [session, ...params]);
  };
  return {
    data,
    url,
    tlsUrl,
    said,
    up,
    password: readFileSync(join(data, 'password'), 'utf8').trim(),
    call,
    async back() {
      const deadline = Date.now() + 60_000;
      for (;;) {
        if (Date.now() > deadline)
          throw new Error(`the house did not come back; guesthouse up said: ${said.slice(-8).join(' | ')}`);
        session = '';
        try {
          await call('pool.get_all');
          return;
        } catch (error) {
          if (!(error instanceof Gone)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    },
    async [Symbol.asyncDispose]() {
      const gone = up.exitCode === null ? new Promise((resolve) => up.once('exit', resolve)) : undefined;
      await ended(spawn(bin('guesthouse'), ['down', '--data', data, '--timeout', '0'], { stdio: 'ignore' }));
      await gone;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
/** The address that `up` does not name when only this machine can use it. */
async function tlsUrlOf(data: string): Promise<string> {
  const { house, close } = connectHouse(places(data), { connectTimeoutMs: 5000 });
  try {
    return (await house.ready({})).tlsUrl ?? '';
  } finally {
    close();
  }
}
const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

/** The house did not answer: it is away, or went away in the middle of the call. */
export class Gone extends Error {}
export class Failure extends Error {
  readonly code: string;
  constructor(code: string, data: unknown) {
    super(`${code} ${JSON.stringify(data)}`);
    this.code = code;
  }
}

const agent = new Agent({ keepAlive: false });
function post(socketPath: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const req = request({ agent, socketPath, path: '/jsonrpc', method: 'POST', headers }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      res.on('error', (e) => reject(new Gone(String(e))));
      res.on('end', () => {
        const answer = JSON.parse(text) as { result?: unknown; error?: { message: string; data: unknown } };
        if (answer.error) reject(new Failure(answer.error.message, answer.error.data));
        else resolve(answer.result);
      });
    });
    req.on('error', (e) => reject(new Gone(String(e))));
    req.end(body);
  });
}

/** Processes whose command line holds `text`: pid → command line. */
export function processesWith(text: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    let line = '';
    try {
      line = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    if (line.includes(text)) found.set(Number(entry), line);
  }
  return found;
}

/** Answers when a line of the console log is `word`. */
export async function consoleSays(file: string, word: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  const line = new RegExp(`^${word}\\r?$`, 'm');
  while (!existsSync(file) || !line.test(readFileSync(file, 'latin1'))) {
    if (Date.now() > deadline)
      throw new Error(
        `the guest did not say ${word}: ${existsSync(file) ? readFileSync(file, 'latin1').slice(-300) : 'no log'}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
