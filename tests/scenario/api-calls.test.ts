/** What every call goes through: names, arity, types, implicit messages, roles, operations. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ctx } from '../../src/api/context.ts';
import { handlers } from '../../src/api/handlers/index.ts';
import type { Registry } from '../../src/api/table.ts';
import { unimplemented } from '../../src/api/unimplemented.ts';
import { logTo } from '../../src/base/log.ts';
import { classes } from '../../src/datamodel/index.ts';
import { allMessages } from '../../src/datamodel/messages.ts';
import { vmHandlersFor } from './api-fakes.ts';
import { apiHouse, jsonrpc, type Loose, login, xmlrpc } from './api-house.ts';

const fails = (p: Promise<unknown>, ...wire: unknown[]) =>
  assert.rejects(p, (e: Loose) => {
    const fits = wire.every((w, i) => (w instanceof RegExp ? w.test(e.wire[i]) : e.wire[i] === w));
    assert.ok(fits, `expected ${wire}, got ${e.wire ?? e}`);
    return true;
  });

test('names, arity and types', async () => {
  await using h = await apiHouse({ handlers: vmHandlersFor({ start: () => undefined }) });
  const s = await login(h.url);
  const vm = h.db.create('VM', { name_label: 'one' });
  for (const call of [xmlrpc, jsonrpc]) {
    const c = (method: string, ...params: unknown[]) => call(h.url, method, ...params);
    assert.equal(await c('VM.start', s, vm, false, false), '');
    assert.equal(await c('VM_start', s, vm, false, false), '');
    assert.deepEqual(await c('VM_guest_metrics_get_all', s), []);
    await fails(c('VM.nonsense', s), 'MESSAGE_METHOD_UNKNOWN', 'VM.nonsense');
    await fails(c('__proto__', s), 'MESSAGE_METHOD_UNKNOWN');
    await fails(c('constructor.constructor', s), 'MESSAGE_METHOD_UNKNOWN');
    await fails(c('VM.start', s, vm), 'MESSAGE_PARAMETER_COUNT_MISMATCH', 'VM.start', '3', '1');
    await fails(c('VM.start', s, vm, false, false, 1), 'MESSAGE_PARAMETER_COUNT_MISMATCH', 'VM.start', '3', '4');
    await fails(c('VM.start'), 'MESSAGE_PARAMETER_COUNT_MISMATCH');
    await fails(c('VM.start', s, vm, 'yes', false), 'FIELD_TYPE_ERROR', /start_paused: expected a boolean, got "yes"/);
    await fails(c('VM.start', 'OpaqueRef:x', vm, false, false), 'SESSION_INVALID', 'OpaqueRef:x');
    await fails(c('VM.get_record', s, 'OpaqueRef:x'), 'HANDLE_INVALID', 'VM', 'OpaqueRef:x');
    await fails(c('VM.get_by_uuid', s, 'x'), 'UUID_INVALID', 'VM', 'x');
    await fails(c('VMPP.get_all', s), 'MESSAGE_REMOVED');
    await fails(c('Async.VM.get_all', s), 'Fault', /asynchronous/);
    await fails(c('pool.join', s, 'a', 'b', 'c'), 'NOT_IMPLEMENTED', 'pool.join');
    await fails(c('VM.start', s, 5, false, false), 'FIELD_TYPE_ERROR', /vm: expected a reference to a VM, got 5/);
    assert.ok((await c('system.listMethods')).includes('VM.get_all_records'));
    assert.equal(await c('system.isAlive:x', 'hello'), 'hello');
  }
});

test('implicit messages', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const c = (method: string, ...params: unknown[]) => jsonrpc(h.url, method, s, ...params);
  const pool = h.house.pool;
  await c('pool.add_to_other_config', pool, 'k', 'v');
  await fails(
    c('pool.add_to_other_config', pool, 'k', 'w'),
    'MAP_DUPLICATE_KEY',
    'pool',
    'other_config',
    h.db.get('pool', pool).uuid,
    'k',
  );
  await c('pool.remove_from_other_config', pool, 'absent');
  await c('pool.add_to_other_config', pool, '__proto__', 'x');
  assert.deepEqual(Object.keys(await c('pool.get_other_config', pool)), ['k', '__proto__']);
  await c('pool.remove_from_other_config', pool, 'k');
  await c('pool.add_tags', pool, 'a');
  await c('pool.add_tags', pool, 'a');
  assert.deepEqual(await c('pool.get_tags', pool), ['a']);
  await c('pool.remove_tags', pool, 'a');
  await c('pool.set_tags', pool, ['x', 'y', 'x']);
  assert.deepEqual(await c('pool.get_tags', pool), ['x', 'y']);
  await fails(c('pool.set_default_SR', pool, 'OpaqueRef:none'), 'HANDLE_INVALID', 'SR', 'OpaqueRef:none');
  await fails(c('pool.set_other_config', pool, { a: 1 }), 'FIELD_TYPE_ERROR', /value\.a/);

  const secret = await c('secret.create', { value: 'v', other_config: {} });
  assert.match(secret, /^OpaqueRef:/);
  await fails(c('secret.create', { other_config: {} }), 'FIELD_TYPE_ERROR', /missing value/);
  await fails(c('secret.create', { value: 'v', valeu: 'w' }), 'INVALID_VALUE', 'args.valeu', /no such field/);
  const record = await c('secret.get_record', secret);
  assert.equal(record.value, 'v');
  assert.match(await c('secret.create', record), /^OpaqueRef:/, 'a record that was read can be given back');
  await c('secret.destroy', secret);
  await fails(c('secret.destroy', secret), 'HANDLE_INVALID', 'secret', secret);

  const vms = ['one', 'two', 'say "hi"'].map((name_label) =>
    h.db.create('VM', { name_label, is_a_template: name_label === 'two' }),
  );
  const where = (expr: string) => c('VM.get_all_where', expr);
  assert.deepEqual(await where('true'), vms);
  assert.deepEqual(await where('field "name__label" = "one" or field "name_label" = "two"'), vms.slice(0, 2));
  assert.deepEqual(
    await where('not (field "is_a_template" = "true") and not field "name__label" = "one"'),
    vms.slice(2),
  );
  assert.deepEqual(await where('field "name__label" = "say \\"hi\\""'), vms.slice(2));
  assert.deepEqual(Object.keys(await c('VM.get_all_records_where', 'field "name__label" = "two"')), [vms[1]]);
  for (const bad of [
    '',
    'nonsense',
    'field "no_such" = "x"',
    '(true',
    'field "uuid"',
    'true true',
    `${'not '.repeat(5000)}true`,
  ])
    await fails(where(bad), 'INVALID_VALUE', 'expr');
});

describe('roles', () => {
  const users = {
    reader: { user: 'reader', superuser: false, roles: ['read-only'], password: 'r' },
    operator: { user: 'operator', superuser: false, roles: ['vm-operator'], password: 'o' },
  } as const;
  test('are checked from the declaration, for map keys too', async () => {
    await using h = await apiHouse({ handlers: vmHandlersFor({ start: () => undefined }), users });
    const vm = h.db.create('VM', { name_label: 'one' });
    const reader = await xmlrpc(h.url, 'session.login_with_password', 'reader', 'r');
    const operator = await xmlrpc(h.url, 'session.login_with_password', 'operator', 'o');
    const c = (method: string, ...params: unknown[]) => jsonrpc(h.url, method, ...params);
    assert.deepEqual(await c('VM.get_all', reader), [vm]);
    await fails(c('VM.start', reader, vm, false, false), 'RBAC_PERMISSION_DENIED', 'vm.start', /vm-operator/);
    await c('VM.start', operator, vm, false, false);
    await fails(c('pool.set_name_label', operator, h.house.pool, 'x'), 'RBAC_PERMISSION_DENIED', 'pool.set_name_label');
    await fails(
      c('task.add_to_other_config', reader, 'OpaqueRef:x', 'applies_to', 'v'),
      'RBAC_PERMISSION_DENIED',
      'task.add_to_other_config/key:applies_to',
    );
    const task = await c('task.create', operator, 'mine', '');
    await fails(c('task.destroy', reader, task), 'RBAC_PERMISSION_DENIED', 'task.destroy/any');
    await c('task.destroy', operator, task);
    await fails(c('session.change_password', operator, 'o', 'another'), 'RBAC_PERMISSION_DENIED');
    assert.ok((await c('session.get_rbac_permissions', reader, reader)).includes('vm.get_all'));
    const roles = await c('role.get_by_permission_name_label', reader, 'vm.start');
    assert.equal(roles.length, 5);
    const [granted] = await c('role.get_permissions', reader, roles[0]);
    const permission = await c('role.get_record', reader, granted);
    assert.deepEqual([permission.subroles, permission.is_internal], [[], true]);
    assert.equal(await c('role.get_by_uuid', reader, permission.uuid), granted);
    assert.ok((await c('role.get_by_permission', reader, granted)).includes(roles[0]));
    assert.ok(
      (await c('role.get_all', reader)).every((r: string) => h.db.has('role', r)),
      'permissions are not listed',
    );
    await fails(c('role.get_record', reader, 'OpaqueRef:x'), 'HANDLE_INVALID', 'role');
  });
});

test('an operation is shown while it runs, refuses others, and leaves nothing behind', async () => {
  const running = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const start = async () => {
    running.resolve();
    await go.promise;
  };
  await using h = await apiHouse({ handlers: vmHandlersFor({ start }) });
  const s = await login(h.url);
  const vm = h.db.create('VM', { name_label: 'one' });
  const call = xmlrpc(h.url, 'VM.start', s, vm, false, false);
  await running.promise;
  const current = await jsonrpc(h.url, 'VM.get_current_operations', s, vm);
  assert.deepEqual(Object.values(current), ['start']);
  const task = Object.keys(current)[0] as string;
  assert.match(task, /^DummyRef:\|[0-9a-f-]{36}\|VM\.start$/);
  await fails(xmlrpc(h.url, 'VM.start', s, vm, false, false), 'OTHER_OPERATION_IN_PROGRESS', 'VM', vm, 'start', task);
  go.resolve();
  await call;
  assert.deepEqual(h.db.get('VM', vm).current_operations, {});
  assert.ok(h.db.get('VM', vm).allowed_operations.includes('start'));
});

test('one audit line per call, without secrets', async () => {
  const lines: string[] = [];
  const log = logTo((level, message, fields) => void lines.push(JSON.stringify({ level, message, ...fields })));
  const start = (ctx: Ctx) => ctx.call('pool.get_name_label', { self: ctx.pool });
  await using h = await apiHouse({ log, handlers: vmHandlersFor({ start }) });
  const s = await xmlrpc(h.url, 'session.login_with_password', 'root', 'correct horse', '1.0', 'tests');
  const vm = h.db.create('VM', {});
  lines.length = 0;
  await xmlrpc(h.url, 'VM.start', s, vm, false, false);
  await assert.rejects(xmlrpc(h.url, 'VM.get_record', s, 'OpaqueRef:x'));
  const reader = h.api.services.sessions.create({ user: 'ann', superuser: false, roles: ['read-only'] });
  await assert.rejects(xmlrpc(h.url, 'VM.start', reader.ref, vm, false, false));
  await xmlrpc(h.url, 'session.logout', s);
  await assert.rejects(xmlrpc(h.url, 'VM.start', s, vm, false, false));
  const calls = lines.map((l) => JSON.parse(l)).filter((l) => l.message === 'call');
  assert.deepEqual(
    calls.map((l) => [l.method, l.originator, l.user, l.error]),
    [
      ['VM.start', 'tests', 'root', undefined],
      ['VM.get_record', 'tests', 'root', 'HANDLE_INVALID'],
      ['VM.start', '', 'ann', 'RBAC_PERMISSION_DENIED'],
      ['session.logout', 'tests', 'root', undefined],
      ['VM.start', undefined, undefined, 'SESSION_INVALID'],
    ],
  );
  assert.match(calls[0].track, /^[0-9a-f]{16}$/);
  assert.equal(calls[0].track, calls[1].track);
  assert.equal(calls[0].object, vm);
  assert.ok(!lines.some((l) => l.includes(s) || l.includes('correct horse')));
});

test('every declared message has a handler or is listed as unimplemented, and no handler is for nothing', () => {
  const listed: ReadonlySet<string> = new Set(unimplemented);
  const registry = handlers as Registry;
  for (const c of Object.values(classes)) {
    const known = allMessages(c);
    for (const name of Object.keys(c.messages)) {
      const handled = registry[c.name]?.[name] !== undefined;
      assert.notEqual(handled, listed.has(`${c.name}.${name}`), `${c.name}.${name}`);
    }
    for (const name of Object.keys(registry[c.name] ?? {}))
      assert.ok(known.has(name) || name.startsWith('set_'), `${c.name}.${name} is not declared`);
  }
});
