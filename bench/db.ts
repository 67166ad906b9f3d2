/**
 * The database: start-up with 10,000 VMs, and commits per second beside a bare SQLite insert loop on the same disk.
 * `bin/node bench/db.ts [--vms 10000] [--json]`; the start-up is measured in a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/base/clock.ts';
import { randomIds } from '../src/base/ids.ts';
import { silentLog } from '../src/base/log.ts';
import { classes, schemaVersion } from '../src/datamodel/index.ts';
import type { Db } from '../src/db/db.ts';
import { openDb } from '../src/db/memory-db.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

const json = (_: string, record: unknown) => Buffer.from(JSON.stringify(record));
const open = async (path: string): Promise<Db> =>
  openDb({
    store: await openSqliteStore({ path, log: silentLog, schema: schemaVersion }),
    classes,
    clock: systemClock,
    ids: randomIds,
    log: silentLog,
    encode: { xml: json, json },
  });

/** As a host with this many VMs would have them: one disk, one interface and metrics each. */
async function fill(db: Db, vms: number): Promise<void> {
  const sr = db.create('SR', { name_label: 'Local' });
  const network = db.create('network', { name_label: 'Internal' });
  for (let i = 0; i < vms; i++) {
    db.write((w) => {
      const metrics = w.create('VM_metrics', { memory_actual: 2 ** 30, VCPUs_number: 2 });
      const guest_metrics = w.create('VM_guest_metrics', { os_version: { name: 'Linux', uname: '6.1.0' } });
      const VM = w.create('VM', {
        ...{ name_label: `vm ${i}`, name_description: `Guest number ${i}`, metrics, guest_metrics },
        ...{ memory_static_max: 2 ** 30, memory_dynamic_max: 2 ** 30, VCPUs_max: 2, VCPUs_at_startup: 2 },
        HVM_boot_params: { order: 'cdn', firmware: 'bios' },
        platform: { nx: 'true', acpi: '1', apic: 'true', pae: 'true', viridian: 'false', stdvga: '0', videoram: '8' },
        other_config: { base_template_name: 'Other install media', mac_seed: randomIds.uuid(), import_task: 'none' },
        bios_strings: { 'bios-vendor': 'Xen', 'system-manufacturer': 'Xen', 'hp-rombios': '' },
        xenstore_data: { 'vm-data': '' },
      });
      const VDI = w.create('VDI', { SR: sr, name_label: `disk ${i}`, virtual_size: 2 ** 33 });
      w.create('VBD', { VM, VDI, userdevice: '0', bootable: true, type: 'Disk', mode: 'RW' });
      w.create('VIF', { VM, network, device: '0', MAC: '00:16:3e:00:00:00', MTU: 1500 });
    });
    if (i % 500 === 0) await db.durable();
  }
  await db.durable();
}
/** Writers that each change a VM and wait until it is durable, for `ms`. Answers commits per second. */
async function commits(db: Db, writers: number, ms: number): Promise<number> {
  const refs = [...db.refs('VM')].slice(0, writers);
  const end = performance.now() + ms;
  let count = 0;
  const work = async (ref: string) => {
    for (let i = 0; performance.now() < end; i++) {
      db.set('VM', ref, { name_description: `change ${i}` });
      await db.durable();
      count++;
    }
  };
  await Promise.all(refs.map(work));
  return (count / ms) * 1000;
}
/** The limit: one connection in this thread, one prepared statement, one row of the same size per flushed transaction. */
function bareInserts(path: string, bytes: number, ms: number): number {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (key TEXT PRIMARY KEY, value TEXT)');
  const put = db.prepare('INSERT OR REPLACE INTO t VALUES (?, ?)');
  const value = 'x'.repeat(bytes);
  const end = performance.now() + ms;
  let count = 0;
  for (; performance.now() < end; count++) put.run(`key ${count % 1000}`, value);
  db.close();
  return (count / ms) * 1000;
}

interface Line {
  readonly what: string;
  readonly peer: number | null;
  readonly project: number;
  readonly unit: string;
  readonly target: string;
}
const mib = (bytes: number) => Math.round(bytes / 2 ** 20);

/** Run by itself: opens the store and prints time and memory. */
async function startUp(path: string): Promise<void> {
  const before = process.memoryUsage().rss;
  const began = performance.now();
  const db = await open(path);
  const ms = Math.round(performance.now() - began);
  const { rss } = process.memoryUsage();
  const vms = db.count('VM');
  const first = performance.now();
  let bytes = 0;
  for (const ref of db.refs('VM')) bytes += db.json('VM', ref).length;
  const all = Math.round(performance.now() - first);
  console.log(JSON.stringify({ ms, rss: mib(rss), before: mib(before), vms, all, bytes: mib(bytes) }));
  await db.close();
}
async function run(vms: number): Promise<Line[]> {
  const dir = mkdtempSync(join(tmpdir(), 'guesthouse-bench-'));
  try {
    const path = join(dir, 'state.db');
    const db = await open(path);
    await fill(db, vms);
    await db.close();
    const self = [import.meta.filename, '--start-up', path];
    const start = JSON.parse(execFileSync(process.execPath, self, { encoding: 'utf8' })) as Record<string, number>;
    const busy = await open(path);
    const bytes = JSON.stringify(busy.rows('VM').next().value?.[1] ?? '').length;
    const lines: Line[] = [
      { what: `start-up, ${vms} VMs`, peer: null, project: start.ms ?? 0, unit: 'ms', target: '< 2000' },
      {
        what: 'resident after it (peer: before it)',
        peer: start.before ?? 0,
        project: start.rss ?? 0,
        unit: 'MiB',
        target: '≤ 350',
      },
      { what: 'first texts of all VMs', peer: null, project: start.all ?? 0, unit: 'ms', target: '' },
    ];
    for (const writers of [1, 16]) {
      // Interleaved, so that both see the same machine.
      const peer: number[] = [];
      const project: number[] = [];
      for (let round = 0; round < 3; round++) {
        peer.push(bareInserts(join(dir, `bare-${writers}-${round}.db`), bytes, 500));
        project.push(await commits(busy, writers, 500));
      }
      const median = (a: number[]) => Math.round(a.sort((x, y) => x - y)[1] ?? 0);
      const target = writers === 16 ? 'thousands' : '';
      lines.push({
        ...{ what: `durable writes, ${writers} writer${writers > 1 ? 's' : ''}`, unit: '/s', target },
        ...{ peer: median(peer), project: median(project) },
      });
    }
    await busy.close();
    return lines;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const { values } = parseArgs({
  options: {
    vms: { type: 'string', default: process.env['VMS'] ?? '10000' },
    json: { type: 'boolean' },
    'start-up': { type: 'string' },
  },
});
if (values['start-up'] !== undefined) await startUp(values['start-up']);
else {
  const lines = await run(Number(values.vms));
  if (values.json) console.log(JSON.stringify(lines));
  else
    console.table(
      lines.map((l) => ({ ...l, ratio: l.peer ? Number((l.project / l.peer).toFixed(2)) : '' })),
      ['what', 'peer', 'project', 'unit', 'ratio', 'target'],
    );
}
