/** A message bus of its own, for tests and benchmarks. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { type BusConnection, connectBus } from '../../src/bus/connection.ts';

/** Why there is none; undefined: there is. */
export function cannotBus(): string | undefined {
  return spawnSync('dbus-daemon', ['--version']).status === 0
    ? undefined
    : 'dbus-daemon is not installed (Debian: dbus-daemon)';
}
export interface PrivateBus extends AsyncDisposable {
  readonly address: string;
  /** Where tests put what they need; gone at the end. */
  readonly folder: string;
  /** A connection of this process; closed at the end. */
  connect(address?: string): Promise<BusConnection>;
  /** Ends the bus itself. */
  stop(): Promise<void>;
  /** A command of ours on this bus (`src/apps/NAME.ts`), once it is ready; ended at the end. */
  daemon(name: string, args: readonly string[]): Promise<Daemon>;
}
export interface Daemon {
  readonly child: ChildProcess;
  /** What it wrote on standard error: its log. */
  log(): string;
  /** Answers when the log has it. */
  logged(pattern: RegExp): Promise<void>;
  /** The exit status, when it is gone. */
  readonly gone: Promise<number | null>;
  /** Sends the signal, answers the exit status when it is gone. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}
const policy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/><allow receive_sender="*"/>
  </policy>
  <limit name="max_replies_per_connection">50000</limit>
</busconfig>
`;

export async function privateBus(): Promise<PrivateBus> {
  const folder = mkdtempSync(join(tmpdir(), 'gh-bus-'));
  const socket = join(folder, 'bus');
  const config = join(folder, 'bus.conf');
  writeFileSync(config, policy.replace('SOCKET', socket));
  const child = spawn('dbus-daemon', [`--config-file=${config}`, '--nofork', '--nopidfile', '--print-address'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const gone = once(child, 'exit');
  const ended = gone.then(() => Promise.reject(new Error(`dbus-daemon ended: ${said}`)));
  ended.catch(() => undefined); // its end after the start is the test's own
  await Promise.race([once(child.stdout, 'data'), ended]);
  const address = `unix:path=${socket}`;
  const connections: BusConnection[] = [];
  const daemons: Daemon[] = [];
  const stop = async () => {
    child.kill();
    await gone;
  };
  return {
    address,
    folder,
    stop,
    async connect(to = address) {
      const connection = await connectBus({ address: to, clock: systemClock, log: silentLog });
      connections.push(connection);
      return connection;
    },
    async daemon(name, args) {
      const daemon = await startDaemon(name, args, address);
      daemons.push(daemon);
      return daemon;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(daemons.map((daemon) => daemon.end('SIGKILL')));
      await Promise.all(connections.map((connection) => connection.close()));
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
async function startDaemon(name: string, args: readonly string[], address: string): Promise<Daemon> {
  const main = join(import.meta.dirname, '../../src/apps', `${name}.ts`);
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const gone = once(child, 'exit') as Promise<[number | null]>;
  let log = '';
  const looks = new Set<() => void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
    for (const look of looks) look();
  });
  const ready = once(child.stdout, 'data').then(() => true);
  if (!(await Promise.race([ready, gone.then(() => false)]))) throw new Error(`${name} ended at once: ${log}`);
  return {
    child,
    gone: gone.then(([status]) => status),
    log: () => log,
    logged: (pattern) =>
      new Promise((resolve) => {
        const look = () => {
          if (!pattern.test(log)) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
      }),
    async end(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const [status] = await gone;
      return status;
    },
  };
}
