/**
 * The process `xenvm`: follows one VM of the local host. Without `--no-daemonize` it checks its file, starts itself again in the
 * background, and ends when that one is ready, with the VM's uuid on stdout.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { logTo } from '../base/log.ts';
import { xenopsContract } from '../contracts/xenops.ts';
import { NoMonitor, openMonitor, status } from '../doors/xenvm/monitor.ts';
import { connectContract } from '../rpc/client.ts';
import { parseBoolean } from '../wire/xenvm-syntax.ts';
import { defaultData, places, xenvmSocket } from './places.ts';

const usage = `Usage: xenvm [options] [FILE]
  --config FILE        the configuration; the same as FILE
  --uuid UUID          the VM, instead of the file's; without a file: follow the VM as it is
  --no-daemonize       stay in the foreground
  --data DIR           the host's data folder
  --strict-config      a file with a mistake is refused; always so
  --monitor-json BOOL  commands on a socket, for xenvm-cmd; always so
  --monitor-dbus BOOL, --monitor-dbus-session   D-Bus is not served yet
`;
/** The host may be away for so long before a VM is followed no more: it is being upgraded. */
const hostAwayMs = 60_000;
/** What the background process tells the one that started it. */
type Begun = { readonly uuid: string } | { readonly error: string; readonly status: number };

const option = { type: 'string' } as const;
const no = { type: 'boolean', default: false } as const;
function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ config: option, uuid: option, data: option, 'monitor-json': option, 'monitor-dbus': option },
      ...{ 'strict-config': no, 'no-daemonize': no, 'monitor-dbus-session': no, help: no },
    },
  });
  if (positionals.length + (values.config === undefined ? 0 : 1) > 1) throw new Error('one file is enough');
  for (const key of ['monitor-json', 'monitor-dbus'] as const)
    if (values[key] !== undefined && parseBoolean(values[key]) === undefined)
      throw new Error(`--${key}: "${values[key]}" is neither true nor false`);
  const file = values.config ?? positionals[0];
  return {
    ...values,
    file: file === undefined ? undefined : resolve(file),
    data: resolve(values.data ?? defaultData()),
  };
}
type Options = ReturnType<typeof options>;

async function foreground(o: Options, begun: (b: Begun) => void): Promise<number> {
  const at = places(o.data);
  const warn = (line: string) => void process.stderr.write(`${line}\n`);
  if (!existsSync(at.xenopsSocket))
    throw new NoMonitor(status.config, `no host runs here (${at.data}); start one with "guesthouse up"`);
  let quit: (why: string) => void = () => undefined;
  const away = () =>
    void xenops.host.stat({}).then(
      () => undefined,
      () => quit('the host is gone'),
    );
  const xenops = connectContract(xenopsContract, at.xenopsSocket, {
    connectTimeoutMs: hostAwayMs,
    onLost: () => (existsSync(at.downMark) ? quit('the host goes down') : away()),
  });
  try {
    const monitor = await openMonitor(
      { ...(o.file === undefined ? {} : { file: o.file }), ...(o.uuid === undefined ? {} : { uuid: o.uuid }) },
      {
        ...{ xenops, uuid: randomUUID, bridge: process.env['XENVM_BRIDGE'] ?? 'xenbr0', warn },
        socketOf: (uuid) => xenvmSocket(o.data, uuid),
        readFile,
        createFile: (path) => closeSync(openSync(path, 'wx', 0o600)),
        removeFile: (path) => rmSync(path, { force: true }),
        log: logTo((level, message, fields) => {
          if (level !== 'debug') warn(`${level}: ${message} ${JSON.stringify(fields)}`);
        }),
      },
    );
    quit = monitor.quit;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => monitor.quit(signal));
    process.on('SIGHUP', () => void monitor.reread().catch((error: Error) => warn(error.message)));
    begun({ uuid: monitor.id });
    warn(`xenvm of ${monitor.id} ends: ${await monitor.ended}`);
    return 0;
  } finally {
    xenops.close();
  }
}
function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: ${code === 'ENOENT' ? 'there is no such file' : message}`, { cause: error });
  }
}
/** Starts this program again, by itself; answers what it says when it has begun. */
async function background(args: readonly string[], o: Options): Promise<Begun> {
  const log = places(o.data).output('xenvm');
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, 'a');
  const self = [...process.execArgv, fileURLToPath(import.meta.url), ...args, '--no-daemonize'];
  const data = o.data === resolve(defaultData()) ? ['--data', o.data] : [];
  const child = spawn(process.execPath, [...self, ...data], {
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  const said = once(child, 'message').then(([message]) => message as Begun);
  const died = once(child, 'exit').then(([code]) => ({ error: `it ended at once (${code}); see ${log}`, status: 1 }));
  const first = await Promise.race([said, died]);
  if (child.connected) child.disconnect();
  child.unref();
  return first;
}
const show = (b: Begun): number => {
  if ('uuid' in b) process.stdout.write(`${b.uuid}\n`);
  // A mistake in a file begins with its place.
  else process.stderr.write(`${/^\S+:\d+:\d+: /.test(b.error) ? '' : 'xenvm: '}${b.error}\n`);
  return 'uuid' in b ? 0 : b.status;
};
async function main(args: readonly string[]): Promise<number> {
  let o: Options;
  try {
    o = options();
  } catch (error) {
    process.stderr.write(`xenvm: ${(error as Error).message}\n${usage}`);
    return status.config;
  }
  if (o.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (!o['no-daemonize']) return show(await background(args, o));
  const tell = (b: Begun): number => {
    if (!process.send) return show(b);
    process.send(b);
    return 'uuid' in b ? 0 : b.status;
  };
  try {
    return await foreground(o, (b) => {
      tell(b);
      // The starter has what it waited for.
      if (process.connected) process.disconnect();
    });
  } catch (error) {
    return tell({ error: (error as Error).message, status: error instanceof NoMonitor ? error.status : 1 });
  }
}
process.exitCode = await main(process.argv.slice(2));
