import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIntrospection } from '../wire/dbus/introspection.ts';
import { args, type BusInterface, busErrors, method, unwrapped, variant } from './interface.ts';
import { BusObjects, type IncomingCall } from './objects.ts';

const declared: BusInterface = {
  name: 'org.example.Thing',
  methods: { Add: method('a:i b:i', 'sum:i'), Nothing: method('') },
  signals: { Changed: args('what:s') },
  properties: {
    size: { type: 'u', access: 'readwrite' },
    secret: { type: 's', access: 'write' },
    fixed: { type: 's', access: 'read' },
  },
};
function bed() {
  const objects = new BusObjects();
  const values: Record<string, unknown> = { size: 1, fixed: 'f' };
  const stop = objects.add(
    '/a/b',
    declared,
    { Add: ([a, b]) => [(a as number) + (b as number)], Nothing: () => [] },
    {
      get: (name) => values[name],
      set: (name, value) => {
        values[name] = value;
      },
    },
  );
  const call = (member: string, more: Partial<IncomingCall> = {}) =>
    objects.call({ sender: ':1.1', path: '/a/b', interface: declared.name, member, signature: '', args: [], ...more });
  const property = (member: string, ...given: readonly unknown[]) =>
    call(member, {
      interface: 'org.freedesktop.DBus.Properties',
      signature: ['', 's', 'ss', 'ssv'][given.length] ?? '',
      args: given,
    });
  return { objects, stop, call, property, values };
}

describe('objects on the bus', () => {
  test('methods by interface, and without one', async () => {
    const { call } = bed();
    const two = { signature: 'ii', args: [1, 2] };
    assert.deepEqual(await call('Add', two), { signature: 'i', values: [3] });
    assert.deepEqual(await call('Add', { ...two, interface: undefined }), { signature: 'i', values: [3] });
    assert.deepEqual(await call('Ping', { interface: 'org.freedesktop.DBus.Peer', path: '/anywhere' }), {
      signature: '',
      values: [],
    });
  });
  test('what is not there has the standard’s errors', async () => {
    const { call, stop } = bed();
    const failing: readonly [() => Promise<unknown>, string][] = [
      [() => call('Nope'), busErrors.unknownMethod],
      [() => call('toString'), busErrors.unknownMethod],
      [() => call('Nope', { interface: undefined }), busErrors.unknownMethod],
      [() => call('Add', { interface: 'a.b' }), busErrors.unknownInterface],
      [() => call('Add', { path: '/x' }), busErrors.unknownObject],
      [() => call('Add', { signature: 's', args: ['1'] }), busErrors.invalidArgs],
    ];
    for (const [act, errorName] of failing) await assert.rejects(act, { errorName });
    stop();
    await assert.rejects(call('Nothing'), { errorName: busErrors.unknownObject });
  });
  test('introspection says what is served, nodes on the way too', async () => {
    const { call } = bed();
    const introspect = async (path: string) => {
      const { values } = await call('Introspect', { interface: 'org.freedesktop.DBus.Introspectable', path });
      return parseIntrospection(path, String(values[0]));
    };
    const { interfaces } = await introspect('/a/b');
    const [thing] = interfaces;
    assert.deepEqual(
      interfaces.map((each) => each.name),
      [declared.name, ...['Properties', 'Introspectable', 'Peer'].map((each) => `org.freedesktop.DBus.${each}`)],
    );
    assert.deepEqual(thing?.methods[0], { name: 'Add', ...declared.methods['Add'], doc: '' });
    assert.deepEqual(thing?.signals, [{ name: 'Changed', args: [{ name: 'what', type: 's' }], doc: '' }]);
    assert.deepEqual(
      thing?.properties.map((p) => [p.name, p.type, p.access]),
      [
        ['size', 'u', 'readwrite'],
        ['secret', 's', 'write'],
        ['fixed', 's', 'read'],
      ],
    );
    assert.deepEqual([(await introspect('/')).children, (await introspect('/a')).children], [['a'], ['b']]);
    await assert.rejects(introspect('/x'), { errorName: busErrors.unknownObject });
  });
  test('properties, as far as they are declared', async () => {
    const { property, values } = bed();
    const { name } = declared;
    assert.deepEqual((await property('Get', name, 'size')).values, [['u', 1]]);
    assert.deepEqual((await property('Get', '', 'fixed')).values, [['s', 'f']]);
    await property('Set', name, 'size', variant('u', 5));
    await property('Set', name, 'secret', variant('s', 'x'));
    assert.deepEqual(values, { size: 5, fixed: 'f', secret: 'x' });
    assert.deepEqual((await property('GetAll', name)).values, [
      [
        ['size', ['u', 5]],
        ['fixed', ['s', 'f']],
      ],
    ]);
    const failing: readonly [() => Promise<unknown>, string][] = [
      [() => property('Get', name, 'secret'), busErrors.accessDenied],
      [() => property('Get', name, 'toString'), busErrors.unknownProperty],
      [() => property('Get', 'a.b', 'size'), busErrors.unknownInterface],
      [() => property('GetAll', 'a.b'), busErrors.unknownInterface],
      [() => property('Set', name, 'fixed', variant('s', 'x')), busErrors.readOnly],
      [() => property('Set', name, 'size', variant('s', 'x')), busErrors.invalidArgs],
    ];
    for (const [act, errorName] of failing) await assert.rejects(act, { errorName });
  });
});
test('values are taken out of variants, however deep', () => {
  const bytes = Buffer.from([1]);
  const value = { a: variant('av', [variant('s', 'x'), variant('ay', bytes)]), b: [[1, variant('u', 2)]] };
  assert.deepEqual(unwrapped(value), { a: ['x', bytes], b: [[1, 2]] });
});
