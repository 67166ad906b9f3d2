import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { Children } from './children.ts';
import { Core } from './core.ts';
import { Paths } from './path.ts';
import { Permissions } from './permissions.ts';
import { nodesOf, Tree, TreeNode } from './tree.ts';

const nobody = new Permissions([{ letter: 'n', domid: 0, domain: undefined }]);
const node = (value: string) => new TreeNode(0, value, nobody, undefined, 0, 0);

describe('children', () => {
  test('are those of a map, small and large, and older versions keep theirs', () => {
    const change = fc.tuple(fc.integer({ min: 0, max: 150 }), fc.boolean(), fc.boolean());
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600, size: 'max' }), (changes) => {
        let owner = 1;
        let children = new Children(owner);
        const map = new Map<string, TreeNode>();
        const versions: { children: Children; map: Map<string, TreeNode> }[] = [];
        for (const [n, put, snapshot] of changes) {
          if (snapshot && versions.length < 5) {
            versions.push({ children, map: new Map(map) });
            owner++;
          }
          const name = `name${n}`;
          const value = put || n % 3 > 0 ? node(name) : undefined;
          children = children.with(name, value, owner);
          if (value) map.set(name, value);
          else map.delete(name);
        }
        for (const version of [...versions, { children, map }]) {
          assert.deepEqual(new Map([...version.children].sort()), new Map([...version.map].sort()));
          assert.equal(version.children.size, version.map.size);
          for (const [name, each] of version.map) assert.equal(version.children.get(name), each);
          assert.deepEqual(version.children.names.split('\0').filter(Boolean).sort(), [...version.map.keys()].sort());
          assert.equal(version.children.nameBytes, version.children.names.length);
        }
      }),
      { seed: 7, numRuns: 60 },
    );
  });
  test('very many are all found, and can all be taken out again', () => {
    let children = new Children(1);
    for (let i = 0; i < 20_000; i++) children = children.with(`n${i}`, node(String(i)), 1);
    for (let i = 0; i < 20_000; i += 7) assert.equal(children.get(`n${i}`)?.value, String(i));
    for (let i = 0; i < 20_000; i++) children = children.with(`n${i}`, undefined, 1);
    assert.equal(children.size, 0);
    assert.equal(children.names, '');
  });
});

describe('tree', () => {
  const path = (text: string) => new Paths().resolve(text, '/', 0)!;
  const content = (root: TreeNode) => [...nodesOf(root)].map(([p, n]) => `${p}=${n.value}`).sort();

  test('a snapshot does not see what is changed after it, nor the other way round', () => {
    const tree = new Tree({ owner: 0, generation: 0 }, nobody);
    tree.create(path('/a'), 1, '1', nobody);
    tree.create(path('/a/b'), 2, '2', nobody);
    const fork = tree.fork();
    const before = content(fork.root);
    tree.setValue(path('/a/b'), 'changed');
    tree.create(path('/a/c'), 2, '3', nobody);
    fork.setValue(path('/a'), 'mine');
    assert.deepEqual(content(tree.root), ['/=', '/a/b=changed', '/a/c=3', '/a=1']);
    assert.deepEqual(
      content(fork.root),
      before.map((each) => (each === '/a=1' ? '/a=mine' : each)),
    );
    tree.remove(path('/a'));
    assert.equal(fork.find(path('/a/b'))?.value, '2');
  });
  test('without a snapshot nothing is copied', () => {
    const tree = new Tree({ owner: 0, generation: 0 }, nobody);
    tree.create(path('/a'), 1, '1', nobody);
    const { root } = tree;
    tree.setValue(path('/a'), '2');
    assert.equal(tree.root, root);
    tree.fork();
    tree.setValue(path('/a'), '3');
    assert.notEqual(tree.root, root);
  });
  test('a commit of one change in a large store copies little', () => {
    const core = new Core({ log: silentLog, clock: new ManualClock(), later: () => undefined });
    core.edits.create(core.path('/wide'), 1, '', nobody, false);
    for (let i = 0; i < 30_000; i++) core.edits.create(core.path(`/wide/${i}`), 2, '', nobody, false);
    const nodes = new Set([...nodesOf(core.edits.tree.root)].map(([, each]) => each));
    const fork = core.edits.tree.fork();
    fork.setValue(core.path('/wide/17'), 'x');
    const copied = [...nodesOf(fork.root)].filter(([, each]) => !nodes.has(each));
    assert.deepEqual(copied.map(([p]) => p).sort(), ['/', '/wide', '/wide/17']);
  });
});

describe('paths', () => {
  const resolve = (text: string, max = 0) => new Paths().resolve(text, '/local/domain/7', max)?.text;
  test('what may be named', () => {
    assert.equal(resolve('/'), '/');
    assert.equal(resolve('/a-b/_c/@d/9'), '/a-b/_c/@d/9');
    assert.equal(resolve('rel/x'), '/local/domain/7/rel/x');
    assert.equal(resolve('@releaseDomain'), '@releaseDomain');
    for (const wrong of [
      '',
      '//',
      '/a/',
      '/a//b',
      'a/',
      'a b',
      '/é',
      '/a.b',
      'x'.repeat(2049),
      `/${'x'.repeat(3072)}`,
    ]) {
      assert.equal(resolve(wrong), undefined, wrong.slice(0, 20));
    }
    assert.equal(resolve(`/${'x'.repeat(3071)}`)?.length, 3072);
  });
  test('a limit counts what follows a domain’s home', () => {
    assert.equal(resolve(`/${'x'.repeat(100)}`, 100), undefined);
    assert.ok(resolve(`/local/domain/12345/${'x'.repeat(100)}`, 100));
    assert.equal(resolve(`/local/domain/123456/${'x'.repeat(100)}`, 100), undefined);
    assert.ok(resolve('x'.repeat(100), 100));
    assert.equal(resolve('x'.repeat(101), 100), undefined);
  });
});
