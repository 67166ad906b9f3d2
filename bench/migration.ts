/**
 * A live migration on one host as QEMU itself reports it (`query-migrate` of the sender: total time and downtime), through the
 * backend and between two bare QEMUs of the same command lines, interleaved. Wanted: at most 1.5 × the total, and 2 × + 5 ms the downtime.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Observed } from '../src/xenops/backend.ts';
import { qemuBench } from '../tests/live/qemu-bench.ts';
import { Bare } from './bare-qemu.ts';
import { median, printTable } from './host.ts';

const rounds = Number(process.env['ROUNDS'] ?? 5);
const folder = join(import.meta.dirname, '..', 'build', 'guest');
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, string>;
const mib = 1 << 20;
interface Times {
  readonly total: number;
  readonly downtime: number;
}
const b = await qemuBench();
b.with({
  boot: {
    kind: 'kernel',
    kernel: join(folder, manifest['kernel'] ?? ''),
    ramdisk: join(folder, manifest['ramdisk'] ?? ''),
    cmdline: manifest['cmdline'] ?? '',
  },
  memory: { staticMax: 256 * mib, dynamicMax: 256 * mib, dynamicMin: 256 * mib },
});
const spec = b.spec(1);
const copy = { ...spec, id: 'c0000000-0000-4000-8000-000000000001' };
const argumentsOf = async (vm: string) =>
  readFileSync(`/proc/${await b.pidOf(vm)}/cmdline`, 'utf8')
    .split('\0')
    .slice(0, -1);

const timesOf = (r: Record<string, unknown>): Times => ({
  total: Number(r['total-time']),
  downtime: Number(r['downtime']),
});

/** Through the backend: the sender is asked once more on a connection of ours. */
async function ours(): Promise<Times> {
  const { vm, migration } = b.backend;
  if (!migration) throw new Error('this backend moves nothing');
  await vm.create(spec, 1);
  await vm.build(spec);
  await vm.unpause(spec.id);
  await b.ready(spec.id);
  await vm.create(copy, 2);
  const address = await migration.listen(copy.id, await migration.describe(spec.id));
  await Promise.all([migration.send(spec.id, address, true, {}), migration.receive(copy, address, {})]);
  const seen: Observed | undefined = await vm.observe(copy.id);
  if (seen?.power !== 'paused') throw new Error('the guest did not arrive');
  // QEMU serves one control connection at a time: the backend lets go of it, and finds its domains again.
  await b.backend.close();
  const asked = createConnection(join(b.folder, 'qemu', spec.id, 'run', 'qmp'));
  const lines = createInterface(asked)[Symbol.asyncIterator]();
  asked.write('{"execute":"qmp_capabilities"}\n{"execute":"query-migrate"}\n');
  let times: Times | undefined;
  while (!times) {
    const answer = JSON.parse((await lines.next()).value as string) as { return?: Record<string, unknown> };
    if (answer.return?.['total-time'] !== undefined) times = timesOf(answer.return);
  }
  asked.destroy();
  const backend = await b.again();
  await backend.open();
  for (const { vm: id } of await backend.observeAll()) await backend.vm.destroy(id);
  return times;
}
/** Two QEMUs and nothing else, with the guest's command line. */
async function bare(argv: readonly string[]): Promise<Times> {
  const dir = join(b.folder, 'bare');
  const at = (name: string) =>
    argv.map((a) =>
      a
        .replaceAll(join(b.folder, 'qemu', spec.id, 'run'), `${dir}-${name}`)
        .replaceAll(join(b.folder, 'qemu', spec.id), `${dir}-${name}`),
    );
  for (const name of ['from', 'to']) mkdirSync(`${dir}-${name}`, { recursive: true });
  const from = await Bare.start(at('from'), `${dir}-from/qmp`);
  await from.ask('cont');
  const log = `${dir}-from/console.log`;
  while (!existsSync(log) || !readFileSync(log, 'latin1').includes('READY')) await sleep(50);
  const to = await Bare.start([...at('to'), '-incoming', 'defer'], `${dir}-to/qmp`);
  const path = `${dir}-to/stream`;
  await to.ask('migrate-incoming', { uri: `unix:${path}` });
  await from.ask('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  await from.ask('migrate', { uri: `unix:${path}` });
  let found = await from.ask('query-migrate');
  while (found['status'] !== 'completed') {
    if (found['status'] === 'failed') throw new Error('the bare migration failed');
    await sleep(20);
    found = await from.ask('query-migrate');
  }
  await Promise.all([from.end(), to.end()]);
  for (const name of ['from', 'to']) rmSync(`${dir}-${name}`, { recursive: true, force: true });
  return timesOf(found);
}

try {
  await b.backend.open();
  await b.backend.vm.create(spec, 1);
  await b.backend.vm.build(spec);
  const argv = await argumentsOf(spec.id);
  await b.backend.vm.destroy(spec.id);
  const all = { ours: [] as Times[], bare: [] as Times[] };
  for (let i = 0; i < rounds; i++) {
    all.bare.push(await bare(argv));
    all.ours.push(await ours());
  }
  const of = (who: 'ours' | 'bare', what: keyof Times) => median(all[who].map((t) => t[what]));
  const [total, bareTotal] = [of('ours', 'total'), of('bare', 'total')];
  const [down, bareDown] = [of('ours', 'downtime'), of('bare', 'downtime')];
  printTable([
    ['', 'bare QEMU', 'backend', 'ratio', 'wanted'],
    ['total, ms', bareTotal.toFixed(0), total.toFixed(0), (total / bareTotal).toFixed(2), '1.5'],
    ['downtime, ms', bareDown.toFixed(0), down.toFixed(0), (down / bareDown).toFixed(2), `${2 * bareDown + 5} ms`],
  ]);
} finally {
  await b.dispose();
}
