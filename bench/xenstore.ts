/**
 * Ours beside Debian's C xenstored and oxenstored (package xen-utils-4.17), through one client in C, on unix sockets; Xen is not needed. Needs gcc;
 * oxenstored needs root for a mount namespace of its own. Rounds are interleaved, so that all meet the same neighbours.
 *
 *     bin/node bench/xenstore.ts          ROUNDS=7 SECONDS_EACH=1 ROWS='transactions' (a pattern)
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const rounds = Number(process.env['ROUNDS'] ?? 7);
const seconds = Number(process.env['SECONDS_EACH'] ?? 1);
const wanted = new RegExp(process.env['ROWS'] ?? '');
const xen = '/usr/lib/xen-4.17/bin';
/** As bin/xenstored starts it; a copy of the bundle, so that sources may change meanwhile. */
const nodeProgram = process.execPath;
const flags = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
  '--single-threaded-gc',
];
const folder = mkdtempSync(join(tmpdir(), 'gh-xenstore-bench-'));

interface Daemon {
  readonly name: string;
  readonly socket: string;
  readonly child: ChildProcess;
}
interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  readonly conflicts: number;
}

function compile(source: string, target: string, ...flags: string[]): string {
  const to = join(folder, target);
  execFileSync('gcc', ['-O2', '-w', ...flags, '-o', to, join(import.meta.dirname, 'xenstore', source), '-ldl']);
  return to;
}

const answers = (path: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

async function start(name: string, socket: string, child: ChildProcess): Promise<Daemon> {
  for (let tries = 0; tries < 200; tries++) {
    if (await answers(socket)) return { name, socket, child };
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  child.kill('SIGKILL');
  throw new Error(`${name} does not answer at ${socket}`);
}

/** A new one, with an empty store. */
const kinds: Readonly<Record<string, (stub: string) => Promise<Daemon>>> = {
  guesthouse() {
    const socket = join(mkdtempSync(join(folder, 'ours-')), 'socket');
    const args = [...flags, join(folder, 'xenstored.cjs'), '--socket', socket];
    return start('guesthouse', socket, spawn(nodeProgram, args, { stdio: 'ignore' }));
  },
  'C xenstored'(stub) {
    const place = mkdtempSync(join(folder, 'c-'));
    const env = {
      ...process.env,
      LD_PRELOAD: stub,
      XENSTORED_ROOTDIR: place,
      XENSTORED_RUNDIR: place,
      XENSTORED_PATH: join(place, 'socket'),
    };
    return start('C xenstored', join(place, 'socket'), spawn(join(xen, 'xenstored'), ['-N'], { env, stdio: 'ignore' }));
  },
  oxenstored(stub) {
    const place = mkdtempSync(join(folder, 'o-'));
    mkdirSync(join(place, 'log'));
    const quotas = ['activate = false', 'maxentity = 1000000', 'maxsize = 2048'].map((each) => `quota-${each}`);
    writeFileSync(join(place, 'conf'), `pid-file = /run/xenstored/pid\n${quotas.join('\n')}\npersistent = false\n`);
    const script = `mount --make-rprivate /; mkdir -p /run/xenstored /var/log/xen; mount --bind ${place} /run/xenstored
mount --bind ${place}/log /var/log/xen
LD_PRELOAD=${stub} exec ${xen}/oxenstored --no-fork --no-domain-init --no-access-log --config-file /run/xenstored/conf`;
    return start(
      'oxenstored',
      join(place, 'socket'),
      spawn('unshare', ['-m', 'sh', '-c', script], { stdio: 'ignore' }),
    );
  },
};

const residentKib = (daemon: Daemon) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid}/status`, 'latin1'))?.[1]);
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const stop = (daemon: Daemon) =>
  new Promise((resolve) => {
    daemon.child.once('exit', resolve);
    daemon.child.kill('SIGKILL');
  });

interface Row {
  readonly title: string;
  readonly args: readonly string[];
  /** How much of the better of the two is wanted. */
  readonly target: number;
  /** The median time of one is compared, not how many there were in all: with one in flight it says the same, and neighbours disturb it less. */
  readonly latency?: true;
}
const each = String(seconds);
const row = (title: string, test: string, connections: number, depth: number, target: number): Row => ({
  title,
  args: [test, String(connections), String(depth), each],
  target,
});
const one = ['read', 'write', 'mkdirrm', 'directory'] as const;
const rows: readonly Row[] = [
  ...one.map((test) => ({ ...row(`${test}, 1 in flight`, test, 1, 1, 0.95), latency: true }) as const),
  { ...row('watch, write → event', 'watch', 1, 1, 0.95), latency: true },
  ...one.map((test) => row(`${test}, 64 in flight`, test, 1, 64, 5)),
  row('read, 16 connections × 64', 'read', 16, 64, 5),
  { ...row('transactions of 12, 1 connection', 'tx', 1, 1, 1.2), latency: true },
  row('transactions of 12, 16 connections', 'tx', 16, 1, 1),
];

async function main(): Promise<void> {
  execFileSync(process.execPath, [join(root, 'tools/bundle.ts'), 'xenstored'], { stdio: 'ignore' });
  copyFileSync(join(root, 'dist/xenstored.cjs'), join(folder, 'xenstored.cjs'));
  const load = compile('load.c', 'load');
  const stub = compile('stub.c', 'stub.so', '-shared', '-fPIC');
  const names = Object.keys(kinds).filter((name) => {
    const program = { 'C xenstored': 'xenstored', oxenstored: 'oxenstored' }[name];
    if (program === undefined || existsSync(join(xen, program))) return true;
    console.log(`${name} is not measured: install Debian's package xen-utils-4.17`);
    return false;
  });
  const measure = (daemon: Daemon, args: readonly string[]): Result =>
    JSON.parse(execFileSync(load, [daemon.socket, ...args], { encoding: 'utf8' })) as Result;
  const print = (title: string, values: Map<string, number>, ratio: number, target: number, note = '') => {
    const cells = names.map((name) => String(Math.round((values.get(name) ?? Number.NaN) * 10) / 10).padStart(12));
    const verdict = Number.isNaN(ratio)
      ? ''
      : `${ratio.toFixed(2)} (${ratio >= target ? 'holds' : 'FALLS SHORT OF'} ${target})`;
    console.log(`${title.padEnd(38)} ${cells.join(' ')}   ${verdict} ${note}`);
  };
  console.log(`medians of ${rounds} interleaved rounds of ${seconds} s; ratio to the better of the others\n`);
  console.log(`${''.padEnd(38)} ${names.map((name) => name.padStart(12)).join(' ')}`);
  const daemons: Daemon[] = [];
  for (const name of names) daemons.push(await (kinds[name] as (s: string) => Promise<Daemon>)(stub));
  try {
    for (const { title, args, target, latency } of rows) {
      if (!wanted.test(title)) continue;
      const results = new Map<string, Result[]>();
      // Not counted: whoever compiles while it runs has done so.
      for (const daemon of daemons) measure(daemon, args);
      for (let round = 0; round < rounds; round++) {
        for (const daemon of daemons)
          results.set(daemon.name, [...(results.get(daemon.name) ?? []), measure(daemon, args)]);
      }
      const values = new Map(
        [...results].map(([name, list]) => [name, median(list.map((r) => (latency ? r.p50 : r.perSecond)))]),
      );
      const others = names.slice(1).map((name) => values.get(name) ?? Number.NaN);
      const ours = values.get('guesthouse') ?? Number.NaN;
      const ratio =
        others.length === 0 ? Number.NaN : latency ? Math.min(...others) / ours : ours / Math.max(...others);
      const sum = (pick: (r: Result) => number) => (results.get('guesthouse') ?? []).reduce((n, r) => n + pick(r), 0);
      const note = title.startsWith('transactions') ? `EAGAIN: ${sum((r) => r.conflicts)}` : '';
      print(
        `${title}, ${latency ? 'µs' : 'per s'}`,
        values,
        ratio,
        target,
        sum((r) => r.errors) > 0 ? `${note} ERRORS` : note,
      );
    }
  } finally {
    for (const daemon of daemons) await stop(daemon);
  }
  if (wanted.test('populate')) await populated(names, stub, measure, print);
}

