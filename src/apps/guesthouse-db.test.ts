import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { classes, schemaVersion } from '../datamodel/index.ts';
import type { Db } from '../db/db.ts';
import { openDb } from '../db/memory-db.ts';
import { splitStore } from '../store/parts.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { dbCommand } from './guesthouse-db.ts';

const none = () => Buffer.alloc(0);
async function open(data: string): Promise<Db> {
  const path = join(data, 'state.db');
  const store = (await splitStore(await openSqliteStore({ path, log: silentLog, schema: schemaVersion })))('xenapi');
  const encode = { xml: none, json: none };
  return openDb({ store, classes, clock: systemClock, ids: randomIds, log: silentLog, encode });
}
async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const status = await dbCommand(args, { out: (t) => (out += t), err: (t) => (err += t) });
  return { status, out, err };
}
const inFolder = (title: string, f: (dir: string) => Promise<void>) =>
  test(title, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'guesthouse-db-'));
    try {
      await f(dir);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
async function filled(data: string): Promise<Db> {
  const db = await open(data);
  const vm = db.create('VM', { name_label: 'a "quoted"\nname', other_config: { x: 'y' } });
  db.create('VBD', { VM: vm, userdevice: '0' });
  const group = db.create('VM_group', {});
  db.set('VM', vm, { groups: [group] });
  db.create('secret', { value: 'hunter2' });
  db.create('PBD', { device_config: { target: '192.0.2.1', chappassword: 'opensesame' } });
  await db.durable();
  return db;
}
const everything = (db: Db): unknown =>
  Object.keys(classes)
    .sort()
    .map((c) => [c, [...db.rows(c as 'VM')].sort((a, b) => (a[0] < b[0] ? -1 : 1))]);

inFolder('an export of a database in use, imported elsewhere, is the same database', async (dir) => {
  const db = await filled(join(dir, 'one'));
  const file = join(dir, 'backup.jsonl');
  const wanted = everything(db);
  const exported = await run('export', '--data', join(dir, 'one'), '--secrets', file);
  assert.deepEqual([exported.status, exported.err], [0, '']);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const token = db.revision;
  await db.close();
  assert.equal((await run('export', '--data', join(dir, 'one'), '--secrets', file)).status, 1);
  const again = await run('export', '--data', join(dir, 'one'), '--secrets', '-');
  assert.equal(again.out, readFileSync(file, 'utf8'));
  const imported = await run('import', '--data', join(dir, 'two'), file);
  assert.deepEqual([imported.status, imported.err], [0, '']);
  const checked = await run('check', '--data', join(dir, 'two'));
  assert.deepEqual([checked.status, checked.err], [0, '']);
  const two = await open(join(dir, 'two'));
  assert.deepEqual(everything(two), wanted);
  assert.equal(two.changes(token), undefined);
  await two.close();
  const third = await run('import', '--data', join(dir, 'two'), file);
  assert.equal(third.status, 1);
  assert.match(third.err, /there already/);
});

inFolder('without --secrets no password leaves', async (dir) => {
  const db = await filled(join(dir, 'one'));
  const { status, out } = await run('export', '--data', join(dir, 'one'), '-');
  await db.close();
  assert.equal(status, 0);
  assert.ok(!out.includes('hunter2') && !out.includes('opensesame'));
  assert.ok(out.includes('192.0.2.1'));
  const file = join(dir, 'open.jsonl');
  writeFileSync(file, out);
  const imported = await run('import', '--data', join(dir, 'two'), file);
  assert.equal(imported.status, 0);
  assert.match(imported.err, /without --secrets/);
});

inFolder('an import checks everything first and names the line', async (dir) => {
  const db = await filled(join(dir, 'one'));
  await db.close();
  const { out } = await run('export', '--data', join(dir, 'one'), '--secrets', '-');
  const lines = out.trimEnd().split('\n');
  const at = (table: string) => lines.findIndex((l) => l.startsWith(`{"table":"${table}"`));
  const change = (i: number, f: (line: string) => string) => lines.map((l, n) => (n === i ? f(l) : l));
  const cases: [string[], RegExp][] = [
    [lines.slice(0, -1), /ends early/],
    [lines.toSpliced(3, 1), /rows; the export wrote/],
    [change(0, () => '{}'), /bad\.jsonl:1: is no export/],
    [change(0, (l) => l.replace(/"schema":"[^"]*"/, '"schema":"99.0"')), /newer version/],
    [change(3, () => 'rubbish'), /bad\.jsonl:4: is no JSON object/],
    [lines.toSpliced(2, 0, lines[1] ?? ''), /bad\.jsonl:3: .* is there already: bad\.jsonl:2/s],
    [
      change(at('VM'), (l) => l.replace('"memory_overhead":0', '"memory_overhead":"x"')),
      /memory_overhead: "x" is no int/,
    ],
    [
      lines.toSpliced(at('VM'), 0, (lines[at('VM')] ?? '').replace('OpaqueRef', 'OpaqueRef2')),
      /uuid .* is taken already/,
    ],
  ];
  for (const [bad, why] of cases) {
    const file = join(dir, 'bad.jsonl');
    writeFileSync(file, `${bad.join('\n')}\n`);
    const { status, err } = await run('import', '--data', join(dir, 'two'), file);
    assert.equal(status, 1);
    assert.match(err.replaceAll(dir, '').replaceAll('/bad', 'bad'), why);
    assert.ok(!existsSync(join(dir, 'two', 'state.db')));
  }
});

inFolder('check finds what is wrong', async (dir) => {
  const db = await filled(dir);
  await db.close();
  const path = join(dir, 'state.db');
  const sql = new DatabaseSync(path);
  sql.exec(`UPDATE t_VBD SET value = replace(value, '"userdevice":"0"', '"userdevice":"1"')`);
  sql.close();
  const found = await run('check', '--data', dir);
  assert.equal(found.status, 1);
  assert.match(found.err, /t?VBD\/OpaqueRef.*checksum/);
  const partly = await run('export', '--data', dir, '-');
  assert.equal(partly.status, 1);
  assert.ok(partly.out.includes('"table":"VM"') && !partly.out.includes('"table":"VBD"'));
  writeFileSync(path, 'garbage'.repeat(1000));
  const garbage = await run('check', '--data', dir);
  assert.equal(garbage.status, 1);
  assert.match(garbage.err, /damaged/);
});

inFolder('check tells dangling references and one-sided relations as notes', async (dir) => {
  const path = join(dir, 'state.db');
  const store = await openSqliteStore({ path, log: silentLog, schema: schemaVersion });
  await store.commit(1, [
    { table: 'VM', key: 'OpaqueRef:vm', value: '{"uuid":"u","groups":["OpaqueRef:g"],"affinity":"OpaqueRef:gone"}' },
    { table: 'VM_group', key: 'OpaqueRef:g', value: '{"uuid":"v","VMs":[],"later":1}' },
  ]);
  await store.close();
  const { status, err } = await run('check', '--data', dir);
  assert.equal(status, 0);
  for (const part of ['VM.affinity', 'does not have it in VMs', 'VM_group.later is not stored', 'tags is missing'])
    assert.ok(err.includes(part), part);
  const db = await openDb({
    store: await openSqliteStore({ path, log: silentLog, schema: schemaVersion }),
    ...{ classes, clock: systemClock, ids: randomIds, log: silentLog, encode: { xml: none, json: none } },
  });
  assert.deepEqual(db.get('VM_group', 'OpaqueRef:g').VMs, ['OpaqueRef:vm']);
  await db.close();
});

inFolder('a wrong command line says how it goes', async (dir) => {
  for (const args of [[], ['dance'], ['export'], ['check', 'x'], ['import', 'a', 'b'], ['check', '--what']]) {
    const { status, err } = await run(...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(err, /usage:/);
  }
  assert.equal((await run('--help')).status, 0);
  assert.match((await run('check', '--data', dir)).err, /there is no such file/);
  appendFileSync(join(dir, 'x'), '');
  assert.equal((await run('import', '--data', dir, join(dir, 'missing'))).status, 1);
  assert.equal((await run('import', '--data', dir, join(dir, 'x'))).status, 1);
});

inFolder('a file that is there, or is not, is told with what to do', async (dir) => {
  const data = join(dir, 'one');
  await (await filled(data)).close();
  const file = join(dir, 'backup.jsonl');
  assert.equal((await run('export', '--data', data, file)).status, 0);
  const again = await run('export', '--data', data, file);
  assert.deepEqual(
    [again.status, again.err],
    [1, `guesthouse db export: ${file} is there already and is not overwritten; give another name, or remove it\n`],
  );
  const absent = await run('import', '--data', join(dir, 'two'), join(dir, 'none'));
  assert.equal(absent.status, 1);
  assert.match(absent.err, /there is no such file/);
});
