/** What guests did to other xenstoreds (Xen's security advisories), done to ours: it survives, and nobody else is hurt. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { logTo } from '../../src/base/log.ts';
import { encodePacket, op, PacketReader, putU32, u32 } from '../../src/wire/xenstore.ts';
import type { CoreOptions } from '../../src/xenstore/core.ts';
import { attach, dump, load, type State } from '../../src/xenstore/state.ts';
import { nodesOf } from '../../src/xenstore/tree.ts';
import { type MemoryBed, type MemoryLine, memoryBed } from '../conformance/xenstore-beds.ts';

const frames = (line: MemoryLine) => new PacketReader().push(line.taken());
const texts = (line: MemoryLine) =>
  frames(line).map((p) => `${p.type} ${p.payload.toString('latin1').replaceAll('\0', '|')}`);

/** Counts of all domains are what the tree holds, and nothing else is charged when nobody holds anything. */
function checkCounts(bed: MemoryBed): void {
  const counts = new Map<unknown, number>();
  for (const [, node] of nodesOf(bed.core.edits.tree.root)) {
    const { owner } = node.permissions;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const domain of bed.core.domains.all())
    assert.equal(domain.usage.nodes, counts.get(domain) ?? 0, `nodes of ${domain.domid}`);
}

async function world(domids: readonly number[] = [1, 2], options: Partial<CoreOptions> = {}) {
  const bed = memoryBed(options);
  const zero = await bed.socket();
  /** Sends a request and answers the last reply: `<type> <payload>`. */
  const ask = async (line: MemoryLine, type: number, payload: string, tx = 0) => {
    line.send(encodePacket(type, 1, tx, payload));
    await bed.settled();
    return (
      texts(line)
        .filter((text) => !text.startsWith('15 '))
        .at(-1) ?? 'nothing'
    );
  };
  const guest = async (domid: number) => {
    const line = bed.introduce(domid);
    await ask(zero, op.mkdir, `/local/domain/${domid}\0`);
    await ask(zero, op.setPerms, `/local/domain/${domid}\0n${domid}\0`);
    return line;
  };
  const guests: MemoryLine[] = [];
  for (const domid of domids) guests.push(await guest(domid));
  const [one, two] = guests as [MemoryLine, MemoryLine];
  const domain = (domid: number) => bed.core.domains.find(domid)!;
  return { bed, core: bed.core, zero, one, two, ask, guest, domain };
}
const tx = (reply: string) => Number(/^6 (\d+)/.exec(reply)?.[1]);

