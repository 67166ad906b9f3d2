import assert from 'node:assert/strict';
import test from 'node:test';
import { classes } from './index.ts';
import { allMessages, constructorFields } from './messages.ts';
import { typeText } from './type-text.ts';

const all = Object.values(classes).flatMap((c) => [...allMessages(c).values()]);

test('the model has every class and message of the reference', () => {
  assert.equal(Object.keys(classes).length, 73);
  assert.equal(all.length, 2258);
  assert.equal(all.filter((m) => m.kind === 'custom').length, 678);
  assert.equal(all.filter((m) => !m.sync).length, 530);
});

test('implicit messages have the shape of declared ones', () => {
  const vm = allMessages(classes['VM']!);
  const describe = (name: string) => {
    const m = vm.get(name)!;
    return [m.kind, m.role, typeText(m.result), ...Object.entries(m.params).map(([k, t]) => `${k}: ${typeText(t)}`)];
  };
  assert.deepEqual(describe('get_power_state'), ['getter', 'read-only', 'enum vm_power_state', 'self: ref VM']);
  assert.deepEqual(describe('set_affinity'), ['setter', 'vm-power-admin', 'void', 'self: ref VM', 'value: ref host']);
  assert.deepEqual(describe('add_tags'), ['add', 'vm-operator', 'void', 'self: ref VM', 'value: string']);
  assert.deepEqual(describe('get_all_records_where'), [
    'get_all_records_where',
    'read-only',
    'map(ref VM,record VM)',
    'expr: string',
  ]);
  assert.equal(vm.has('set_power_state'), false, 'a DynamicRO or StaticRO field has no setter');
  assert.equal(vm.get('add_to_other_config')!.kind, 'custom', 'a declared message wins over an implicit one');
});

test('constructor members without a default are required', () => {
  const fields = new Map(constructorFields(classes['VBD']!).map((f) => [f.name, f.required]));
  assert.equal(fields.get('VM'), true);
  assert.equal(fields.get('device'), false);
  assert.equal(fields.has('uuid'), false);
});

test('every reference, relation and locked operation in the declarations leads somewhere', () => {
  for (const c of Object.values(classes)) {
    for (const [name, f] of Object.entries(c.fields)) {
      const other = (f.from ?? f.mirrors)?.split('.');
      if (other) assert.ok(classes[other[0]!]?.fields[other[1]!], `${c.name}.${name} → ${other.join('.')}`);
    }
    for (const m of allMessages(c).values()) {
      if (!m.op) continue;
      const values = c.fields['allowed_operations']!.type.of!.values!;
      assert.ok(values.includes(m.op), `${m.method}: ${m.op}`);
    }
  }
});

test('who may list the objects of a class may read them, and nobody else', () => {
  // the command line lists by references and reads records beside the API: the right to list must not be the weaker one
  for (const c of Object.values(classes)) {
    const messages = allMessages(c);
    const [list, read] = [messages.get('get_all'), messages.get('get_all_records')];
    assert.deepEqual([list?.role, list?.extraRoles], [read?.role, read?.extraRoles], c.name);
  }
});
