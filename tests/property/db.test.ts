/** Random programs against the database and against a naive model of it: they must never be told apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../src/base/clock.ts';
import { seededIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Class } from '../../src/datamodel/dsl.ts';
import { field, nullRef, t } from '../../src/datamodel/dsl.ts';
import type { ClassName } from '../../src/datamodel/index.ts';
import type { Db, DbEvent, Writer } from '../../src/db/db.ts';
import { openDb } from '../../src/db/memory-db.ts';
import { shapesOf } from '../../src/db/shape.ts';
import type { Disk, MemoryStoreOptions } from '../../src/store/memory.ts';
import { emptyDisk, openMemoryStore } from '../../src/store/memory.ts';
import { emptyState, type Op, restarted, type State, step, visible } from './naive-db.ts';
import { tries } from './soak.ts';

const make = (name: string, persistent: boolean, fields: Class['fields']): Class => ({
  ...{ name, doc: '', life: '', lifecycle: true, events: true, persistent, inDatabase: true, getAll: true },
  ...{ role: 'pool-admin', readRole: 'read-only', messages: {} },
  fields: {
    uuid: field(t.string, 'DynamicRO', '', ''),
    name_label: field(t.string, 'RW', '', '', { default: 'none' }),
    ...fields,
  },
});
const ref = (cls: string, options = {}) => field(t.ref(cls), 'RW', '', '', options);
const refs = (cls: string, options = {}) => field(t.set(t.ref(cls)), 'RW', '', '', options);
/** Every kind of relation that the real model has, between few and small classes. */
const model = {
  house: make('house', true, {
    rooms: refs('room', { from: 'room.house' }),
    former: refs('room', { from: 'room.former' }),
    guests: refs('guest', { from: 'guest.house' }),
    friends: refs('club', { mirrors: 'club.members' }),
    best: ref('club'),
    any: refs('room', { dangling: true }),
    seen: refs('room'),
    notes: field(t.map(t.string, t.string), 'RW', '', '', { internal: true }),
    busy: field(t.int, 'RW', '', '', { persistent: false }),
  }),
  room: make('room', true, {
    house: ref('house'),
    former: ref('house', { dangling: true }),
    next: ref('room'),
    previous: refs('room', { from: 'room.next' }),
    guest: ref('guest'),
  }),
  guest: make('guest', false, { house: ref('house') }),
  club: make('club', true, { members: refs('house', { mirrors: 'house.friends' }) }),
};
const shapes = shapesOf(model);
const names = Object.keys(model);

// ---- random programs ------------------------------------------------------
const refOf = (cls: string) => fc.integer({ min: 0, max: 3 }).map((n) => `OpaqueRef:${cls}${n}`);
const maybe = (cls: string) => fc.oneof({ weight: 4, arbitrary: refOf(cls) }, fc.constant(nullRef));
function valueFor(cls: string, name: string): fc.Arbitrary<unknown> {
  const f = shapes.get(cls)?.fields.get(name);
  const type = f?.field.type;
  if (name === 'uuid') return fc.integer({ min: 0, max: 40 }).map((n) => `uuid ${n}`);
  if (type?.kind === 'ref') return maybe(type.cls ?? '');
  if (type?.kind === 'set') return fc.array(maybe(type.of?.cls ?? ''), { maxLength: 3 });
  if (type?.kind === 'map') return fc.dictionary(fc.constantFrom('a', '__proto__', 'ü'), fc.string({ maxLength: 3 }));
  return type?.kind === 'int' ? fc.integer({ min: 0, max: 3 }) : fc.constantFrom('none', 'a', 'b');
}
const fieldsOf = (cls: string) => {
  const writable = [...(shapes.get(cls)?.fields.values() ?? [])].filter((f) => !f.from && f.name !== 'uuid');
  return fc.record(Object.fromEntries(writable.map((f) => [f.name, valueFor(cls, f.name)])), { requiredKeys: [] });
};
const anOp: fc.Arbitrary<Op> = fc.constantFrom(...names).chain((cls) =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(refOf(cls), fieldsOf(cls), valueFor(cls, 'uuid'))
        .map(([r, fields, uuid]): Op => ({ op: 'create', cls, ref: r, fields: { ...fields, uuid } })),
    },
    {
      weight: 5,
      arbitrary: fc.tuple(refOf(cls), fieldsOf(cls)).map(([r, fields]): Op => ({ op: 'set', cls, ref: r, fields })),
    },
    { weight: 2, arbitrary: refOf(cls).map((r): Op => ({ op: 'destroy', cls, ref: r })) },
    { weight: 1, arbitrary: refOf(cls).map((r): Op => ({ op: 'touch', cls, ref: r })) },
  ),
);
type Action =
  | { readonly do: 'one'; readonly op: Op }
  | { readonly do: 'group'; readonly ops: readonly Op[]; readonly strict: boolean; readonly fail: boolean }
  | { readonly do: 'look'; readonly back: number }
  | { readonly do: 'reopen' };
