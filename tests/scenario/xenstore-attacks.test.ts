/** What guests did to other xenstoreds (Xen's security advisories), done to ours: it survives, and nobody else is hurt. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodePacket, op, putU32, u32 } from '../../src/wire/xenstore.ts';
import { attach, dump, load, type State } from '../../src/xenstore/state.ts';
import { memoryBed } from '../conformance/xenstore-beds.ts';
import { checkCounts, frames, texts, tx, world } from './xenstore-world.ts';

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
});