/** Daemons that are filled: how fast, and what it costs; each round begins with empty ones. */
async function populated(
  names: readonly string[],
  stub: string,
  measure: (daemon: Daemon, args: readonly string[]) => Result,
  print: (title: string, values: Map<string, number>, ratio: number, target: number, note?: string) => void,
): Promise<void> {
  const speed = new Map<string, number[]>();
  const memory = new Map<string, number[]>();
  const add = (to: Map<string, number[]>, name: string, value: number) =>
    to.set(name, [...(to.get(name) ?? []), value]);
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const daemon = await (kinds[name] as (s: string) => Promise<Daemon>)(stub);
      try {
        measure(daemon, ['populate', '10000']);
        add(memory, name, residentKib(daemon) / 1024);
        // The slow one takes a minute for all: it is asked for a fifth.
        const nodes = name === 'C xenstored' ? 20_000 : 100_000;
        add(speed, name, measure(daemon, ['populate', String(nodes)]).perSecond);
      } finally {
        await stop(daemon);
      }
    }
  }
  const medians = (of: Map<string, number[]>) => new Map([...of].map(([name, list]) => [name, median(list)]));
  const [fast, small] = [medians(speed), medians(memory)];
  const others = names.slice(1).map((name) => fast.get(name) ?? Number.NaN);
  const ours = fast.get('guesthouse') ?? Number.NaN;
  print('populate 100,000 nodes, per s', fast, others.length === 0 ? Number.NaN : ours / Math.max(...others), 2);
  const mib = small.get('guesthouse') ?? Number.NaN;
  print(
    'resident with 10,000 nodes, MiB',
    small,
    Number.NaN,
    0,
    mib <= 70 ? 'ours at most 70: holds' : 'ours at most 70: FALLS SHORT',
  );
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
