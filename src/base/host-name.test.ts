import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { hostLabel, uniqueLabel } from './host-name.ts';

const vm = '0cafe123-0000-4000-8000-000000000000';

test('labels read like the names that they are made of', () => {
  const labels = {
    web: 'web',
    'Web #1': 'web-1',
    'Tiny Linux': 'tiny-linux',
    Käse: 'kase',
    '../etc/passwd\n': 'etc-passwd',
    'a,b;c=d': 'a-b-c-d',
    '10.0.0.1': '10-0-0-1',
    '---': 'vm-0cafe123',
    '': 'vm-0cafe123',
    日本: 'vm-0cafe123',
    // dnsmasq reads these otherwise.
    '120': 'vm-120',
    '12H': 'vm-12h',
    Infinite: 'vm-infinite',
    ignore: 'vm-ignore',
  };
  for (const [name, label] of Object.entries(labels)) assert.equal(hostLabel(name, vm), label, name);
});
test('whatever the name, the label is one of DNS', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (name) => {
      assert.match(hostLabel(name, vm), /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
    }),
  );
  assert.equal(hostLabel('x'.repeat(1 << 20), vm).length, 63);
});
test('a label that is taken gets a number, and keeps it', () => {
  assert.equal(uniqueLabel('web', new Set(), 'other'), 'web');
  assert.equal(uniqueLabel('web', new Set(['web'])), 'web-2');
  assert.equal(uniqueLabel('web', new Set(['web', 'web-2'])), 'web-3');
  assert.equal(uniqueLabel('web', new Set(['web']), 'web-7'), 'web-7');
  assert.equal(uniqueLabel('web', new Set(['web', 'web-7']), 'web-7'), 'web-2');
  assert.equal(uniqueLabel('web', new Set(['web']), 'mail-7'), 'web-2');
  assert.equal(uniqueLabel('localhost', new Set()), 'localhost-2');
  const long = 'x'.repeat(63);
  assert.equal(uniqueLabel(long, new Set([long])), `${'x'.repeat(61)}-2`);
});
