import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { seededIds } from '../base/ids.ts';
import { logTo, silentLog } from '../base/log.ts';
import { nullRef } from '../datamodel/dsl.ts';
import type { ApiError } from '../datamodel/errors.ts';
import { classes } from '../datamodel/index.ts';
import type { MemoryStoreOptions } from '../store/memory.ts';
import { emptyDisk, openMemoryStore } from '../store/memory.ts';
import type { Db, DbEvent } from './db.ts';
import type { DbOptions } from './memory-db.ts';
import { openDb } from './memory-db.ts';

let seed = 1;
const text = (cls: string, r: unknown) => Buffer.from(`${cls} ${JSON.stringify(r)}`);
const open = (store: MemoryStoreOptions = {}, options: Partial<DbOptions> = {}): Promise<Db> =>
  openDb({
    store: openMemoryStore(store),
    classes,
    clock: new ManualClock(),
    ids: seededIds(seed++),
    log: silentLog,
    encode: { xml: text, json: text },
    ...options,
  });
const fails = (code: string, f: () => unknown) => assert.throws(f, (e: ApiError) => e.code === code);
const brief = (events: readonly DbEvent[] | undefined) => events?.map((e) => `${e.op} ${e.cls} ${e.ref}`);

describe('objects', () => {
  test('create fills defaults and makes a uuid; get, find, has, byUuid, byName, count, rows', async () => {
    const db = await open();
    const vm = db.create('VM', { name_label: 'one', platform: { a: 'b' } });
    const rec = db.get('VM', vm);
    assert.match(vm, /^OpaqueRef:/);
    assert.equal(rec.power_state, 'Halted');
    assert.equal(rec.resident_on, nullRef);
    assert.deepEqual(rec.VBDs, []);
    assert.equal(rec.snapshot_time, '19700101T00:00:00Z');
    assert.ok(Object.isFrozen(rec) && Object.isFrozen(rec.platform));
    assert.equal(db.byUuid('VM', rec.uuid), vm);
    assert.deepEqual(db.byName('VM', 'one'), [vm]);
    assert.deepEqual([...db.rows('VM')], [[vm, rec]]);
    assert.equal(db.count('VM'), 1);
    assert.equal(db.find('VM', 'OpaqueRef:none'), undefined);
    fails('HANDLE_INVALID', () => db.get('VM', 'OpaqueRef:none'));
    fails('UUID_INVALID', () => db.byUuid('VM', 'none'));
  });
  test('what the caller passed may change afterwards, and keys such as __proto__ are ordinary', async () => {
    const db = await open();
    const other_config = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>;
    const vm = db.create('VM', { other_config });
    other_config.later = 'z';
    assert.deepEqual(Object.entries(db.get('VM', vm).other_config), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    const before = db.revision;
    db.set('VM', vm, { other_config: JSON.parse('{"constructor": "y", "__proto__": "x"}') });
    assert.equal(db.revision, before);
  });
  test('a duplicate uuid or reference is refused and changes nothing', async () => {
    const db = await open();
    const vm = db.create('VM', { uuid: 'u', name_label: 'a' }, 'OpaqueRef:1');
    fails('DB_UNIQUENESS_CONSTRAINT_VIOLATION', () => db.create('VM', { uuid: 'u' }));
    fails('DB_UNIQUENESS_CONSTRAINT_VIOLATION', () => db.create('VM', {}, vm));
    fails('DB_UNIQUENESS_CONSTRAINT_VIOLATION', () => db.create('VM', {}, nullRef));
    assert.equal(db.count('VM'), 1);
    const other = db.create('VM', { uuid: 'v' });
    fails('DB_UNIQUENESS_CONSTRAINT_VIOLATION', () => db.set('VM', other, { uuid: 'u', name_label: 'b' }));
    assert.equal(db.get('VM', other).name_label, '');
  });
  test('unknown fields and computed ends are refused', async () => {
    const db = await open();
    const vm = db.create('VM', {});
    fails('INTERNAL_ERROR', () => db.set('VM', vm, { no_such: 1 } as never));
    fails('INTERNAL_ERROR', () => db.set('VM', vm, { VBDs: ['OpaqueRef:x'] }));
    fails('HANDLE_INVALID', () => db.set('VM', 'OpaqueRef:none', { name_label: 'x' }));
    db.destroy('VM', 'OpaqueRef:none');
  });
});

describe('relations', () => {
  test('the set end follows the single end', async () => {
    const db = await open();
    const [a, b] = [db.create('VM', {}), db.create('VM', {})];
    const vbd = db.create('VBD', { VM: a });
    const second = db.create('VBD', { VM: a });
    assert.deepEqual(db.get('VM', a).VBDs, [vbd, second]);
    assert.deepEqual(db.where('VBD', 'VM', a), [vbd, second]);
    db.set('VBD', vbd, { VM: b });
    assert.deepEqual(db.get('VM', a).VBDs, [second]);
    assert.deepEqual(db.get('VM', b).VBDs, [vbd]);
    db.destroy('VM', b);
    assert.equal(db.get('VBD', vbd).VM, nullRef);
    db.destroy('VBD', second);
    assert.deepEqual(db.get('VM', a).VBDs, []);
    assert.deepEqual(db.where('VBD', 'VM', nullRef), [vbd]);
  });
  test('both ends of a many-to-many relation are kept in step', async () => {
    const db = await open();
    const [g, h] = [db.create('VM_group', {}), db.create('VM_group', {})];
    const vm = db.create('VM', { groups: [g, h, g, nullRef] });
    assert.deepEqual(db.get('VM', vm).groups, [g, h]);
    assert.deepEqual(db.get('VM_group', g).VMs, [vm]);
    db.set('VM_group', g, { VMs: [] });
    assert.deepEqual(db.get('VM', vm).groups, [h]);
    db.destroy('VM_group', h);
    assert.deepEqual(db.get('VM', vm).groups, []);
    fails('HANDLE_INVALID', () => db.set('VM', vm, { groups: ['OpaqueRef:none'] }));
  });
});

describe('writes', () => {
  test('all or nothing, nested ones too; one revision each', async () => {
    const db = await open();
    const vm = db.create('VM', { name_label: 'a' });
    const before = db.revision;
    assert.throws(() =>
      db.write((w) => {
        w.set('VM', vm, { name_label: 'b' });
        w.create('VBD', { VM: vm });
        w.destroy('VM', vm);
        throw new Error('no');
      }),
    );
    assert.equal(db.revision, before);
    assert.equal(db.get('VM', vm).name_label, 'a');
    assert.deepEqual(db.get('VM', vm).VBDs, []);
    assert.deepEqual(db.byName('VM', 'b'), []);
    db.write((w) => {
      w.set('VM', vm, { name_label: 'c' });
      assert.throws(() =>
        db.write((inner) => {
          inner.set('VM', vm, { name_label: 'd' });
          throw new Error('inner');
        }),
      );
      w.create('VBD', { VM: vm });
    });
    assert.equal(db.revision, before + 1);
    assert.equal(db.get('VM', vm).name_label, 'c');
    db.set('VM', vm, { name_label: 'c' });
    assert.equal(db.revision, before + 1);
  });
  test('an asynchronous write is refused and taken back', async () => {
    const db = await open();
    assert.throws(() => db.write(async (w) => void w.create('VM', {})), TypeError);
    assert.equal(db.count('VM'), 0);
  });
});

describe('events', () => {
  test('only after durability, folded, the other end of a relation included', async () => {
    const gates: (() => void)[] = [];
    const gate = () => new Promise<void>((resolve) => gates.push(resolve));
    let held = false;
    const db = await open({ gate: () => (held ? gate() : Promise.resolve()) });
    held = true;
    const start = db.settled;
    const seen: string[][] = [];
    db.watch((events) => seen.push(brief(events) ?? []));
    const vm = db.create('VM', {}, 'OpaqueRef:vm');
    db.create('VBD', { VM: vm }, 'OpaqueRef:vbd');
    const task = db.create('task', {}, 'OpaqueRef:task');
    await Promise.resolve();
    assert.deepEqual(db.changes(start), []);
    assert.deepEqual(db.changes(0), []);
    const durable = db.durable();
    gates.shift()?.();
    await durable;
    assert.deepEqual(seen, [
      ['add VM OpaqueRef:vm'],
      ['add VBD OpaqueRef:vbd', 'mod VM OpaqueRef:vm'],
      ['add task OpaqueRef:task'],
    ]);
    const all = ['add VBD OpaqueRef:vbd', 'add VM OpaqueRef:vm', 'add task OpaqueRef:task'];
    assert.deepEqual(brief(db.changes(start)), all);
    assert.equal(db.settled, db.revision);
    assert.deepEqual(brief(db.changes(start, new Set(['task']))), ['add task OpaqueRef:task']);
    held = false;
    const middle = db.settled;
    db.destroy('task', task);
    db.write((w) => w.destroy('VBD', w.create('VBD', { VM: vm })));
    db.touch('VM', vm);
    await db.durable();
    assert.deepEqual(brief(db.changes(middle)), ['mod VM OpaqueRef:vm', 'del task OpaqueRef:task']);
    assert.deepEqual(brief(db.changes(start)), ['add VBD OpaqueRef:vbd', 'add VM OpaqueRef:vm']);
    assert.deepEqual(brief(db.changes(0))?.sort(), ['add VBD OpaqueRef:vbd', 'add VM OpaqueRef:vm']);
  });
  test('a token that is too old, from the future or from before a restart is not known', async () => {
    const disk = emptyDisk();
    const db = await open({ disk }, { remember: 10 });
    const first = db.settled;
    const vm = db.create('VM', {});
    for (let i = 0; i < 50; i++) db.set('VM', vm, { name_label: `${i}` });
    await db.durable();
    assert.equal(db.changes(first), undefined);
    assert.equal(db.changes(db.settled + 1), undefined);
    assert.equal(db.changes(Number.NaN), undefined);
    assert.equal(db.changes(db.settled - 5)?.length, 1);
    const token = db.settled;
    await db.close();
    const again = await open({ disk });
    assert.equal(again.changes(token), undefined);
    assert.deepEqual(again.changes(again.settled), []);
    assert.deepEqual(brief(again.changes(0)), [`add VM ${vm}`]);
  });
  test('a listener that fails does not stop the others', async () => {
    const db = await open();
    let told = 0;
    db.watch(() => {
      throw new Error('mine');
    });
    const stop = db.watch(() => told++);
    db.create('VM', {});
    await db.durable();
    stop();
    db.create('VM', {});
    await db.durable();
    assert.equal(told, 1);
  });
});

describe('texts', () => {
  test('are made once per change, without internal fields', async () => {
    const db = await open();
    const vm = db.create('VM', { name_label: 'a' });
    const one = db.json('VM', vm);
    assert.equal(db.json('VM', vm), one);
    const rec = JSON.parse(one.toString().slice(3)) as Record<string, unknown>;
    const internal = Object.entries(classes.VM?.fields ?? {}).filter(([, f]) => f.internal);
    assert.ok(internal.length > 0);
    for (const [name] of internal) assert.ok(!(name in rec), name);
    const plain = db.open('VM', vm);
    assert.deepEqual(plain, rec);
    assert.equal(db.open('VM', vm), plain, 'no copy');
    assert.ok(Object.isFrozen(plain));
    const xml = db.xml('VM', vm);
    db.create('VBD', { VM: vm });
    assert.notEqual(db.xml('VM', vm), xml);
    assert.notEqual(db.open('VM', vm), plain);
    assert.notEqual(db.json('VM', vm), one);
    fails('HANDLE_INVALID', () => db.xml('VM', 'OpaqueRef:none'));
  });
});

describe('restart', () => {
  test('persistent fields and classes come back, the others start anew', async () => {
    const disk = emptyDisk();
    const db = await open({ disk });
    const vm = db.create('VM', { name_label: 'a', current_operations: { x: 'start' }, tags: ['t'] });
    const vbd = db.create('VBD', { VM: vm, userdevice: '0' });
    db.create('session', {});
    const written = db.revision;
    await db.close();
    const again = await open({ disk });
    assert.ok(again.revision > written);
    assert.deepEqual(again.get('VM', vm).VBDs, [vbd]);
    assert.deepEqual(again.get('VM', vm).current_operations, {});
    assert.deepEqual(again.get('VM', vm).tags, ['t']);
    assert.equal(again.count('session'), 0);
    assert.ok(!(disk.tables.get('VM')?.get(vm) ?? '').includes('VBDs'));
  });
  test('new fields, unknown fields, unknown classes, dangling references', async () => {
    const lines: string[] = [];
    const log = logTo((_, message) => lines.push(message));
    const disk = emptyDisk();
    disk.revision = 7;
    disk.tables.set('Later_class', new Map([['OpaqueRef:1', '{"a":1}']]));
    disk.tables.set('VM', new Map([['OpaqueRef:vm', '{"uuid":"u","later":1,"name_label":5}']]));
    disk.tables.set('VBD', new Map([['OpaqueRef:b', '{"uuid":"v","VM":"OpaqueRef:gone","VDI":"OpaqueRef:gone"}']]));
    const db = await open({ disk }, { log });
    assert.equal(db.get('VM', 'OpaqueRef:vm').name_label, '');
    assert.equal(db.get('VBD', 'OpaqueRef:b').VM, nullRef);
    await db.close();
    assert.equal(disk.tables.get('Later_class')?.get('OpaqueRef:1'), '{"a":1}');
    assert.equal(JSON.parse(disk.tables.get('VBD')?.get('OpaqueRef:b') ?? '').VM, nullRef);
    for (const part of [
      'VM.later is not stored',
      'VM.tags is new',
      'name_label does not fit',
      'that is gone',
      'unknown',
    ])
      assert.ok(
        lines.some((l) => l.includes(part)),
        part,
      );
  });
  test('a row that cannot be read is refused with its name', async () => {
    for (const bad of ['{', '[]', 'null', '3']) {
      const disk = emptyDisk();
      disk.tables.set('VM', new Map([['OpaqueRef:vm', bad]]));
      await assert.rejects(open({ disk }), /VM\/OpaqueRef:vm.*guesthouse db check/);
    }
  });
});

describe('a failing store', () => {
  test('tells who waits, keeps the changes and writes them with the next attempt', async () => {
    const disk = emptyDisk();
    let fail = false;
    const db = await open({ disk, fault: () => (fail ? 'fail' : undefined) });
    const seen: string[] = [];
    db.watch((events) => seen.push(...(brief(events) ?? [])));
    fail = true;
    const a = db.create('VM', {}, 'OpaqueRef:a');
    const b = db.create('VM', {}, 'OpaqueRef:b');
    await assert.rejects(db.durable(), /injected/);
    await assert.rejects(db.durable(), /injected/);
    assert.deepEqual(seen, []);
    fail = false;
    db.set('VM', a, { name_label: 'x' });
    await db.durable();
    assert.deepEqual(seen, [`add VM ${a}`, `add VM ${b}`, `mod VM ${a}`]);
    assert.equal(JSON.parse(disk.tables.get('VM')?.get(a) ?? '').name_label, 'x');
    assert.ok(disk.tables.get('VM')?.has(b));
    await db.close();
  });
  test('after a crash what was answered is there', async () => {
    const disk = emptyDisk();
    const db = await open({ disk, fault: (n) => (n === 3 ? 'crash' : undefined) });
    db.create('VM', {}, 'OpaqueRef:a');
    await db.durable();
    db.create('VM', {}, 'OpaqueRef:b');
    void db.durable();
    await new Promise(setImmediate);
    const again = await open({ disk });
    assert.deepEqual([...again.refs('VM')], ['OpaqueRef:a']);
  });
});
