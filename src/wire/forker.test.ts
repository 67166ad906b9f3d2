import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ForkerError, ForkerReader, formatForker, parseForker } from './forker.ts';

const a = '01234567-89ab-cdef-0123-456789abcdef';
const b = '11234567-89ab-cdef-0123-456789abcdef';
const frame = (value: unknown) => {
  const text = Buffer.from(JSON.stringify(value));
  return Buffer.concat([Buffer.from(String(text.length).padStart(12, '0')), text]);
};
const full = {
  cmdargs: ['/bin/x', 'ü'],
  env: ['A=1', 'B=x=y'],
  id_to_fd_map: [
    [a, [0]],
    [b, []],
  ],
  syslog_stdout: { enabled: true },
  redirect_stderr_to_stdout: true,
};

test('messages, however they are cut', () => {
  const bytes = Buffer.concat([frame(['Setup', full]), frame('Exec'), frame('Dontwaitpid')]);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
      const reader = new ForkerReader();
      const places = [0, ...cuts.sort((x, y) => x - y), bytes.length];
      const found = places.slice(1).flatMap((end, i) => reader.push(bytes.subarray(places[i], end)));
      assert.deepEqual(
        found.map((f) => f.kind),
        ['Setup', 'Exec', 'Dontwaitpid'],
      );
    }),
    { seed: 1 },
  );
});

test('Setup with all its members, and with the least', () => {
  assert.deepEqual(parseForker(JSON.stringify(['Setup', full])), {
    kind: 'Setup',
    setup: {
      cmdargs: ['/bin/x', 'ü'],
      env: { A: '1', B: 'x=y' },
      descriptors: new Map([
        [a, 0],
        [b, null],
      ]),
      syslog: 'x',
      redirectStderr: true,
    },
  });
  const least = parseForker(JSON.stringify(['Setup', { cmdargs: ['/b'], env: [], id_to_fd_map: [] }]));
  assert.ok(least.kind === 'Setup');
  assert.deepEqual([least.setup.syslog, least.setup.redirectStderr], [null, false]);
});

test('answers', () => {
  assert.equal(formatForker(['Execed', 123]), '000000000014["Execed",123]');
  assert.equal(formatForker(['Finished', ['WEXITED', 0]]), '000000000026["Finished",["WEXITED",0]]');
});

test('what does not keep to the form is refused', () => {
  const setups = [
    { ...full, cmdargs: [] },
    { ...full, cmdargs: ['a\0'] },
    { ...full, env: ['=x'] },
    { ...full, env: 'A=1' },
    { ...full, id_to_fd_map: [['no uuid', []]] },
    { ...full, id_to_fd_map: [[a, [-1]]] },
    { ...full, id_to_fd_map: [[a, 0]] },
    {
      ...full,
      id_to_fd_map: [
        [a, [1]],
        [b, [1]],
      ],
    },
    {
      ...full,
      id_to_fd_map: [
        [a, []],
        [a, []],
      ],
    },
    { ...full, syslog_stdout: { enabled: true, key: 7 } },
    null,
  ];
  for (const setup of setups)
    assert.throws(() => parseForker(JSON.stringify(['Setup', setup])), ForkerError, JSON.stringify(setup));
  for (const text of ['', '"Exe"', '["Exec"]', '{}', '["Setup"]']) assert.throws(() => parseForker(text), ForkerError);
  for (const bytes of ['00000000001x"', '999999999999'])
    assert.throws(() => new ForkerReader().push(Buffer.from(bytes)), ForkerError);
});
