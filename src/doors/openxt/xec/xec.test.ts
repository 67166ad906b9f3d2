import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseXec, parseXecVm } from './options.ts';
import { parseValue, valueLines } from './value.ts';

describe('xec: values', () => {
  const read: readonly [string, string, unknown][] = [
    ['s', ' as it "is" ', ' as it "is" '],
    ['o', '/a', '/a'],
    ['b', 'true', true],
    ['b', '0', false],
    ['y', '255', 255],
    ['i', '-2147483648', -2147483648],
    ['x', '-9223372036854775808', -(1n << 63n)],
    ['t', '18446744073709551615', (1n << 64n) - 1n],
    ['d', '-1.5', -1.5],
    ['as', `[ 'a\\'b' , "c\\\\d", '\\n' ]`, ["a'b", 'c\\d', '\\n']],
    ['ai', '[]', []],
    ['a{sv}', '{}', []],
    [
      'a{si}',
      '{\'a\' : 1, "b":2}',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    [
      '(sa(ib))',
      `['x', [[1, true], [2, 0]]]`,
      [
        'x',
        [
          [1, true],
          [2, false],
        ],
      ],
    ],
  ];
  for (const [type, text, value] of read)
    test(`${type}: ${text}`, () => assert.deepEqual(parseValue(type, text), value));
  const refused: readonly [string, string, RegExp][] = [
    ['y', '256', /at character 4: 256 is not between 0 and 255/],
    ['i', '1.5', /at character 2: nothing more/],
    ['i', '', /a whole number is wanted/],
    ['b', 'yes', /true, false, 1 or 0/],
    ['as', '[a]', /at character 2: a string in quotes/],
    ['as', "['a", /the closing quote is missing/],
    ['as', "['a' 'b']", /at character 6: "," is wanted/],
    ['ai', '[1,]', /at character 4: a whole number/],
    ['(ii)', '[1]', /2 values are wanted, not 1/],
    ['(i)', '[1, 2]', /one value too many/],
    ['a{si}', "{'a' 1}", /":" is wanted/],
    ['v', '1', /type v cannot be written/],
    ['g', 's', /type g cannot be written/],
  ];
  for (const [type, text, why] of refused)
    test(`refused: ${type}: ${text}`, () => assert.throws(() => parseValue(type, text), why));
  test('shown', () => {
    assert.deepEqual(valueLines('s', 'a b'), ['a b']);
    assert.deepEqual(valueLines('b', true), ['true']);
    assert.deepEqual(valueLines('ao', ['/a', '/b']), ['/a', '/b']);
    assert.deepEqual(valueLines('a{ss}', { a: '1', long: '2' }), ['{', '"a"    = 1', '"long" = 2', '}']);
    assert.deepEqual(valueLines('a(sb)', [['x', true]]), ["['x', true]"]);
    assert.deepEqual(valueLines('ay', Buffer.from([1, 2])), ['1', '2']);
    assert.deepEqual(valueLines('v', { a: [1n] }), ['{', '"a" = [1]', '}']);
  });
  test('an element that is shown is read as the same again', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ unit: fc.constantFrom('\\', "'", '"', 'a', ' ') }))), (value) => {
        assert.deepEqual(
          valueLines('aas', value).map((line) => parseValue('as', line)),
          value,
        );
      }),
      { seed: 1 },
    );
  });
});

describe('xec: options', () => {
  test('what is asked', () => {
    const { work, ...rest } = parseXec(['-s', 'a.b', '--object=/x', '-i', 'i.j', '--session', 'list-vms', '-5', 'x']);
    assert.deepEqual(work, { kind: 'call', method: 'list_vms', args: ['-5', 'x'] });
    assert.deepEqual(rest, {
      service: 'a.b',
      object: '/x',
      interface: 'i.j',
      bus: 'session',
      quiet: false,
      help: false,
    });
    const works = [
      [],
      ['-q'],
      ['get', 'p'],
      ['-g', 'p'],
      ['set', 'p', 'v'],
      ['-x', 'p', 'v'],
      ['getall'],
      ['--list-methods'],
    ];
    assert.deepEqual(
      works.map((argv) => parseXec(argv).work),
      [
        { kind: 'show' },
        { kind: 'show' },
        { kind: 'get', property: 'p' },
        { kind: 'get', property: 'p' },
        { kind: 'set', property: 'p', value: 'v' },
        { kind: 'set', property: 'p', value: 'v' },
        { kind: 'getall' },
        { kind: 'list-methods' },
      ],
    );
  });
  test('which VM', () => {
    assert.deepEqual(parseXecVm(['-n', 'win', '-k', '0', 'get', 'mode']).vm, {
      by: 'name',
      value: 'win',
      device: { kind: 'disk', id: '0' },
    });
    assert.deepEqual(parseXecVm(['-o', '/vm/x']).vm, { by: 'path', value: '/vm/x', device: undefined });
    assert.deepEqual(parseXecVm([]).xec.work, { kind: 'table' });
  });
  const refused: readonly [string, () => unknown, RegExp][] = [
    ['unknown', () => parseXec(['--colour']), /no option --colour/],
    ['no value', () => parseXec(['-s']), /-s: its value is missing/],
    ['set without value', () => parseXec(['set', 'p']), /one word is wanted after it, there are 0/],
    ['get of two', () => parseXec(['get', 'p', 'q']), /there are 2/],
    ['argo', () => parseXec(['-t', '3']), /over argo, which this host does not have/],
    ['two VMs', () => parseXecVm(['-n', 'a', '-u', 'b']), /chosen once/],
    ['no VM', () => parseXecVm(['get', 'name']), /of which VM/],
    ['disk', () => parseXecVm(['-n', 'a', '-k', 'x']), /--disk x: a number/],
  ];
  for (const [name, act, why] of refused) test(`refused: ${name}`, () => assert.throws(act, why));
});
