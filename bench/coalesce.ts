/**
 * Two layers made one by the storage daemon, and by `qemu-img commit` alone on copies of the same files, interleaved. Wanted: at least
 * 0.8 of its rate. `bin/node bench/coalesce.ts`; `MIB` (512) in the upper layer, `ROUNDS` (5).
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { randomIds } from '../src/base/ids.ts';
import { silentLog } from '../src/base/log.ts';
import { openStorage } from '../src/storage/server.ts';
import { MemoryStore } from '../tests/conformance/memory-store.ts';
import { median, printTable } from './host.ts';

const size = Number(process.env['MIB'] ?? 512);
const rounds = Number(process.env['ROUNDS'] ?? 5);
const dir = mkdtempSync(join(tmpdir(), 'gh-bench-coalesce-'));
const sr = randomIds.uuid();
const location = join(dir, 'sr');
const ground = { dir: join(dir, 's'), store: new MemoryStore(), clock: systemClock, ids: randomIds, log: silentLog };
const storage = await openStorage(ground);

/** A disk of two layers, the upper one full; answers its file. */
async function layers(): Promise<{ vdi: string; path: string }> {
  const [vdi, to] = [randomIds.uuid(), randomIds.uuid()];
  await storage.vdi.create({ sr, vdi, name: 'bench', virtualSize: (2 * size) << 20, format: 'qcow2' });
  const write = async (byte: number) => {
    const { path, format } = await storage.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
    execFileSync('qemu-io', ['-f', format, '-c', `write -P ${byte} 0 ${size}M`, path]);
    await storage.vdi.close({ sr, vdi, user: 'guest' });
    return path;
  };
  await write(1);
  await storage.vdi.snapshot({ sr, vdi, to });
  const path = await write(2);
  await storage.vdi.destroy({ sr, vdi: to });
  return { vdi, path };
}
const timed = async (f: () => unknown): Promise<number> => {
  execFileSync('sync');
  const began = performance.now();
  await f();
  return (performance.now() - began) / 1000;
};
try {
  await storage.sr.create({ sr, type: 'file', config: { location } });
  const found: { readonly alone: number; readonly project: number }[] = [];
  for (let i = 0; i < rounds; i++) {
    const { vdi, path } = await layers();
    const copies = mkdtempSync(join(dir, 'copies-'));
    for (const file of readdirSync(location).filter((name) => name.endsWith('.qcow2')))
      copyFileSync(join(location, file), join(copies, file));
    const alone = await timed(() =>
      execFileSync('qemu-img', ['commit', '-q', '-d', '-f', 'qcow2', path.replace(location, copies)]),
    );
    const project = await timed(async () => {
      const { merged } = await storage.sr.coalesce({ sr });
      if (merged !== 1) throw new Error(`${merged} merged`);
    });
    found.push({ alone, project });
    rmSync(copies, { recursive: true });
    await storage.vdi.destroy({ sr, vdi });
  }
  const [alone, project] = (['alone', 'project'] as const).map((who) => size / median(found.map((f) => f[who])));
  const cells = [
    `${alone?.toFixed(0)} MiB/s`,
    `${project?.toFixed(0)} MiB/s`,
    ((project ?? 0) / (alone ?? 1)).toFixed(2),
  ];
  printTable([
    [`${size} MiB`, 'qemu-img commit', 'project', 'ratio', 'wanted'],
    ['coalescing', ...cells, '≥ 0.8'],
  ]);
} finally {
  await storage.close();
  rmSync(dir, { recursive: true, force: true });
}
