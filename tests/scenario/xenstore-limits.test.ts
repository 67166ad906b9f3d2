/** What guests did to use up other xenstoreds (Xen's security advisories), done to ours: limits hold, and others do not wait. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { logTo } from '../../src/base/log.ts';
import { encodePacket, op } from '../../src/wire/xenstore.ts';
import type { MemoryLine } from '../conformance/xenstore-beds.ts';
import { checkCounts, frames, tx, world } from './xenstore-world.ts';

describe('limits of guests (by the number of the advisory)', () => {
  test('272: the limit of nodes holds for implicit parents, MKDIR and inside transactions', async () => {
    const { bed, one, ask, domain, core } = await world([1], { quotas: { nodes: 20 } });
    const fill = async (make: (i: number) => Promise<string>) => {
      for (let i = 0; i < 50; i++) if ((await make(i)) !== '11 OK|') break;
    };
    await fill((i) => ask(one, op.write, `w/${i}/below\0`));
    assert.equal(await ask(one, op.write, 'w/deep/er/and/er\0'), '16 ENOSPC|');
    for (let i = 0; i < 3; i++) await ask(one, op.mkdir, `m${i}\0`);
    assert.equal(await ask(one, op.mkdir, 'm-last\0'), '16 ENOSPC|');
    assert.equal(domain(1).usage.nodes, 19);
    await ask(one, op.rm, 'w/0\0');
    const [a, b] = [tx(await ask(one, op.transactionStart, '\0')), tx(await ask(one, op.transactionStart, '\0'))];
    for (const [id, name] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      assert.equal(await ask(one, op.mkdir, `${name}1\0`, id), '12 OK|');
      assert.equal(await ask(one, op.mkdir, `${name}2\0`, id), '12 OK|');
      assert.equal(await ask(one, op.mkdir, `${name}3\0`, id), '16 ENOSPC|');
    }
    assert.equal(await ask(one, op.transactionEnd, 'T\0', a), '7 OK|');
    assert.equal(await ask(one, op.transactionEnd, 'T\0', b), '16 ENOSPC|');
    checkCounts(bed);
    assert.equal(core.openTransactions, 0);
  });
  test('323: paths at the limit, relative and absolute, are listed, watched and removed by dom0', async () => {
    const { zero, one, ask } = await world([1]);
    assert.equal(await ask(one, op.write, `${'x'.repeat(2049)}\0`), '16 EINVAL|');
    const longest = `${'a/'.repeat(500)}${'b'.repeat(500)}`;
    assert.equal(await ask(one, op.write, `${longest}\0v`), '11 OK|');
    await ask(zero, op.watch, '/local/domain/1\0t\0');
    assert.equal(await ask(zero, op.directory, '/local/domain/1\0').then((r) => r.slice(0, 2)), '1 ');
    assert.equal(await ask(zero, op.rm, '/local/domain/1\0'), '13 OK|');
    assert.equal(await ask(zero, op.read, '/local/domain/1\0'), '16 ENOENT|');
  });
  test('326 a: a guest that reads nothing has bounded events, and is given up after 20 s', async () => {
    const { bed, zero, one, ask, domain } = await world([1]);
    for (let i = 0; i < 50; i++) await ask(one, op.watch, `w\0${i}${'t'.repeat(2000)}\0`);
    one.reading = false;
    one.taken();
    for (let i = 0; i < 100; i++) await ask(zero, op.write, `/local/domain/1/w/${i}\0`);
    const { output } = domain(1).connection!;
    assert.ok(output.length < 2.5 * 1024 * 1024, `${output.length} bytes wait`);
    const before = output.length;
    for (let i = 0; i < 100; i++) await ask(zero, op.write, `/local/domain/1/w/${i}\0again`);
    assert.ok(output.length < 2.5 * 1024 * 1024 && output.length >= before);
    await bed.clock.advance(30_000);
    assert.equal(one.brokenBy, 'timeout');
    assert.equal(output.length, 0);
    assert.equal(domain(1).usage.watches, 0);
    assert.equal(await ask(zero, op.isDomainIntroduced, '1\0'), '17 T|');
  });
  test('326 b: requests of a guest that reads no replies wait; the same event is queued once', async () => {
    const { bed, zero, one, ask, domain } = await world([1]);
    await ask(one, op.watch, 'w\0t\0');
    one.taken();
    one.reading = false;
    const many = Buffer.concat(Array.from({ length: 200 }, (_, i) => encodePacket(op.getDomainPath, i, 0, '1\0')));
    one.send(many);
    assert.equal(domain(1).connection!.output.frames, 20);
    assert.equal(domain(1).connection!.wantsInput, false);
    for (let i = 0; i < 50; i++) await ask(zero, op.write, '/local/domain/1/w\0');
    assert.equal(domain(1).connection!.output.frames, 21);
    const got = [];
    for (let i = 0; i < 40; i++) {
      one.read();
      await bed.settled();
      got.push(...frames(one));
    }
    assert.deepEqual(
      got.filter((p) => p.type !== op.watchEvent).map((p) => p.requestId),
      Array.from({ length: 200 }, (_, i) => i),
    );
    assert.equal(got.filter((p) => p.type === op.watchEvent).length, 1);
  });
  test('326 c, 421, 440: counts stay exact over transactions, failures and conflicts', async () => {
    const { bed, zero, one, two, ask, core } = await world();
    const start = async (line: MemoryLine) => tx(await ask(line, op.transactionStart, '\0'));
    const [a, b] = [await start(one), await start(one)];
    for (let i = 0; i < 5; i++) {
      await ask(one, op.write, 'x/y/z\0v', a);
      await ask(one, op.rm, 'x\0', a);
    }
    await ask(one, op.write, 'k\0', a);
    await ask(one, op.read, 'k\0', b);
    await ask(one, op.write, 'l\0', b);
    assert.equal(await ask(one, op.transactionEnd, 'T\0', a), '7 OK|');
    assert.equal(await ask(one, op.transactionEnd, 'T\0', b), '16 EAGAIN|');
    assert.equal(await ask(zero, op.read, '/local/domain/1/x\0'), '16 ENOENT|');
    checkCounts(bed);
    // Across guests: one removes what the other owns.
    await ask(zero, op.setPerms, '/local/domain/1\0b1\0');
    await ask(two, op.write, '/local/domain/1/of-two/x\0');
    const [c, d] = [await start(one), await start(two)];
    await ask(one, op.rm, '/local/domain/1/of-two\0', c);
    await ask(two, op.write, '/local/domain/1/of-two/y\0', d);
    await ask(two, op.transactionEnd, 'T\0', d);
    await ask(one, op.transactionEnd, 'T\0', c);
    checkCounts(bed);
    core.died(2);
    core.died(1);
    checkCounts(bed);
    assert.equal(core.openTransactions, 0);
  });
  test('326 d, g: one transaction touches so many nodes and no more', async () => {
    const { one, ask, domain, core } = await world([1], { quotas: { 'transaction-nodes': 30 } });
    const id = tx(await ask(one, op.transactionStart, '\0'));
    let refusedAt = 0;
    for (let i = 0; i < 60 && refusedAt === 0; i++)
      if ((await ask(one, op.read, `n${i}\0`, id)) === '16 ENOSPC|') refusedAt = i;
    assert.ok(refusedAt > 10 && refusedAt <= 30, `refused at ${refusedAt}`);
    assert.equal(await ask(one, op.write, 'new\0', id), '16 ENOSPC|');
    await ask(one, op.transactionEnd, 'F\0', id);
    assert.equal(core.edits.tree.find(core.path('/local/domain/1/new')), undefined);
    const usage = domain(1).usage;
    assert.equal(usage.transactions, 0);
    assert.ok(usage.memory < 1000, `${usage.memory} bytes are still charged`);
  });
  test('326 e: everything at its maximum at once stays under the limit of memory, and the soft limit is logged', async () => {
    const said: string[] = [];
    const log = logTo((level, message) => level === 'warn' && said.push(message));
    const { bed, one, ask, domain } = await world([1], { log });
    const answers = new Set<string>();
    for (let i = 0; i < 999; i++) answers.add(await ask(one, op.write, `${i}\0${'v'.repeat(1900)}`));
    for (let i = 0; i < 127; i++)
      answers.add(await ask(one, op.watch, `${i}${'p'.repeat(1900)}\0${'t'.repeat(1900)}\0`));
    for (let i = 0; i < 9; i++) {
      const id = tx(await ask(one, op.transactionStart, '\0'));
      if (Number.isNaN(id)) continue;
      for (let n = 0; n < 400; n++) answers.add(await ask(one, op.write, `${n}\0${'w'.repeat(1900)}`, id));
    }
    one.reading = false;
    for (let i = 0; i < 100; i++) await ask(one, op.read, '1\0');
    const limit = 2.5 * 1024 * 1024;
    const { usage, connection } = domain(1);
    // Beside what is charged, the answers that it has not read: so many, each of a packet at most.
    assert.ok(usage.memory < limit + 8192, `${usage.memory} bytes`);
    assert.ok(connection!.output.length <= 20 * (4096 + 16), `${connection!.output.length} bytes wait`);
    assert.ok(
      [...answers].some((each) => each === '16 ENOMEM|'),
      [...answers].join(),
    );
    assert.ok(said.some((each) => /soft limit/.test(each)));
    checkCounts(bed);
    bed.core.died(1);
    checkCounts(bed);
  });
  test('206: a guest that was slowed down goes on by itself when time has passed', async () => {
    const { bed, zero, one, two, ask } = await world();
    let resumed = 0;
    one.resume = () => resumed++;
    const id = tx(await ask(zero, op.transactionStart, '\0'));
    one.send(Buffer.concat(Array.from({ length: 40 }, (_, i) => encodePacket(op.write, i, 0, `k${i}\0`))));
    await bed.settled();
    assert.ok(frames(one).length < 20);
    assert.equal(await ask(two, op.getDomainPath, '2\0'), '10 /local/domain/2|');
    for (let i = 0; i < 20; i++) {
      await bed.clock.advance(100);
      await bed.settled();
    }
    assert.ok(bed.core.domains.find(1)!.connection!.wantsInput);
    assert.ok(resumed > 0);
    assert.equal(bed.core.domains.find(1)!.usage.nodes, 41);
    await ask(zero, op.transactionEnd, 'T\0', id);
  });
  test('326 f: a store that is told nothing has safe limits', async () => {
    const { core, one, ask } = await world([1]);
    assert.deepEqual(core.quotas.hard, {
      nodes: 1000,
      watches: 128,
      transactions: 10,
      outstanding: 20,
      'transaction-nodes': 1024,
      memory: 2.5 * 1024 * 1024,
      'node-permissions': 5,
      'path-max': 2048,
      'node-size': 2048,
    });
    assert.equal(await ask(one, op.setQuota, 'nodes\x000\0'), '16 EACCES|');
    assert.equal(await ask(one, op.control, 'quota\0set\0nodes\x000\0'), '16 EACCES|');
  });
  test('330: WATCH and RESET_WATCHES for long leave nothing', async () => {
    const { one, ask, domain, core } = await world([1]);
    const before = domain(1).usage.memory;
    for (let i = 0; i < 2000; i++) {
      one.send(encodePacket(op.watch, 1, 0, `a/b/${i}\0t\0`));
      one.send(encodePacket(op.resetWatches, 1, 0, '\0'));
      one.taken();
    }
    await ask(one, op.read, '\0');
    assert.deepEqual([domain(1).usage.watches, domain(1).usage.memory, core.watches.count], [0, before, 0]);
  });
  test('414, 415: a creation that fails half way leaves nothing, in and out of a transaction', async () => {
    const { bed, zero, one, ask } = await world([1], { quotas: { 'node-size': 200 } });
    for (let i = 0; i < 8; i++) await ask(one, op.write, `p/${'n'.repeat(15)}${i}\0`);
    const id = tx(await ask(one, op.transactionStart, '\0'));
    await ask(one, op.write, 'fresh\0', id);
    assert.equal(await ask(one, op.write, `p/${'n'.repeat(40)}/x/y\0`, id), '16 ENOSPC|');
    assert.equal(await ask(one, op.write, `q/r/${'n'.repeat(300)}/s\0`), '16 ENOSPC|');
    assert.equal(await ask(one, op.transactionEnd, 'T\0', id), '7 OK|');
    assert.equal(await ask(zero, op.read, '/local/domain/1/q\0'), '16 ENOENT|');
    assert.equal(await ask(one, op.write, 'p/next\0'), '11 OK|');
    assert.equal(await ask(zero, op.rm, '/local/domain/1/p\0'), '13 OK|');
    checkCounts(bed);
  });
  test('416: large answers that are not read hold no more than what waits', async () => {
    const { one, zero, ask, domain } = await world([1]);
    for (let i = 0; i < 60; i++) await ask(zero, op.mkdir, `/local/domain/1/d/${String(i).padStart(60, 'x')}\0`);
    one.reading = false;
    for (let i = 0; i < 500; i++) one.send(encodePacket(op.directory, i, 0, 'd\0'));
    const { output, pending } = domain(1).connection!;
    assert.ok(output.length <= 20 * 4200, `${output.length}`);
    assert.ok(pending.length < 500 * 20);
  });
  test('483: every life of a number has the whole quota', async () => {
    const { bed, zero, ask, guest } = await world([], { quotas: { nodes: 10 } });
    for (let life = 0; life < 20; life++) {
      const line = await guest(9);
      let made = 0;
      while ((await ask(line, op.mkdir, `n${made}\0`)) === '12 OK|') made++;
      assert.equal(made, 8, `life ${life}`);
      if (life % 2 === 0) await ask(zero, op.release, '9\0');
      else bed.core.died(9);
    }
    checkCounts(bed);
  });
  test('a guest’s flood does not keep others waiting: they are served in the same turn', async () => {
    const { one, two, bed } = await world();
    // The bed's line takes everything, so that the flood is as fast as it can be.
    one.send(Buffer.concat(Array.from({ length: 20_000 }, () => encodePacket(op.getDomainPath, 1, 0, '1\0'))));
    two.send(encodePacket(op.getDomainPath, 7, 0, '2\0'));
    let turns = 0;
    while (frames(two).length === 0) {
      assert.ok(turns++ < 3, 'the second guest waits');
      await bed.step();
    }
  });
});
