/**
 * Suspending a guest to a file and resuming it, through the backend and by a bare QEMU of the same command line that migrates into
 * `cat` and out of it, with the file made durable, interleaved. Wanted: at most 1.3 × and 1.5 ×. `bin/node bench/suspend.ts`; `ROUNDS` (5).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { qemuBench } from '../tests/live/qemu-bench.ts';
import { Bare } from './bare-qemu.ts';
import { median, printTable } from './host.ts';

const rounds = Number(process.env['ROUNDS'] ?? 5);
const folder = join(import.meta.dirname, '..', 'build', 'guest');
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, string>;
const mib = 1 << 20;
const b = await qemuBench();
const files = { kernel: join(folder, manifest['kernel'] ?? ''), ramdisk: join(folder, manifest['ramdisk'] ?? '') };
b.with({
  boot: { kind: 'kernel', ...files, cmdline: manifest['cmdline'] ?? '' },
  memory: { staticMax: 128 * mib, dynamicMax: 128 * mib, dynamicMin: 128 * mib },
});
const spec = b.spec(1);
interface Times {
  readonly suspend: number;
  readonly resume: number;
  /** Bytes of the image. */
  readonly bytes: number;
}
const timed = async (f: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await f();
  return performance.now() - began;
};

async function ours(): Promise<Times> {
  const { vm } = b.backend;
  await vm.create(spec, 1);
  await vm.build(spec);
  await vm.unpause(spec.id);
  await b.ready(spec.id);
  const image = await b.image();
  const suspend = await timed(() => vm.save(spec.id, image, {}));
  await vm.destroy(spec.id);
  await vm.create(spec, 2);
  const resume = await timed(async () => {
    await vm.restore(spec, image, {});
    await vm.unpause(spec.id);
  });
  await vm.destroy(spec.id);
  return { suspend, resume, bytes: statSync(image.path).size };
}
async function migrated(it: Bare): Promise<void> {
  for (;;) {
    const { status } = await it.ask('query-migrate');
    if (status === 'completed') return;
    if (status === 'failed') throw new Error('the bare migration failed');
    await sleep(2);
  }
}
/** Without the sandbox, which keeps QEMU from starting `cat`. */
function bareArguments(argv: readonly string[], dir: string): string[] {
  const own = argv.map((a) =>
    a.replaceAll(join(b.folder, 'qemu', spec.id, 'run'), dir).replaceAll(join(b.folder, 'qemu', spec.id), dir),
  );
  return own.filter((a, i) => a !== '-sandbox' && own[i - 1] !== '-sandbox');
}
async function bare(argv: readonly string[]): Promise<Times> {
  const dir = join(b.folder, 'bare');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const args = bareArguments(argv, dir);
  const image = join(dir, 'image');
  const from = await Bare.start(args, join(dir, 'qmp'));
  await from.ask('cont');
  while (!readFileSync(join(dir, 'console.log'), 'latin1').includes('READY')) await sleep(50);
  await from.ask('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  const suspend = await timed(async () => {
    await from.ask('stop');
    await from.ask('migrate', { uri: `exec:cat > ${image}` });
    await migrated(from);
    // As ours, which must outlive the host.
    execFileSync('sync', [image]);
  });
  await from.end();
  let to: Bare | undefined;
  const resume = await timed(async () => {
    to = await Bare.start([...args, '-incoming', `exec:cat ${image}`], join(dir, 'qmp'));
    await migrated(to);
    await to.ask('cont');
  });
  await to?.end();
  return { suspend, resume, bytes: statSync(image).size };
}

try {
  await b.backend.open();
  await b.backend.vm.create(spec, 1);
  await b.backend.vm.build(spec);
  const argv = readFileSync(`/proc/${await b.pidOf(spec.id)}/cmdline`, 'utf8')
    .split('\0')
    .slice(0, -1);
  await b.backend.vm.destroy(spec.id);
  const found: { readonly limit: Times; readonly project: Times }[] = [];
  for (let i = 0; i < rounds; i++) found.push({ limit: await bare(argv), project: await ours() });
  const row = (what: 'suspend' | 'resume', wanted: number) => {
    const [limit, project] = (['limit', 'project'] as const).map((who) => median(found.map((f) => f[who][what])));
    const ratio = (project ?? 0) / (limit ?? 1);
    return [what, `${limit?.toFixed(0)} ms`, `${project?.toFixed(0)} ms`, ratio.toFixed(2), `≤ ${wanted}`];
  };
  printTable([['128 MiB', 'bare QEMU', 'project', 'ratio', 'wanted'], row('suspend', 1.3), row('resume', 1.5)]);
} finally {
  await b.dispose();
}
