/** Every message of the API is called on a real house: implicit ones rightly, all of them wrongly. None fails unexpectedly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unimplemented } from '../../src/api/unimplemented.ts';
import { type Class, lifeState, nullRef, type Type } from '../../src/datamodel/dsl.ts';
import { errors } from '../../src/datamodel/errors.ts';
import { classes } from '../../src/datamodel/index.ts';
import { allMessages, type FullMessage } from '../../src/datamodel/messages.ts';
import { jsonrpc, type Loose, xmlrpc } from './api-house.ts';
import { password, type TestHouse, testHouse } from './house.ts';

const removed = (c: Class, m: FullMessage) => lifeState(m.life) === 'removed' || lifeState(c.life) === 'removed';
const readKinds =
  /^(getter|get_by_uuid|get_by_name_label|get_record|get_all|get_all_where|get_all_records|get_all_records_where)$/;

interface Outcome {
  readonly value?: unknown;
  readonly wire?: readonly string[];
}
async function outcome(call: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await call };
  } catch (error) {
    const { wire } = error as Loose;
    if (!wire) throw error;
    return { wire };
  }
}

/** One object of each class that the house lets us make, beside those that it has. */
async function populate(h: TestHouse, s: string): Promise<void> {
  const c = (method: string, ...p: unknown[]) => jsonrpc(h.url, method, s, ...p);
  const [template] = await c('VM.get_by_name_label', 'Other install media');
  const vm = await c('VM.clone', template, 'swept');
  await c('VM.provision', vm);
  const [network] = await c('network.get_all');
  const vif = {
    device: '0',
    network,
    VM: vm,
    MAC: '',
    MTU: 1500,
    other_config: {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  };
  await c('VIF.create', vif);
  await c('VM.start', vm, false, false);
  await c('message.create', 'HELLO', 3, 'VM', await c('VM.get_uuid', vm), 'a body');
  await c('secret.create', { value: 'v', other_config: {} });
  await c('task.create', 'mine', '');
}

const read = (c: Class, m: FullMessage, ref: string, record: Loose): unknown[] => {
  switch (m.kind) {
    case 'getter':
    case 'get_record':
      return [ref];
    case 'get_by_uuid':
      return [record?.uuid ?? ''];
    case 'get_by_name_label':
      return [record?.name_label ?? ''];
    case 'get_all_where':
    case 'get_all_records_where':
      return ['uuid' in c.fields ? 'not field "uuid" = "x"' : 'true'];
    default:
      return [];
  }
};

test('every implicit reading message of every class answers on a host with something in it, alike over both codecs', async () => {
  await using h = await testHouse({ quiet: true });
  const s = await jsonrpc(h.url, 'session.login_with_password', 'root', password);
  await populate(h, s);
  const swept: string[] = [];
  for (const c of Object.values(classes)) {
    const rows = c.inDatabase ? [...h.house.db.rows(c.name as 'VM')] : [];
    const [ref = nullRef, record] = rows[0] ?? [];
    for (const m of allMessages(c).values()) {
      if (!readKinds.test(m.kind) || removed(c, m)) continue;
      const args = read(c, m, ref, record);
      const [json, xml] = [
        await outcome(jsonrpc(h.url, m.method, s, ...args)),
        await outcome(xmlrpc(h.url, m.method, s, ...args)),
      ];
      swept.push(m.method);
      assert.deepEqual(json.wire, xml.wire, m.method);
      if (json.wire) {
        assert.ok(rows.length === 0, `${m.method}: ${json.wire}`);
        assert.match(json.wire[0] ?? '', /^(HANDLE_INVALID|UUID_INVALID)$/, m.method);
      }
      if (m.kind === 'get_all_records') assert.equal(Object.keys(json.value as object).length, rows.length, m.method);
    }
  }
  assert.ok(swept.length > 1000, `${swept.length} messages`);
});

/** A right value that names nothing, a wrong type, and a value from another world. */
const plausible = (type: Type<unknown>): unknown => {
  switch (type.kind) {
    case 'string':
      return 'x';
    case 'int':
      return 1;
    case 'float':
      return 0.5;
    case 'bool':
      return false;
    case 'datetime':
      return '20260101T00:00:00Z';
    case 'enum':
      return type.values?.[0] ?? '';
    case 'ref':
      return 'OpaqueRef:00000000-0000-0000-0000-000000000000';
    case 'set':
      return [];
    default:
      return {};
  }
};
const wrongs: readonly ((type: Type<unknown>) => unknown)[] = [
  plausible,
  (type) => (type.kind === 'ref' ? nullRef : plausible(type)),
  (type) =>
    type.kind === 'set' && type.of
      ? [plausible(type.of)]
      : type.kind === 'map' && type.of
        ? { x: plausible(type.of) }
        : plausible(type),
  (type) => (type.kind === 'string' ? '' : type.kind === 'int' ? -1 : type.kind === 'ref' ? '' : plausible(type)),
  (type) =>
    type.kind === 'string' ? '../../"; rm,-rf\n' : type.kind === 'int' ? Number.MAX_SAFE_INTEGER : plausible(type),
  () => 7,
  () => 'seven',
  () => ({ a: ['b'] }),
  () => [['a'], {}],
  () => null,
];
/** Ending the caller's session, or waiting for what does not come, is what these are for. */
const apart = new Set([
  'session.logout',
  'session.logout_subject_identifier',
  'session.local_logout',
  'event.next',
  'event.from',
]);

test('a session that may only read is refused by every message that needs more, before anything else', async () => {
  await using h = await testHouse({ quiet: true });
  const { ref } = h.house.api.services.sessions.create({ user: 'ann', superuser: false, roles: ['read-only'] });
  let refused = 0;
  for (const c of Object.values(classes))
    for (const m of allMessages(c).values()) {
      if (removed(c, m) || m.session === false || m.role === 'read-only' || m.extraRoles?.includes('read-only'))
        continue;
      if (m.keyRoles && Object.values(m.keyRoles).includes('read-only')) continue;
      const args = m.kind === 'constructor' ? undefined : Object.values(m.params).map(plausible);
      if (!args) continue;
      const { wire } = await outcome(jsonrpc(h.url, m.method, ref, ...args));
      assert.deepEqual(wire?.slice(0, 2), ['RBAC_PERMISSION_DENIED', m.method.toLowerCase()], m.method);
      refused++;
    }
  assert.ok(refused > 500, `${refused}`);
});

test('every asynchronous form comes to an end', async () => {
  await using h = await testHouse({ quiet: true });
  const s = await jsonrpc(h.url, 'session.login_with_password', 'root', password);
  const tasks: string[] = [];
  for (const c of Object.values(classes))
    for (const m of allMessages(c).values()) {
      if (removed(c, m) || m.sync || apart.has(m.method)) continue;
      const { value, wire } = await outcome(
        jsonrpc(h.url, `Async.${m.method}`, s, ...Object.values(m.params).map(plausible)),
      );
      if (wire) assert.match(wire[0] ?? '', /^(FIELD_TYPE_ERROR|RBAC_PERMISSION_DENIED)$/, `${m.method}: ${wire}`);
      else tasks.push(value as string);
    }
  assert.ok(tasks.length > 300, `${tasks.length}`);
  for (const task of tasks) {
    let { token, events } = await jsonrpc(h.url, 'event.from', s, [`task/${task}`], '', 0);
    while (events.at(-1)?.snapshot.status === 'pending')
      ({ token, events } = await jsonrpc(h.url, 'event.from', s, [`task/${task}`], token, 10));
    const { status, error_info, progress, name_label } = await jsonrpc(h.url, 'task.get_record', s, task);
    assert.equal(progress, 1);
    assert.ok(status === 'success' || error_info[0] in errors, `${name_label}: ${error_info}`);
    assert.notEqual(error_info[0], 'INTERNAL_ERROR', `${name_label}: ${error_info}`);
  }
});

test('every message called wrongly, with nothing and with too much: a declared error, and nothing stays pending', async () => {
  await using h = await testHouse({ quiet: true });
  const s = await jsonrpc(h.url, 'session.login_with_password', 'root', password);
  await populate(h, s);
  const before = new Set(h.house.db.refs('task'));
  const bad: string[] = [];
  let calls = 0;
  const check = async (m: FullMessage, args: readonly unknown[]) => {
    calls++;
    const { wire } = await outcome(jsonrpc(h.url, m.method, ...args));
    if (!wire) return;
    const [code = ''] = wire;
    if (code === 'INTERNAL_ERROR' || !(code in errors))
      bad.push(`${m.method}(${JSON.stringify(args.slice(1))}): ${wire.join(' | ')}`);
  };
  const own = (type: Type<unknown>) => {
    const [first] = type.kind === 'ref' ? h.house.db.refs(type.cls as 'VM') : [];
    return first;
  };
  for (const c of Object.values(classes))
    for (const m of allMessages(c).values()) {
      if (removed(c, m) || apart.has(m.method)) continue;
      const types = Object.values(m.params);
      const head = m.session === false ? [] : [s];
      if (types.length > 0) await check(m, head);
      await check(m, [...head, ...types.map(plausible), 'one', 'more']);
      if (types.length === 0 || (unimplemented as readonly string[]).includes(m.method)) continue;
      // All at once: clients do not wait for each other either.
      await Promise.all(wrongs.map((wrong) => check(m, [...head, ...types.map(wrong)])));
      // an object that is there, with everything else wrong
      const [first] = types;
      const there = first && own(first);
      if (there && types.length > 1 && !/destroy|shutdown|reset/.test(m.name))
        await Promise.all(wrongs.map((wrong) => check(m, [...head, there, ...types.slice(1).map(wrong)])));
    }
  assert.deepEqual(bad, []);
  assert.ok(calls > 10_000, `${calls} calls`);
  // clients' own tasks are ended by them
  for (const [ref, task] of h.house.db.rows('task'))
    assert.ok(
      before.has(ref) || task.name_label.length <= 20 || task.status !== 'pending',
      `${task.name_label} is pending`,
    );
  assert.equal(typeof (await jsonrpc(h.url, 'session.get_uuid', s, s)), 'string', 'the session lives on');
});
