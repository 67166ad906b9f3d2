/**
 * `VM.start` answered ÷ bare QEMU spawn → `cont` with the same arguments, and `VM.hard_shutdown` ÷ bare `quit`, interleaved.
 * Wanted: at most 1.5 and 2. libvirt runs the same guest beside them where its daemon answers.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { bareVm, benchHost, median, printTable } from './host.ts';
import { libvirtPeer } from './libvirt.ts';

const rounds = Number(process.env['ROUNDS'] ?? 25);
const folder = join(import.meta.dirname, '..', 'build', 'guest');
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<
  'kernel' | 'ramdisk' | 'cmdline',
  string
>;
const guest = {
  kernel: join(folder, manifest.kernel),
  ramdisk: join(folder, manifest.ramdisk),
  cmdline: manifest.cmdline,
};
const host = await benchHost('qemu', guest);
const vm = await bareVm(host, 'bench start');

/** The command line of the guest's QEMU, as the toolstack started it. */
async function argumentsOf(): Promise<string[]> {
  await host.call('VM.start', vm, false, false);
  const uuid = (await host.call('VM.get_uuid', vm)) as string;
  const { readdirSync } = await import('node:fs');
  const pid = readdirSync('/proc').find((p) => {
    if (!/^\d+$/.test(p)) return false;
    try {
      const line = readFileSync(`/proc/${p}/cmdline`, 'utf8');
      return line.includes('qemu-system') && line.includes(uuid);
    } catch {
      return false;
    }
  });
  const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  await host.call('VM.hard_shutdown', vm);
  return argv;
}
const argv = await argumentsOf();
const qmpPath = /path"?[=:]"?([^,"]*qmp[^,"]*)/.exec(argv.join('\n'))?.[1] ?? '';
if (!qmpPath) throw new Error(`no QMP socket among the arguments: ${argv.join(' ')}`);

/** Spawn → greeting → capabilities → `cont` answered; then `quit` → exit. Milliseconds of both. */
async function bare(): Promise<[start: number, destroy: number]> {
  mkdirSync(dirname(qmpPath), { recursive: true });
  const began = performance.now();
  const child = spawn(argv[0]!, argv.slice(1), { cwd: dirname(qmpPath), stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const socket = await connected(qmpPath);
  const lines = createInterface(socket)[Symbol.asyncIterator]();
  const command = async (execute: string) => {
    socket.write(`${JSON.stringify({ execute })}\n`);
    for (;;) {
      const { value } = await lines.next();
      if ('return' in JSON.parse(value as string)) return;
    }
  };
  await lines.next();
  await command('qmp_capabilities');
  await command('cont');
  const running = performance.now();
  socket.write('{"execute":"quit"}\n');
  await exited;
  const gone = performance.now();
  socket.destroy();
  rmSync(dirname(qmpPath), { recursive: true, force: true });
  return [running - began, gone - running];
}
async function connected(path: string): Promise<Socket> {
  for (;;) {
    if (existsSync(path)) {
      const socket = createConnection(path);
      const done = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (done) return socket;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
async function ours(): Promise<[start: number, destroy: number]> {
  const began = performance.now();
  await host.call('VM.start', vm, false, false);
  const running = performance.now();
  await host.call('VM.hard_shutdown', vm);
  return [running - began, performance.now() - running];
}

const libvirt = await libvirtPeer(guest, Number((await host.call('VM.get_memory_static_max', vm)) as string) / 2 ** 20);
const peer: [number, number][] = [];
const other: [number, number][] = [];
const project: [number, number][] = [];
for (let i = 0; i < rounds; i++) {
  peer.push(await bare());
  project.push(await ours());
  if (typeof libvirt !== 'string') other.push(await libvirt.cycle());
}
await host.stop();
if (typeof libvirt === 'string') console.log(`libvirt is not measured: ${libvirt}`);
else await libvirt.close();
const row = (what: string, i: 0 | 1, wanted: string) => {
  const [a, b, c] = [peer, project, other].map((all) => median(all.map((p) => p[i]))) as [number, number, number];
  const shown = Number.isNaN(c) ? '-' : `${c.toFixed(1)} ms`;
  return [what, `${a.toFixed(1)} ms`, `${b.toFixed(1)} ms`, (b / a).toFixed(2), wanted, shown];
};
printTable([
  ['what', 'bare QEMU', 'guesthouse', 'ratio', 'wanted', 'libvirt'],
  row('start', 0, '≤ 1.5'),
  row('destroy', 1, '≤ 2'),
]);
