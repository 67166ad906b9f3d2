/**
 * Ours beside Debian's C xenstored on a ring: dom0's own, through its kernel, one request in flight. Runs in dom0 of a box (docs/box.md) that is used
 * for nothing else; the daemons serve in turn, a round each, warmed up first, so that both meet the same neighbours.
 *
 *     gcc -O2 -static -o ring bench/xenstore/ring.c               # outside, then into the box with this file and `bench/xenstore`
 *     node bench/xenstore-rings.ts ./ring                         # ROUNDS=7 SECONDS_EACH=2 WARM=8
 *
 * Meanwhile everything else that uses the store stands still; at the end ours serves again, with what it held before.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectStore } from '../src/xenstore/client.ts';

const rounds = Number(process.env['ROUNDS'] ?? 7);
const seconds = process.env['SECONDS_EACH'] ?? '2';
const warm = Number(process.env['WARM'] ?? 8);
const ring = process.argv[2] ?? './ring';
const wanted = 0.8;
const socket = '/run/xenstored/socket';
const rows = ['read', 'write100', 'write1900', 'directory', 'mkdirrm', 'transaction'] as const;
const daemons: Readonly<Record<string, readonly string[]>> = {
  guesthouse: [join(import.meta.dirname, '..', 'bin', 'xenstored')],
  'C xenstored': ['/usr/lib/xen-4.17/bin/xenstored', '-N'],
};

interface Program {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}
function programs(): Program[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((name) => {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ');
      return { pid: Number(name), parent, command };
    });
}
const answers = () =>
  new Promise<boolean>((resolve) => {
    const client = connect(socket);
    client.once('connect', () => {
      client.destroy();
      resolve(true);
    });
    client.once('error', () => resolve(false));
  });
async function start([program = '', ...args]: readonly string[]): Promise<ChildProcess> {
  rmSync(socket, { force: true });
  const child = spawn(program, args, { stdio: 'ignore' });
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) break;
    if (await answers()) return child;
    await sleep(100);
  }
  child.kill('SIGKILL');
  throw new Error(`${program} does not serve ${socket}`);
}
async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
/** How many per second. */
function measure(what: string, forS: string): number {
  const said = execFileSync(ring, ['/dev/xen/xenbus', what, forS, `data/bench-${what}`], { encoding: 'utf8' });
  return Number(/ (\d+)\/s/.exec(said)?.[1]);
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Many requests at once, over the socket, so that whoever compiles while it runs has done so. */
async function warmUp(): Promise<void> {
  const store = await connectStore(socket);
  const path = 'data/warm';
  const value = { short: 'v'.repeat(100), long: 'v'.repeat(1900) };
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.write(`${path}/list/${n}`, '')));
  const each = async (n: number) => {
    const own = `${path}/${n}`;
    const asked = [store.mkdir(own), store.rm(own), store.write(path, value.short), store.write(path, value.long)];
    await Promise.all([...asked, store.read(path), store.directory(`${path}/list`)]);
  };
  const inside = async (n: number) =>
    store.transaction(async (t) => {
      await t.write(`${path}/t${n}`, value.short);
      await t.read(`${path}/t${n}`);
    });
  for (const until = performance.now() + (warm / 2) * 1000; performance.now() < until; ) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => each(n)));
    for (let n = 0; n < 10; n++) await inside(n);
  }
  await store.rm(path);
  await store.close();
}

async function round(name: string, results: Map<string, number[]>): Promise<void> {
  const child = await start(daemons[name] ?? []);
  try {
    await warmUp();
    for (const what of rows) measure(what, String(warm / 2 / rows.length));
    const found = rows.map((what) => measure(what, seconds));
    for (const [n, what] of rows.entries())
      results.set(`${name} ${what}`, [...(results.get(`${name} ${what}`) ?? []), found[n] ?? Number.NaN]);
    console.error(name, ...found);
  } finally {
    await stop(child);
  }
}
/** Stops the host's store and all that uses it; the answer lets them go on. */
function standStill(): () => void {
  const all = programs();
  const served = all.find(({ command }) => /dist\/xenstored\.cjs|apps\/xenstored\.ts/.test(command));
  if (!served) throw new Error('our xenstored does not run here: is this dom0 of a box?');
  const users = all.filter(({ command }) => /xenconsoled|apps\/(guesthouse|supervisor|house)\.ts/.test(command));
  // The loop that would start the store again stands still too.
  const still = [...users, ...all.filter(({ pid }) => pid === served.parent && pid !== 1)].map(({ pid }) => pid);
  for (const pid of still) process.kill(pid, 'SIGSTOP');
  process.kill(served.pid, 'SIGKILL');
  return () => {
    rmSync(socket, { force: true });
    for (const pid of still) process.kill(pid, 'SIGCONT');
  };
}

const goOn = standStill();
const results = new Map<string, number[]>();
try {
  for (let n = 0; n < rounds; n++) for (const name of Object.keys(daemons)) await round(name, results);
} finally {
  goOn();
}
console.log(
  `dom0's ring, one in flight, per second: medians of ${rounds} rounds of ${seconds} s, the daemons in turn\n`,
);
console.log(`${''.padEnd(12)} ${'C xenstored'.padStart(12)} ${'guesthouse'.padStart(12)}   ratio`);
const short: string[] = [];
for (const what of rows) {
  const [peer, ours] = ['C xenstored', 'guesthouse'].map((name) => median(results.get(`${name} ${what}`) ?? []));
  const ratio = (ours ?? 0) / (peer ?? 0);
  if (ratio < wanted) short.push(what);
  const verdict = ratio >= wanted ? 'holds' : 'FALLS SHORT OF';
  console.log(
    `${what.padEnd(12)} ${String(peer).padStart(12)} ${String(ours).padStart(12)}   ${ratio.toFixed(2)} (${verdict} ${wanted})`,
  );
}
if (short.length > 0)
  console.log(`
Why ${short.join(', ')}: with one request in flight nothing can be done together, and a profile of the daemon shows it busy for nineteen
twentieths of the time: a third in the call that rings the peer, which C makes too, the rest in the processor's own work, a few hundred
calls of JavaScript per request, which an emulated processor makes ten to twenty times as slow as a real one. A request longer than the
ring (write1900) is rung for twice, a write is kept for a successor besides; with many in flight all of it is shared (bench/xenstore.ts).`);
