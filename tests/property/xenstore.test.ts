/** Random histories of concurrent transactions by dom0 and guests: ours answers as a simple store does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodePacket, op, PacketReader } from '../../src/wire/xenstore.ts';
import { nodesOf } from '../../src/xenstore/tree.ts';
import { type MemoryLine, memoryBed } from '../conformance/xenstore-beds.ts';
import { type Call, type Letter, NaiveTransaction, type Nodes, perform } from './naive-xenstore.ts';
import { tries } from './soak.ts';

const numbers = {
  read: op.read,
  directory: op.directory,
  getPerms: op.getPerms,
  mkdir: op.mkdir,
  rm: op.rm,
  write: op.write,
  setPerms: op.setPerms,
};
type Step =
  | { readonly do: 'call'; readonly who: number; readonly slot: number; readonly call: Call }
  | { readonly do: 'commit' | 'abort'; readonly who: number; readonly slot: number };

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 0, maxLength: 3 }).map((names) => ['/s', ...names].join('/'));
const entry = fc.tuple(fc.constantFrom<Letter>('n', 'r', 'w', 'b'), fc.integer({ min: 0, max: 2 }));
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({
    op: fc.constantFrom('read' as const, 'directory' as const, 'getPerms' as const, 'mkdir' as const, 'rm' as const),
    path,
  }),
  fc.record({ op: fc.constant('write' as const), path, value: fc.string({ maxLength: 3 }) }),
  fc.record({ op: fc.constant('setPerms' as const), path, entries: fc.array(entry, { minLength: 1, maxLength: 3 }) }),
);
const who = fc.integer({ min: 0, max: 3 });
/** 0 is outside of a transaction; another number is one, begun when it is first used. */
const slot = fc.integer({ min: 0, max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('call' as const), who, slot, call }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('commit' as const, 'commit' as const, 'commit' as const, 'abort' as const),
      who,
      slot,
    }),
  },
);

/** What is sent for a call, and the answer in the simple store's form. */
function payloadOf(each: Call): Buffer {
  if (each.op === 'write') return Buffer.concat([Buffer.from(`${each.path}\0`), Buffer.from(each.value)]);
  const rest = each.op === 'setPerms' ? each.entries.map(([letter, domid]) => `${letter}${domid}\0`).join('') : '';
  return Buffer.from(`${each.path}\0${rest}`);
}
function answer(line: MemoryLine, each: Call | undefined): string {
  const packet = new PacketReader().push(line.taken()).find((p) => p.type !== op.watchEvent);
  assert.ok(packet, 'no answer');
  if (each?.op === 'read' && packet.type === op.read) return packet.payload.toString();
  const parts = packet.payload.toString().split('\0').filter(Boolean);
  return each?.op === 'directory' ? parts.sort().join() : parts.join();
}

async function history(steps: readonly Step[]): Promise<{ commits: number; conflicts: number }> {
  const bed = memoryBed();
  const zero = await bed.socket();
  const watcher = await bed.socket();
  bed.introduce(1);
  bed.introduce(2);
  const lines = [zero, await bed.socket(), bed.ring(1), bed.ring(2)];
  const domids = [0, 0, 1, 2];
  zero.send(encodePacket(op.mkdir, 1, 0, '/s\0'));
  zero.send(encodePacket(op.setPerms, 1, 0, '/s\0b0\0'));
  watcher.send(encodePacket(op.watch, 1, 0, '/s\0w\0'));
  for (const line of [zero, watcher]) line.taken();
  let nodes: Nodes = new Map([
    ['/', { value: '', entries: [['n', 0]] }],
    ['/s', { value: '', entries: [['b', 0]] }],
  ]);
  const open = new Map<string, { id: number; naive: NaiveTransaction }>();
  const expected: string[] = [];
  const counts = { commits: 0, conflicts: 0 };
  const ask = (line: MemoryLine, type: number, payload: Buffer | string, tx: number, each?: Call) => {
    line.send(encodePacket(type, 1, tx, payload));
    return answer(line, each);
  };
  const others = (changed: readonly string[], but?: NaiveTransaction) => {
    for (const { naive } of open.values()) if (naive !== but) for (const each of changed) naive.others.add(each);
  };
  for (const each of steps) {
    const line = lines[each.who] as MemoryLine;
    const domid = domids[each.who] as number;
    const key = `${each.who} ${each.slot}`;
    if (each.do === 'call' && each.slot !== 0 && !open.has(key)) {
      open.set(key, { id: Number(ask(line, op.transactionStart, '\0', 0)), naive: new NaiveTransaction(nodes) });
    }
    const transaction = each.slot === 0 ? undefined : open.get(key);
    // The limit on writes while others have transactions open is not what is tested here.
    await bed.clock.advance(1000);
    if (each.do === 'call') {
      const got = ask(line, numbers[each.call.op], payloadOf(each.call), transaction?.id ?? 0, each.call);
      if (transaction !== undefined) {
        assert.equal(got, transaction.naive.perform(domid, each.call));
        continue;
      }
      const changed: string[] = [];
      const note = (p: string, told: boolean) => {
        changed.push(p);
        if (told) expected.push(p);
      };
      assert.equal(got, perform(nodes, domid, each.call, note));
      others(changed);
    } else if (transaction !== undefined) {
      open.delete(key);
      const got = ask(line, op.transactionEnd, each.do === 'commit' ? 'T\0' : 'F\0', transaction.id);
      if (each.do === 'abort') assert.equal(got, 'OK');
      else if (got === 'OK') {
        counts.commits++;
        const replayed = transaction.naive.replay(nodes, domid);
        assert.ok(replayed, 'committed, although an answer would be another one now');
        nodes = replayed.nodes;
        others(replayed.changed);
        expected.push(...new Set(replayed.told));
      } else {
        counts.conflicts++;
        assert.equal(got, 'EAGAIN');
        assert.ok(!transaction.naive.disjoint, 'refused, although nobody touched what it has to do with');
      }
    }
  }
  const found = new Map<string, string>();
  for (const [each, node] of nodesOf(bed.core.edits.tree.root)) {
    if (!each.startsWith('/tool')) found.set(each, `${node.value} ${node.permissions.text}`);
  }
  const wanted = new Map(
    [...nodes].map(([p, n]) => [p, `${n.value} ${n.entries.map(([l, d]) => `${l}${d}\0`).join('')}`]),
  );
  assert.deepEqual(new Map([...found].sort()), new Map([...wanted].sort()));
  const told = new PacketReader().push(watcher.taken()).map((p) => p.payload.toString().split('\0')[0]);
  assert.deepEqual(told, expected);
  await bed.close();
  return counts;
}

describe('xenstore: random histories', () => {
  test('answers, commits, events and the tree are those of a simple store', async () => {
    const total = { commits: 0, conflicts: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const { commits, conflicts } = await history(steps);
        total.commits += commits;
        total.conflicts += conflicts;
      }),
      tries({ seed: 20261121, numRuns: 300 }),
    );
    // Both ends are met, or the test shows little.
    assert.ok(total.commits > 100 && total.conflicts > 20, JSON.stringify(total));
  });
});
