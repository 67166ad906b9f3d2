import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Change } from '../store/store.ts';
import { Tree } from './tree.ts';

/** A tree, and the rows that a store would have. */
function bed() {
  const tree = Tree.load([]);
  const rows = new Map<string, string>();
  const take = (changes: readonly Change[]) => {
    for (const { key, value } of changes) {
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
  };
  return {
    tree,
    rows,
    write: (path: string, value: string) => take(tree.write(path, value)),
    inject: (path: string, text: string) => take(tree.inject(path, text)),
    rm: (path: string) => take(tree.rm(path)),
  };
}

describe('the database’s tree', () => {
  test('writing: parents are made, a leaf gives way, a node with children stays', () => {
    const { tree, write } = bed();
    write('/a/b', '1');
    assert.equal(tree.read('a//b/'), '1');
    write('/a', 'x');
    assert.deepEqual([tree.read('/a'), tree.list('/a')], ['', ['b']]);
    write('/a/b/c', '2');
    assert.deepEqual([tree.read('/a/b'), tree.list('/a/b')], ['', ['c']]);
    write('/', 'x');
    assert.deepEqual(tree.list('/'), ['a']);
  });
  test('injecting: scalars, arrays, null; in place of what was there', () => {
    const { tree, inject } = bed();
    inject('/a', '{"b":1,"c":true,"d":[1,2],"e":null}');
    assert.deepEqual(
      ['b', 'c', 'd', 'e'].map((name) => tree.read(`/a/${name}`)),
      ['1', 'true', '', ''],
    );
    assert.deepEqual(tree.list('/a'), ['b', 'c', 'd', 'e']);
    inject('/a', '{"x":"y"}');
    assert.deepEqual(tree.list('/a'), ['x']);
    inject('/', '{"only":{"this":"1"}}');
    assert.equal(tree.dump('/'), '{\n  "only": {\n    "this": "1"\n  }\n}');
    inject('/only', 'null');
    assert.deepEqual([tree.exists('/only'), tree.dump('/only')], [true, 'null']);
  });
  test('what cannot be injected changes nothing', () => {
    const { tree, inject, write } = bed();
    write('/a/b', '1');
    for (const [path, text] of [
      ['/a', '{'],
      ['/a', '{"x/y":1}'],
      ['/a', '{"":1}'],
      ['/', '1'],
      ['/', '[]'],
      ['/a', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`],
    ] as const)
      assert.throws(() => inject(path, text), { name: 'TreeError' }, text);
    assert.equal(tree.dump('/'), '{\n  "a": {\n    "b": "1"\n  }\n}');
    assert.throws(() => write('/a'.repeat(101), 'x'), /names deep/);
    assert.throws(() => write('a'.repeat(5000), 'x'), /at most 4096/);
  });
  test('removing: nothing there is nothing done; empty nodes on the way go', () => {
    const { tree, write, inject, rm } = bed();
    write('/a/b', '1');
    rm('/a/b');
    assert.deepEqual([tree.exists('/a'), tree.list('/a'), tree.dump('/a')], [true, [], '{}']);
    rm('/nope');
    assert.equal(tree.exists('/nope'), false);
    inject('/', '{"e":null,"a":{"f":null,"g":"1","h":"2"}}');
    rm('/a/g');
    assert.deepEqual([tree.list('/'), tree.list('/a')], [['a'], ['h']]);
    rm('/');
    assert.deepEqual([tree.exists('/'), tree.list('/')], [true, []]);
  });
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c', '0', '10', '__proto__'), { maxLength: 3 })
    .map((names) => `/${names.join('/')}`);
  const json = fc.constantFrom('null', '1', '"s"', '[1]', '{}', '{"b":{"c":null},"a":1}', '{"__proto__":{"x":1}}', '');
  const step = fc.oneof(
    fc.record({ op: fc.constant('write' as const), path, text: fc.constantFrom('', 'x', 'y') }),
    fc.record({ op: fc.constant('inject' as const), path, text: json }),
    fc.record({ op: fc.constant('rm' as const), path, text: fc.constant('') }),
  );
  test('whatever is done, the rows of the store make the same tree again, in the same order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const b = bed();
        for (const { op, path: at, text } of steps) {
          if (op === 'inject' && at === '/' && !/^\{|^null$|^$/.test(text)) continue;
          if (op === 'rm') b.rm(at);
          else b[op](at, text);
        }
        assert.equal(Tree.load(b.rows).dump('/'), b.tree.dump('/'));
        assert.equal(b.tree.size('/').nodes - 1, b.rows.size);
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});