/** Most objects exist from the start, so that there is something to relate. */
const aStart: fc.Arbitrary<Action> = fc
  .tuple(...names.flatMap((cls) => [0, 1, 2].map((n) => fieldsOf(cls).map((fields) => ({ cls, n, fields })))))
  .map((rows) => ({
    ...{ do: 'group', strict: false, fail: false },
    ops: rows.map(({ cls, n, fields }) => {
      const uuid = `first ${cls} ${n}`;
      return { op: 'create', cls, ref: `OpaqueRef:${cls}${n}`, fields: { ...fields, uuid } };
    }),
  }));
const anAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('one' as const), op: anOp }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant('group' as const), ops: fc.array(anOp, { maxLength: 6, size: 'max' }) },
      ...{ strict: fc.boolean(), fail: fc.boolean() },
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('look' as const), back: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

// ---- running them on both ---------------------------------------------------
const text = (_: string, r: unknown) => Buffer.from(JSON.stringify(r));
let opened = 0;
const open = (disk: Disk, options: MemoryStoreOptions = {}): Promise<Db> =>
  openDb({
    store: openMemoryStore({ ...options, disk }),
    ...{ classes: model, clock: new ManualClock(), ids: seededIds(++opened), log: silentLog },
    encode: { xml: text, json: text },
  });
const cast = (o: Op) => o as Op & { cls: ClassName };
function perform(w: Writer, op: Op): void {
  const o = cast(op);
  if (o.op === 'create') w.create(o.cls, o.fields, o.ref);
  else if (o.op === 'set') w.set(o.cls, o.ref, o.fields);
  else if (o.op === 'destroy') w.destroy(o.cls, o.ref);
  else w.touch(o.cls, o.ref);
}
/** Both answers: the next state of the model, or undefined when it refuses. */
function tryStep(state: State, o: Op): State | undefined {
  try {
    return step(shapes, state, o);
  } catch {
    return undefined; // The refusal is the answer.
  }
}
function tryPerform(w: Writer, o: Op): boolean {
  try {
    perform(w, o);
    return true;
  } catch {
    return false; // As above.
  }
}
/** Runs a group on both. `strict`: the first refusal takes all back; otherwise refused ones are passed over. */
function group(db: Db, state: State, a: Extract<Action, { do: 'group' }>): State {
  let next: State = state;
  const stop = new Error('taken back');
  try {
    db.write((w) => {
      for (const o of a.ops) {
        const after = tryStep(next, o);
        assert.equal(tryPerform(w, o), after !== undefined, JSON.stringify(o));
        if (after) next = after;
        else if (a.strict) throw stop;
      }
      if (a.fail) throw stop;
    });
    return next;
  } catch (e) {
    if (e !== stop) throw e;
    return state;
  }
}

const sorted = (list: Iterable<string>) => [...list].sort();
/** Everything that can be read is as the model says. */
function compare(db: Db, state: State): void {
  for (const shape of shapes.values()) {
    const cls = shape.name as ClassName;
    const rows = state[shape.name] ?? {};
    assert.deepEqual(sorted(db.refs(cls)), sorted(Object.keys(rows)));
    assert.equal(db.count(cls), Object.keys(rows).length);
    for (const r of Object.keys(rows)) {
      const wanted = visible(shapes, state, shape.name, r);
      const found = db.get(cls, r) as Readonly<Record<string, unknown>>;
      const ends = [...shape.computed, ...shape.mirrored].map((f) => [f.name, sorted(found[f.name] as string[])]);
      assert.deepEqual({ ...found, ...Object.fromEntries(ends) }, { ...wanted });
      const open = Object.fromEntries(Object.entries(found).filter(([k]) => !shape.internal.includes(k)));
      assert.equal(db.json(cls, r).toString(), JSON.stringify(open));
      assert.equal(db.findByUuid(cls, wanted.uuid as string), r);
      assert.ok(db.byName(cls, wanted.name_label as string).includes(r));
    }
    for (const name of shape.ends.keys())
      for (const target of [...names.flatMap((c) => [0, 1, 2, 3].map((n) => `OpaqueRef:${c}${n}`)), nullRef]) {
        const wanted = Object.keys(rows).filter((r) => rows[r]?.[name] === target);
        assert.deepEqual(sorted(db.where(cls, name as never, target)), wanted.sort());
      }
    for (const label of ['none', 'a', 'b']) {
      const wanted = Object.keys(rows).filter((r) => rows[r]?.name_label === label);
      assert.deepEqual(sorted(db.byName(cls, label)), wanted.sort());
    }
  }
}

