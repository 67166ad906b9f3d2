import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { VmFacts } from './facts.ts';
import { Budget } from './limits.ts';
import { Policy } from './policy.ts';

const uuid = '11111111-2222-3333-4444-555555555551';
const source = { domid: 5, uuid, stubdom: false };
const message = { kind: 'method-call', destination: 'a.b', member: 'M' } as const;

function bed(text: string, facts: Partial<VmFacts> = {}) {
  const clock = new ManualClock();
  const file = { name: 'f', text, read: () => file.text };
  const all: VmFacts = { rules: async () => [], property: async () => undefined, ...facts };
  return { clock, file, policy: new Policy({ file, facts: all, options: {}, clock, log: silentLog }) };
}

describe('the rules in force', () => {
  test('a reload reaches connections that are open; broken rules deny both ways until they are mended', async () => {
    const { file, policy } = bed('allow all');
    const ruling = await policy.open(source);
    const both = () => [ruling.judge('incoming', message).allow, ruling.judge('outgoing', message).allow];
    assert.deepEqual(both(), [true, true]);
    file.text = 'permit all';
    await policy.reload();
    assert.deepEqual([both(), ruling.unreadable], [[false, false], true]);
    assert.match(String(ruling.broken), /^f:1:1: permit: /);
    file.text = 'deny all';
    await policy.reload();
    assert.deepEqual([both(), ruling.unreadable], [[false, true], false]);
  });
  test('a file that cannot be read is broken rules', () => {
    const { policy } = bed('');
    const { clock, log, options } = policy.parts;
    const read = () => {
      throw new Error('it is gone');
    };
    assert.match(
      String(new Policy({ file: { name: 'f', read }, facts: undefined, options, clock, log }).broken),
      /f:1:1: file: it is gone/,
    );
  });
  test('facts that cannot be had are asked for again, every second, until the connection ends', async () => {
    let there = false;
    const { clock, policy } = bed('allow if-boolean p true', {
      async property() {
        if (!there) throw new Error('the database is away');
        return true;
      },
    });
    const ruling = await policy.open(source);
    assert.deepEqual(
      [ruling.judge('incoming', message), ruling.unreadable],
      [{ allow: false, why: 'the database is away' }, false],
    );
    await clock.advance(1000);
    assert.equal(ruling.judge('incoming', message).allow, false);
    there = true;
    await clock.advance(1000);
    assert.equal(ruling.judge('incoming', message).allow, true);
    assert.equal(clock.pending, 0);
    there = false;
    await policy.changed(uuid);
    assert.equal(ruling.judge('incoming', message).allow, false);
    ruling.end();
    assert.equal(clock.pending, 0);
  });
  test('the newest reading counts, whichever ends last', async () => {
    const waiting: ((rules: string[]) => void)[] = [];
    const { policy } = bed('deny all', { rules: () => new Promise((resolve) => waiting.push(resolve)) });
    const opened = policy.open(source);
    waiting.shift()?.([]);
    const ruling = await opened;
    const [older, newer] = [ruling.make(), ruling.make()];
    waiting[1]?.(['allow all']);
    await newer;
    waiting[0]?.(['deny all']);
    await older;
    assert.equal(ruling.judge('incoming', message).allow, true);
  });
  test('domain 0 needs neither rules nor facts', async () => {
    const { policy } = bed('permit', { rules: () => Promise.reject(new Error('away')) });
    const ruling = await policy.open({ domid: 0, uuid: null, stubdom: false });
    assert.equal(ruling.judge('incoming', message).allow, true);
  });
});

test('a budget: so many at once, then as time goes', async () => {
  const clock = new ManualClock();
  const budget = new Budget(clock, 10);
  const taken = Array.from({ length: 12 }, () => budget.take());
  assert.deepEqual(taken, [...Array(10).fill(0), 100, 200]);
  await clock.advance(300);
  assert.deepEqual([budget.take(), budget.take()], [0, 100]);
  await clock.advance(60_000);
  assert.equal(Array.from({ length: 20 }, () => budget.take()).filter((wait) => wait === 0).length, 10);
});