describe('attacks of guests (by the number of the advisory)', () => {
  test('38: a length over 4096 ends only this connection, and nothing is kept of it', async () => {
    const { one, two, zero, ask, domain } = await world();
    const bad = encodePacket(op.read, 1, 0, '');
    putU32(bad, 12, 0xffffffff);
    one.send(bad);
    assert.equal(one.brokenBy, 'protocol');
    one.send(Buffer.alloc(100_000, 1));
    assert.equal(domain(1).connection?.pending.length, 0);
    assert.equal(await ask(two, op.getDomainPath, '2\0'), '10 /local/domain/2|');
    assert.equal(await ask(zero, op.isDomainIntroduced, '1\0'), '17 T|');
  });
  test('72: a directory that is too long is E2BIG, and the connection stays in step', async () => {
    const { zero, ask } = await world();
    for (let i = 0; i < 100; i++) await ask(zero, op.mkdir, `/big/${String(i).padStart(60, 'x')}\0`);
    assert.equal(await ask(zero, op.directory, '/big\0'), '16 E2BIG|');
    assert.equal(await ask(zero, op.read, '/big\0'), '2 ');
  });
  test('115: watches and calls tell a guest nothing that it may not know', async () => {
    const { bed, zero, one, ask, guest } = await world();
    for (const path of ['/', '@introduceDomain', '@releaseDomain']) await ask(one, op.watch, `${path}\0t\0`);
    one.taken();
    await ask(zero, op.write, '/secret/x\0v');
    await ask(zero, op.rm, '/secret\0');
    await guest(3);
    await ask(zero, op.release, '3\0');
    assert.deepEqual(texts(one), []);
    assert.equal(await ask(one, op.isDomainIntroduced, '2\0'), '16 EACCES|');
    // Losing a right is told once, and nothing after it.
    await ask(zero, op.write, '/open\0v');
    await ask(zero, op.setPerms, '/open\0r0\0');
    one.taken();
    await ask(zero, op.setPerms, '/open\0n0\0');
    await ask(zero, op.write, '/open\0w');
    assert.deepEqual(texts(one), ['15 /open|t|']);
    checkCounts(bed);
  });
  test('206: a guest that writes in a loop does not keep dom0 from committing', async () => {
    const { bed, zero, one, ask } = await world();
    await ask(one, op.write, 'busy\0');
    let attempts = 0;
    let verdict = '';
    while (verdict !== '7 OK|') {
      assert.ok(++attempts < 40, 'dom0 never commits');
      const id = tx(await ask(zero, op.transactionStart, '\0'));
      await ask(zero, op.read, '/local/domain/1/busy\0', id);
      await ask(one, op.write, `busy\0${attempts}`);
      await ask(zero, op.write, '/done\0', id);
      verdict = await ask(zero, op.transactionEnd, 'T\0', id);
    }
    // The guest is served again when time has passed.
    await bed.clock.advance(5000);
    assert.equal(await ask(one, op.read, 'busy\0').then((r) => r.startsWith('2 ')), true);
  });
  test('206: writes over other nodes never meet dom0’s transaction', async () => {
    const { zero, one, ask } = await world();
    const id = tx(await ask(zero, op.transactionStart, '\0'));
    await ask(zero, op.write, '/other/node\0', id);
    for (let i = 0; i < 5; i++) await ask(one, op.write, `busy/${i}\0`);
    assert.equal(await ask(zero, op.transactionEnd, 'T\0', id), '7 OK|');
  });
  test('233, 425: releasing, dying and targets in any order, again and again', async () => {
    const { bed, core, zero, ask, guest } = await world([1, 2]);
    await ask(zero, op.setTarget, '2\x001\0');
    core.died(1);
    core.died(1);
    assert.equal(await ask(zero, op.release, '1\0'), '16 ENOENT|');
    assert.equal(core.domains.find(2)?.target, undefined);
    core.died(2);
    core.shutDown(2);
    core.died(2);
    await guest(1);
    assert.equal(await ask(zero, op.release, '1\0'), '9 OK|');
    core.died(1);
    assert.equal(await ask(zero, op.release, '1\0'), '16 ENOENT|');
    checkCounts(bed);
  });
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
  test('322, 417: a new domain with an old number has nothing of the old one', async () => {
    const { bed, zero, ask, guest } = await world([]);
    const old = await guest(5);
    await ask(zero, op.write, '/shared\0v');
    await ask(zero, op.setPerms, '/shared\0n0\0b5\0');
    await ask(old, op.write, 'own\0v');
    await ask(old, op.write, '/shared/of-five\0v');
    await ask(zero, op.release, '5\0');
    assert.equal(await ask(zero, op.read, '/local/domain/5\0'), '16 ENOENT|');
    assert.equal(await ask(zero, op.read, '/shared/of-five\0'), '16 ENOENT|');
    const next = await guest(5);
    assert.equal(await ask(next, op.read, '/shared\0'), '16 EACCES|');
    assert.equal(await ask(next, op.read, 'own\0'), '16 ENOENT|');
    // Rights given to a number that nobody had are void; those of a domain that exists are not, introduced or not.
    await ask(zero, op.write, '/early\0v');
    await ask(zero, op.setPerms, '/early\0n0\0r6\0r7\0');
    assert.equal(await ask(await guest(6), op.read, '/early\0'), '16 EACCES|');
    bed.existing.add(7);
    await ask(zero, op.setPerms, '/early\0n0\0r7\0');
    assert.equal(await ask(await guest(7), op.read, '/early\0'), '2 v');
    checkCounts(bed);
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
  test('324: an event that is too long is left out, the others of the watch come', async () => {
    const { zero, one, ask } = await world([1]);
    await ask(one, op.watch, `w\0${'t'.repeat(4000)}\0`);
    one.taken();
    await ask(zero, op.write, `/local/domain/1/w/${'n'.repeat(200)}\0`);
    assert.deepEqual(frames(one), []);
    await ask(zero, op.write, '/local/domain/1/w/n\0');
    assert.equal(frames(one).length, 1);
  });
  test('325: a broken connection is not a dead domain', async () => {
    const { bed, zero, one, ask } = await world([1]);
    await ask(zero, op.watch, '@releaseDomain\0t\0');
    zero.taken();
    const bad = encodePacket(op.read, 1, 0, '');
    putU32(bad, 12, 5000);
    one.send(bad);
    assert.equal(await ask(zero, op.isDomainIntroduced, '1\0'), '17 T|');
    assert.equal(await ask(zero, op.read, '/local/domain/1\0'), '2 ');
    bed.core.died(1);
    assert.deepEqual(texts(zero), ['15 @releaseDomain|t|']);
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
  test('352, 353: owners are not given away; the root is a node like any other', async () => {
    const { bed, one, ask, zero } = await world();
    await ask(one, op.write, 'mine\0');
    assert.equal(await ask(one, op.setPerms, 'mine\0n2\0'), '16 EPERM|');
    for (const [type, payload] of [
      [op.read, '/\0'],
      [op.write, '/\0v'],
      [op.directory, '/\0'],
      [op.setPerms, '/\0b1\0'],
      [op.getPerms, '/\0'],
    ] as const) {
      assert.equal(await ask(one, type, payload), '16 EACCES|', String(type));
    }
    assert.equal(await ask(one, op.rm, '/\0'), '16 EINVAL|');
    assert.equal(await ask(zero, op.getPerms, '/\0'), '3 n0|');
    checkCounts(bed);
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
  test('418: the deepest path is walked, dumped, restored and removed without recursion', async () => {
    const { bed, zero, ask } = await world([]);
    const path = '/a'.repeat(1536);
    assert.equal(await ask(zero, op.write, `${path}\0v`), '11 OK|');
    await ask(zero, op.watch, `${path}\0t\0`);
    const state = JSON.parse(JSON.stringify(dump(bed.core))) as State;
    const next = memoryBed();
    attach(next.core, load(next.core, state), state.connections, {});
    assert.equal(next.core.edits.tree.find(next.core.path(path))?.value, 'v');
    assert.equal(await ask(zero, op.control, 'check\0'), '0 OK|');
    zero.taken();
    zero.send(encodePacket(op.rm, 1, 0, '/a\0'));
    assert.deepEqual(
      frames(zero).map((p) => p.type),
      [op.watchEvent, op.rm],
    );
  });
  test('419: what one guest makes below another’s nodes is its own, and goes with them', async () => {
    const { bed, core, one, two, ask, zero } = await world();
    await ask(one, op.write, 'open\0');
    await ask(one, op.setPerms, 'open\0n1\0b2\0');
    await ask(two, op.write, '/local/domain/1/open/of-two\0');
    assert.equal(await ask(zero, op.getPerms, '/local/domain/1/open/of-two\0'), '3 n2|b2|');
    assert.equal(core.domains.find(2)!.usage.nodes, 2);
    core.died(1);
    assert.equal(await ask(zero, op.read, '/local/domain/1/open/of-two\0'), '16 ENOENT|');
    assert.equal(core.domains.find(2)!.usage.nodes, 1);
    checkCounts(bed);
  });
  test('420: numbers of 2^31 and above are numbers', async () => {
    const { one, ask, bed } = await world([1]);
    for (const id of [0x7fffffff, 0x80000000, 0xffffffff]) {
      one.send(encodePacket(op.getDomainPath, id, id, '1\0'));
      const [reply] = frames(one);
      assert.deepEqual([reply?.requestId, reply?.transactionId], [id, id]);
      assert.equal(await ask(one, op.read, 'x\0', id), '16 ENOENT|');
    }
    const bytes = Buffer.alloc(4, 0xff);
    assert.equal(u32(bytes, 0), 0xffffffff);
    one.send(encodePacket(0xffffffff, 1, 0, ''));
    assert.deepEqual(texts(one), ['16 ENOSYS|']);
    checkCounts(bed);
  });
  test('481: paths that end at the domains’ folder', async () => {
    const { one, ask } = await world([1]);
    for (const path of ['/local/domain/', '/local/domain//', '/local/domain//1', '/local/domain/1/']) {
      assert.equal(await ask(one, op.read, `${path}\0`), '16 EINVAL|', path);
    }
    assert.equal(await ask(one, op.read, '/local/domain\0'), '16 EACCES|');
    assert.equal(await ask(one, op.getDomainPath, '1\0'), '10 /local/domain/1|');
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
  test('484: RESET_WATCHES with a live transaction, and a connection that is ignored inside one', async () => {
    const { one, two, ask, core } = await world();
    const id = tx(await ask(one, op.transactionStart, '\0'));
    await ask(one, op.write, 'x\0', id);
    assert.equal(await ask(one, op.resetWatches, '\0', id), '21 OK|');
    assert.equal(await ask(one, op.read, 'x\0', id), '16 ENOENT|');
    const other = tx(await ask(two, op.transactionStart, '\0'));
    await ask(two, op.write, 'x\0', other);
    core.domains.find(2)!.connection!.breakOff('protocol');
    assert.equal(core.openTransactions, 0);
    assert.equal(await ask(one, op.getDomainPath, '1\0'), '10 /local/domain/1|');
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
