/** Guests on shared pages: the protocol's vectors, attacks on the ring, and daemons that are killed or replaced while guests go on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { encodePacket, op, type Packet, PacketReader } from '../../src/wire/xenstore.ts';
import type { FakeGuest } from '../../src/xenstore/transports/fake-ring-host.ts';
import { Machine } from '../conformance/xenstore-ring-bed.ts';
import { play, vectors } from '../conformance/xenstore-vectors.ts';

const folder = mkdtempSync(join(tmpdir(), 'ghl-rings-'));
after(() => rmSync(folder, { recursive: true }));
let serial = 0;
const freshFolder = () => join(folder, String(++serial));

describe('xenstore vectors, over rings', () => {
  for (const vector of vectors) {
    test(`${vector.id}: ${vector.title}`, async () => {
      const machine = new Machine();
      await play(vector, machine);
      await machine.close();
      assert.equal(machine.host.mapped, 0);
      assert.equal(machine.host.bells.size, 0);
    });
  }
});

/** A guest's driver: asks, and takes replies and events apart. */
class Driver {
  readonly guest: FakeGuest;
  readonly machine: Machine;
  readonly #reader = new PacketReader();
  readonly packets: Packet[] = [];
  #id = 0;
  constructor(machine: Machine, domid: number) {
    this.machine = machine;
    this.guest = machine.introduce(domid);
    machine.run();
  }
  take(): void {
    this.packets.push(...this.#reader.push(this.guest.received()));
  }
  /** Sends; answers the request's number. */
  send(type: number, payload: string, transaction = 0): number {
    this.guest.send(encodePacket(type, ++this.#id, transaction, payload));
    return this.#id;
  }
  reply(id: number): string {
    this.take();
    const [at] = [this.packets.findIndex((p) => p.requestId === id && p.type !== op.watchEvent)];
    if (at < 0) return 'nothing';
    const [packet] = this.packets.splice(at, 1);
    return `${packet?.type === op.error ? 'error ' : ''}${packet?.payload.toString('latin1').replace(/\0$/, '')}`;
  }
  ask(type: number, payload: string, transaction = 0): string {
    const id = this.send(type, payload, transaction);
    this.machine.run();
    return this.reply(id);
  }
  events(): string[] {
    this.take();
    const found = this.packets.filter((p) => p.type === op.watchEvent);
    for (const each of found) this.packets.splice(this.packets.indexOf(each), 1);
    return found.map((p) => p.payload.toString('latin1').replaceAll('\0', '|'));
  }
}

/** A home that belongs to the guest. */
async function driver(machine: Machine, domid: number): Promise<Driver> {
  const made = new Driver(machine, domid);
  const admin = await machine.socket();
  admin.send(encodePacket(op.mkdir, 1, 0, `/local/domain/${domid}\0`));
  admin.send(encodePacket(op.setPerms, 2, 0, `/local/domain/${domid}\0n${domid}\0`));
  machine.run();
  machine.core.disconnect(admin.connection!);
  return made;
}

describe('attacks on rings (by the number of the advisory)', () => {
  test('38: indices far ahead and lengths over 4096: nothing is read, nothing grows, others are served', async () => {
    for (const distance of [1025, 4096, 2 ** 31, 2 ** 32 - 1]) {
      const machine = new Machine();
      const [bad, good] = [await driver(machine, 1), await driver(machine, 2)];
      bad.guest.set('requestProducer', bad.guest.field('requestConsumer') + distance);
      bad.guest.ring();
      machine.run();
      assert.equal(bad.guest.field('error'), 2);
      assert.equal(machine.core.domains.find(1)?.connection?.pending.length, 0);
      assert.equal(good.ask(op.getDomainPath, '2\0'), '/local/domain/2');
      await machine.close();
    }
  });

  test('325: a ring that is broken is not a dead domain; its real death is told, and everything of it goes', async () => {
    const machine = new Machine();
    const admin = await machine.socket();
    const bad = await driver(machine, 1);
    assert.equal(bad.ask(op.write, 'mine\0v'), 'OK');
    admin.send(encodePacket(op.watch, 9, 0, '@releaseDomain\0t\0'));
    machine.run();
    admin.taken();
    machine.breakRing(1);
    machine.run();
    assert.equal(bad.guest.field('error'), 2);
    assert.equal(admin.taken().length, 0);
    assert.equal(machine.core.domains.find(1)?.introduced, true);
    machine.host.change(1, 'dying');
    machine.run();
    assert.match(admin.taken().toString('latin1'), /@releaseDomain/);
    assert.equal(machine.core.edits.tree.find(machine.core.path('/local/domain/1')), undefined);
    assert.equal(machine.host.mapped, 0);
    await machine.close();
  });

  test('326: a guest that never reads holds a bounded number of answers, and others keep their latency', async () => {
    const machine = new Machine({ stallMs: 20_000 });
    const [deaf, other] = [await driver(machine, 1), await driver(machine, 2)];
    deaf.guest.reads = false;
    for (let i = 0; i < 2000; i++) deaf.send(op.getDomainPath, '1\0');
    machine.run();
    const { output, pending } = machine.core.domains.find(1)!.connection!;
    assert.ok(output.frames <= 20 && output.length < 4096 && pending.length <= 4112);
    // One look at the other's bell answers it, whatever waits elsewhere.
    deaf.guest.ring();
    const id = other.send(op.getDomainPath, '2\0');
    machine.host.deliver(4);
    assert.equal(other.reply(id), '/local/domain/2');
    // It is given up after a while: what it held is given back, and its domain is not told dead.
    await machine.clock.advance(26_000);
    machine.run();
    assert.equal(machine.core.domains.find(1)?.connection?.state, 'ignored');
    assert.equal(machine.core.domains.find(1)?.connection?.output.length, 0);
    assert.equal(machine.core.domains.find(1)?.introduced, true);
    await machine.close();
  });

  test('206: a guest in debt for its writes is answered when it is out of it, whenever its next request came', async () => {
    const machine = new Machine();
    const guest = await driver(machine, 1);
    const admin = await machine.socket();
    admin.send(encodePacket(op.transactionStart, 1, 0, '\0'));
    machine.run();
    const answers: string[] = [];
    for (let i = 0; i < 40; i++) {
      const id = guest.send(op.write, `k\0${i}`);
      machine.run();
      let answer = guest.reply(id);
      for (let waited = 0; answer === 'nothing' && waited < 50; waited++) {
        await machine.clock.advance(1);
        machine.run();
        answer = guest.reply(id);
      }
      answers.push(answer);
    }
    assert.deepEqual([...new Set(answers)], ['OK']);
    await machine.close();
  });

  test('420: indices that pass 2^31 and 2^32 are numbers like others', async () => {
    for (const start of [2 ** 31 - 100, 2 ** 32 - 100]) {
      const machine = new Machine({ folder: freshFolder() });
      const guest = await driver(machine, 1);
      for (const field of ['requestConsumer', 'requestProducer', 'replyConsumer', 'replyProducer'] as const) {
        guest.guest.set(field, start);
      }
      for (let i = 0; i < 30; i++) {
        // The longer ones are over the limit of a node's size.
        assert.match(guest.ask(op.write, `k\0${'v'.repeat(100 * i)}`), i < 18 ? /^OK$/ : /^OK$|^error ENOSPC$/);
        if (i % 7 === 3) machine.killed();
        if (i % 7 === 5) machine.replaced();
      }
      assert.equal(guest.guest.field('error'), 0);
      await machine.close();
    }
  });

  test('a guest that rings without end is told once per look, and others between', async () => {
    const machine = new Machine();
    const [loud, other] = [await driver(machine, 1), await driver(machine, 2)];
    const id = other.send(op.getDomainPath, '2\0');
    for (let i = 0; i < 1000; i++) loud.guest.ring();
    machine.host.deliver(4);
    assert.equal(other.reply(id), '/local/domain/2');
    await machine.close();
  });
});

describe('a daemon that is killed, and its successor', () => {
  test('tree, watches, half requests, answers that did not fit and transactions', async () => {
    const machine = new Machine({ folder: freshFolder() });
    const [one, two] = [await driver(machine, 1), await driver(machine, 2)];
    assert.equal(one.ask(op.write, 'a\0first'), 'OK');
    assert.equal(one.ask(op.watch, 'a\0tok\0'), 'OK');
    one.events();
    const tx = one.ask(op.transactionStart, '\0');
    assert.equal(one.ask(op.write, 'in-tx\0x', Number(tx)), 'OK');
    // Half of a request is in the ring; of another, longer than the ring, half was taken out.
    const half = encodePacket(op.read, 500, 0, 'a\0');
    one.guest.send(half.subarray(0, 17));
    const long = encodePacket(op.write, 600, 0, `long\0${'l'.repeat(1500)}`);
    two.guest.send(long.subarray(0, 1200));
    machine.run();
    machine.killed();
    machine.run();
    one.guest.send(half.subarray(17));
    two.guest.send(long.subarray(1200));
    machine.run();
    assert.equal(one.reply(500), 'first');
    assert.equal(two.reply(600), 'OK');
    assert.equal(two.ask(op.read, 'long\0').length, 1500);
    // The transaction goes on and ends as if it had met a conflict.
    assert.equal(one.ask(op.write, 'in-tx\0x', Number(tx)), 'OK');
    assert.equal(one.ask(op.read, 'in-tx\0', Number(tx)), 'x');
    assert.equal(one.ask(op.transactionEnd, 'T\0', Number(tx)), 'error EAGAIN');
    assert.notEqual(one.ask(op.transactionStart, '\0'), tx);
    assert.equal(one.ask(op.write, 'a\0second'), 'OK');
    assert.deepEqual(one.events(), ['a|tok|']);
    await machine.close();
  });

  test('answers of which some were read, some put and some waited come once each', async () => {
    for (let reads = 0; reads < 12; reads++) {
      const machine = new Machine({ folder: freshFolder() });
      const one = await driver(machine, 1);
      assert.equal(one.ask(op.write, `big\0${'b'.repeat(700)}`), 'OK');
      one.guest.reads = false;
      const ids = Array.from({ length: 10 }, () => one.send(op.read, 'big\0'));
      machine.run();
      for (let i = 0; i < reads; i++) {
        one.guest.pull();
        one.guest.ring();
        machine.run();
        machine.killed();
      }
      machine.killed();
      one.guest.reads = true;
      one.guest.rung();
      machine.run();
      for (const id of ids) assert.equal(one.reply(id), 'b'.repeat(700), `after ${reads} reads`);
      assert.equal(one.packets.length, 0);
      await machine.close();
    }
  });

  test('a domain that died meanwhile is released, one that shut down is told', async () => {
    const machine = new Machine({ folder: freshFolder() });
    const [one] = [await driver(machine, 1), await driver(machine, 2), await driver(machine, 3)];
    assert.equal(one.ask(op.setPerms, '@releaseDomain\0n0\0r3\0'), 'error EACCES');
    machine.guest(1).state = 'gone';
    machine.guest(2).state = 'shutdown';
    machine.killed();
    machine.run();
    assert.equal(machine.core.domains.find(1), undefined);
    assert.equal(machine.core.edits.tree.find(machine.core.path('/local/domain/1')), undefined);
    assert.equal(machine.core.domains.find(2)?.shutDown, true);
    assert.equal(machine.core.domains.find(3)?.shutDown, false);
    await machine.close();
  });

  test('replaced by another program, nothing is lost: transactions commit, half requests are finished', async () => {
    const machine = new Machine();
    const [one, two] = [await driver(machine, 1), await driver(machine, 2)];
    assert.equal(one.ask(op.watch, 'a\0tok\0'), 'OK');
    one.events();
    const tx = Number(one.ask(op.transactionStart, '\0'));
    assert.equal(one.ask(op.write, 'a\0new', tx), 'OK');
    two.guest.reads = false;
    const ids = Array.from({ length: 60 }, () => two.send(op.getDomainPath, '2\0'));
    const long = encodePacket(op.write, 900, 0, `long\0${'l'.repeat(1500)}`);
    one.guest.send(long.subarray(0, 1100));
    machine.run();
    for (let i = 0; i < 3; i++) {
      machine.replaced();
      machine.run();
    }
    one.guest.send(long.subarray(1100));
    machine.run();
    assert.equal(one.reply(900), 'OK');
    assert.equal(one.ask(op.transactionEnd, 'T\0', tx), 'OK');
    assert.equal(one.ask(op.read, 'a\0'), 'new');
    assert.deepEqual(one.events(), ['a|tok|']);
    two.guest.reads = true;
    two.guest.rung();
    machine.run();
    for (const id of ids) assert.equal(two.reply(id), '/local/domain/2');
    await machine.close();
    assert.equal(machine.host.bells.size, 0);
  });
});
