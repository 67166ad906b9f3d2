/** The process `xenops-cli`: this terminal, and the xenopsd of this machine. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { runCli } from '../doors/xenops-cli/cli.ts';
import { type Transport, xenopsdClient } from '../doors/xenops-cli/client.ts';
import { switchAt } from '../switch/at.ts';
import { SwitchCaller } from '../switch/peer.ts';
import { defaultData } from './places.ts';

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
let closeQueue = async (): Promise<void> => undefined;
let drawn = false;

process.exitCode = await runCli(process.argv.slice(2), {
  ids: randomIds,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readFile,
  writeFile: (path, text) => writeFileSync(path, text),
  attach,
  interrupted: interrupt.signal,
  progress: bar,
  now: () => Date.now() / 1000,
  zoneS: -60 * new Date().getTimezoneOffset(),
  connect: (options) => xenopsdClient(transportFor(options)),
  close: () => closeQueue(),
});

function transportFor(options: ReadonlyMap<string, string>): Transport {
  const queue = options.get('queue');
  if (queue === undefined) return overSocket(options.get('socket') ?? localSocket());
  const path = options.get('switch-path') ?? '/var/run/message-switch/sock';
  const token = `xenops-cli-${process.pid}-${randomBytes(6).toString('hex')}`;
  const parts = { clock: systemClock, log: silentLog };
  const caller = new SwitchCaller({ ...parts, switch: switchAt(path, parts), token });
  closeQueue = () => caller.close();
  return (text) => caller.call(queue, text, 60);
}
/** The house of this user's data folder, or a xenopsd that stands alone. */
function localSocket(): string {
  const places = [join(defaultData(), 'run', 'xenopsd.sock'), '/var/lib/xcp/xenopsd'];
  const found = places.find((path) => existsSync(path));
  if (found) return found;
  const looked = places.join(' and ');
  throw new Error(`no xenopsd was found (looked for ${looked}); start guesthouse up or xenopsd, or name its --socket`);
}
/** How long a xenopsd that is being started again is waited for. */
const patienceMs = 5000;
function overSocket(socketPath: string): Transport {
  const once = sendOver(socketPath);
  return async (text, signal) => {
    for (const from = Date.now(); ; ) {
      try {
        return await once(text, signal);
      } catch (error) {
        const refused = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
        if (!refused || Date.now() - from > patienceMs) throw error;
        await systemClock.sleep(1000, signal);
      }
    }
  };
}
function sendOver(socketPath: string): Transport {
  return (text, signal) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-length': Buffer.byteLength(text), 'content-type': 'application/json' };
      const options = { socketPath, method: 'POST', path: '/', headers, ...(signal ? { signal } : {}) };
      const req = request(options, (res) => {
        let answer = '';
        res.setEncoding('utf8');
        res.on('data', (piece: string) => {
          answer += piece;
        });
        res.once('error', reject);
        res.once('end', () => {
          if (res.statusCode === 200) resolve(answer);
          else reject(new Error(`${socketPath} answers ${res.statusCode}: it is no xenopsd`));
        });
      });
      req.once('error', (cause: NodeJS.ErrnoException) => {
        const why = cause.code === 'ENOENT' ? 'there is no such socket' : cause.message;
        reject(new Error(`${socketPath}: ${why}; is xenopsd running?`, { cause }));
      });
      req.end(text);
    });
}
function readFile(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: ${code === 'ENOENT' ? 'there is no such file' : message}`, { cause: error });
  }
}
/** Keys go to the guest and its text to the screen, until the guest ends or Ctrl-] is typed. */
function attach(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const { stdin, stdout } = process;
    const leave = () => {
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
      socket.destroy();
      resolve();
    };
    socket.once('error', reject);
    socket.once('connect', () => {
      if (stdin.isTTY) stdin.setRawMode(true);
      stdin.on('data', (keys: Buffer) => (keys.includes(0x1d) ? leave() : socket.write(keys)));
      socket.on('data', (text: Buffer) => stdout.write(text));
    });
    socket.once('close', leave);
  });
}
/** On a terminal only. */
function bar(fraction: number | undefined): void {
  if (!process.stderr.isTTY || (fraction === undefined && !drawn)) return;
  drawn = fraction !== undefined;
  const done = Math.round(40 * (fraction ?? 0));
  const text =
    fraction === undefined ? '' : `[${'#'.repeat(done)}${' '.repeat(40 - done)}] ${Math.round(fraction * 100)}%`;
  process.stderr.write(`\r\x1b[K${text}`);
}