const keysOf = (state: State) => new Set(names.flatMap((c) => Object.keys(state[c] ?? {}).map((r) => `${c}/${r}`)));
/** The folded events lead from one state to another: nothing missing, nothing twice, in order. */
function compareEvents(events: readonly DbEvent[] | undefined, from: State, to: State): void {
  assert.ok(events, 'the token is known');
  const before = keysOf(from);
  const after = keysOf(to);
  const keys = (op: string) => events.filter((e) => e.op === op).map((e) => `${e.cls}/${e.ref}`);
  assert.deepEqual(keys('add').sort(), [...after.difference(before)].sort());
  assert.deepEqual(keys('del').sort(), [...before.difference(after)].sort());
  const mods = new Set(keys('mod'));
  assert.equal(mods.size, keys('mod').length);
  for (const key of mods) assert.ok(before.has(key) && after.has(key), `${key} did not stay`);
  for (const key of before.intersection(after)) {
    const [cls = '', r = ''] = key.split('/');
    const changed = !same(visible(shapes, from, cls, r), visible(shapes, to, cls, r));
    if (changed) assert.ok(mods.has(key), `${key} changed and was not reported`);
  }
  assert.deepEqual(
    events.map((e) => e.op),
    [...keys('add').map(() => 'add'), ...keys('mod').map(() => 'mod'), ...keys('del').map(() => 'del')],
  );
}
function same(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false; // A comparison, not a check.
  }
}

test('the database and the model agree about everything', async () => {
  await fc.assert(
    fc.asyncProperty(
      aStart,
      fc.array(anAction, { minLength: 10, maxLength: 60, size: 'max' }),
      async (start, actions) => {
        const disk = emptyDisk();
        let db = await open(disk);
        let state = emptyState(shapes);
        let tokens: { token: number; state: State }[] = [{ token: db.settled, state }];
        const lost: number[] = [];
        for (const a of [start, ...actions]) {
          if (a.do === 'one') {
            const after = tryStep(state, a.op);
            assert.equal(tryPerform(db, a.op), after !== undefined, JSON.stringify(a.op));
            state = after ?? state;
          } else if (a.do === 'group') state = group(db, state, a);
          else if (a.do === 'look') {
            await db.durable();
            const known = tokens.at(-1 - (a.back % tokens.length));
            if (known) compareEvents(db.changes(known.token), known.state, state);
            compareEvents(db.changes(0), emptyState(shapes), state);
            tokens.push({ token: db.settled, state });
          } else {
            lost.push(...tokens.map((k) => k.token), db.revision);
            await db.close();
            db = await open(disk);
            state = restarted(shapes, state);
            tokens = [{ token: db.settled, state }];
          }
          compare(db, state);
        }
        for (const token of lost) assert.equal(db.changes(token), undefined);
        await db.close();
      },
    ),
    tries({ numRuns: 150, seed: 20261 }),
  );
});

test('after a crash at any commit: a prefix of the writes, with everything that was answered', async () => {
  const crash = fc.record({
    at: fc.integer({ min: 2, max: 12 }),
    kind: fc.constantFrom('crash' as const, 'crash-after'),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anOp, { minLength: 5, maxLength: 40, size: 'max' }),
      crash,
      fc.nat(3),
      async (ops, { at, kind }, n) => {
        const disk = emptyDisk();
        const db = await open(disk, { fault: (i) => (i === at ? kind : undefined) });
        let state = emptyState(shapes);
        const states = [state];
        let answered = 0;
        for (const [i, o] of ops.entries()) {
          const after = tryStep(state, o);
          tryPerform(db, o);
          if (!after) continue;
          state = after;
          const mine = states.push(state) - 1;
          void db.durable().then(() => (answered = Math.max(answered, mine)));
          // Some writes share a commit, some have one of their own.
          if (i % (n + 1) === 0) await new Promise(setImmediate);
        }
        await new Promise(setImmediate);
        const again = await open(disk);
        const fits = states.findLastIndex((s) => same(seen(again), seenIn(restarted(shapes, s))));
        assert.ok(fits >= answered, `answered ${answered}, found ${fits}`);
        await again.close();
      },
    ),
    tries({ numRuns: 100, seed: 20262 }),
  );
});
/** All records, sets of references sorted, to compare whole databases. */
function seen(db: Db): unknown {
  const all = names.map((c) => {
    const shape = shapes.get(c);
    const sets = [...(shape?.computed ?? []), ...(shape?.mirrored ?? [])].map((f) => f.name);
    const rows = [...db.rows(c as ClassName)].map(([r, rec]) => {
      const found = rec as Readonly<Record<string, unknown>>;
      return [r, { ...found, ...Object.fromEntries(sets.map((s) => [s, sorted(found[s] as string[])])) }];
    });
    return [c, Object.fromEntries(rows)];
  });
  return Object.fromEntries(all);
}
const seenIn = (state: State): unknown =>
  Object.fromEntries(
    names.map((c) => [
      c,
      Object.fromEntries(Object.keys(state[c] ?? {}).map((r) => [r, visible(shapes, state, c, r)])),
    ]),
  );
