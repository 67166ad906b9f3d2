import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { escapeValue, options, parseOptions } from './options.ts';

test('a comma in a value is doubled', () => {
  assert.equal(escapeValue('a,b,,c'), 'a,,b,,,,c');
  assert.equal(options('socket', { path: '/x,y', server: true }), 'socket,path=/x,,y,server=on');
});
test('lists repeat their key, and absent members are left out', () => {
  assert.equal(
    options('user', { id: 'n', hostfwd: ['a', 'b,c'], none: undefined }),
    'user,id=n,hostfwd=a,hostfwd=b,,c',
  );
});
test('whatever a value holds, it stays one value', () => {
  const value = fc.string({
    unit: fc.constantFrom(',', '=', '"', "'", '\n', ';', '/', '.', ' ', 'a', 'on', 'é', '$(x)'),
  });
  fc.assert(
    fc.property(value, value, (a, b) => {
      assert.deepEqual(parseOptions(options('', { guest: a, path: b, wait: false })), [
        ['guest', a],
        ['path', b],
        ['wait', 'off'],
      ]);
    }),
  );
});
