/**
 * Guests that do anything to their page: random bytes, random indices, broken frames, reconnects, no reading; domains that come, die and are introduced
 * again; daemons that are killed and replaced. After each step a good guest is answered at once, and at the end nothing leaks and every count is
 * what is there. `XENSTORE_RING_STEPS` asks for as many steps.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { logTo } from '../../src/base/log.ts';
import { encodePacket, op, PacketReader } from '../../src/wire/xenstore.ts';
import type { FakeGuest } from '../../src/xenstore/transports/fake-ring-host.ts';
import { nodesOf } from '../../src/xenstore/tree.ts';
import { Machine } from '../conformance/xenstore-ring-bed.ts';
import { type Dice, dice } from './dice.ts';
import { tries } from './soak.ts';

const { seed, numRuns } = tries({ seed: 1, numRuns: 12 });
const stepsPerRun = 500;
const steps = Number(process.env['XENSTORE_RING_STEPS'] ?? numRuns * stepsPerRun);
const folder = mkdtempSync(join(tmpdir(), 'ghl-ring-fuzz-'));
after(() => rmSync(folder, { recursive: true }));

const fields = [
  'requestConsumer',
  'requestProducer',
  'replyConsumer',
  'replyProducer',
  'connection',
  'error',
  'features',
] as const;
function someNumber(d: Dice, now: number): number {
  return d.one([
    now + d.below(1200),
    now - d.below(1200),
    now + 1024,
    now + 1025,
    d.below(2 ** 32),
    2 ** 31,
    2 ** 32 - 1,
    0,
  ]);
}
function someFrame(d: Dice): Buffer {
  const payload = d.one([
    'data/x\0',
    'data/x\0value',
    `data/${'y'.repeat(d.below(2000))}\0v`,
    'data\0t\0',
    '\0',
    'T\0',
    '',
  ]);
  const frame = encodePacket(d.below(28), d.below(9), d.below(3), payload);
  if (d.chance(0.02)) frame.writeUInt32LE(d.one([4096, 4097, 2 ** 31, 2 ** 32 - 1, d.below(5000)]), 12);
  return d.chance(0.02) ? frame.subarray(0, d.below(frame.length)) : frame;
}

function beginAgain(guest: FakeGuest): void {
  guest.abandon();
  guest.received();
  guest.reads = true;
  guest.set('connection', 1);
}

/** One thing that a bad guest does. */
function misbehave(d: Dice, guest: FakeGuest): void {
  switch (d.below(25)) {
    case 0: {
      const field = d.one(fields);
      guest.set(field, someNumber(d, guest.field(field)));
      break;
    }
    case 1: {
      const page = new Uint8Array(guest.memory);
      const at = d.below(4096);
      for (let i = 0; i < 64 && at + i < 4096; i++) page[at + i] = d.below(256);
      break;
    }
    case 2:
      guest.reads = !guest.reads;
      break;
    case 3:
      beginAgain(guest);
      break;
    case 4:
      new Uint8Array(guest.memory).fill(0);
      guest.abandon();
      break;
    default:
      for (let i = d.below(40); i >= 0; i--) guest.send(someFrame(d));
      if (guest.unsent > 100_000) guest.abandon();
  }
  guest.ring();
}

async function run(number: number): Promise<void> {
  const d = dice(number);
  const complaints: string[] = [];
  const log = logTo(
    (level, message, more) => level === 'error' && complaints.push(`${message} ${JSON.stringify(more)}`),
  );
  const durable = number % 3 === 0;
  const machine = new Machine({ log, ...(durable && { folder: join(folder, String(number)) }) });
  const good = machine.introduce(1);
  let admin = await machine.socket();
  const home = async (domid: number) => {
    if (admin.connection === undefined || !machine.core.connections.has(admin.connection))
      admin = await machine.socket();
    admin.send(encodePacket(op.mkdir, 1, 0, `/local/domain/${domid}/data\0`));
    admin.send(encodePacket(op.setPerms, 2, 0, `/local/domain/${domid}/data\0n${domid}\0`));
  };
  let answered = 0;
  const reader = new PacketReader();
  machine.run();
  for (let step = 1; step <= stepsPerRun; step++) {
    const domid = 2 + d.below(3);
    const bad = machine.core.domains.find(domid)?.introduced ? machine.guest(domid) : undefined;
    const action = d.below(60);
    if (bad === undefined) {
      machine.introduce(domid);
      await home(domid);
    } else if (action === 0) machine.host.change(domid, d.one(['dying', 'gone', 'shutdown']));
    else if (action === 1) machine.introduce(domid);
    else if (action === 2) machine.core.turns.run(() => machine.core.release(machine.core.domains.find(domid)!));
    else if (action === 3 && durable) machine.killed();
    else if (action === 4) {
      machine.replaced();
    } else if (machine.core.domains.find(domid)?.connection?.state === 'ignored' && d.chance(0.5)) {
      beginAgain(bad);
      bad.ring();
    } else misbehave(d, bad);
    // However the others behave, a bell of the good one is answered within one round of bells.
    good.send(encodePacket(op.getDomainPath, step, 0, '7\0'));
    machine.host.deliver(8);
    let [reply, more] = reader.push(good.received());
    if (reply === undefined) {
      machine.run();
      [reply, more] = reader.push(good.received());
      assert.ok(action === 3 || action === 4 || action === 1, `run ${number}, step ${step}: the good guest waited`);
    }
    assert.equal(reply?.requestId, step, `run ${number}, step ${step}`);
    assert.equal(more, undefined);
    machine.run();
    answered += bad?.received().length ?? 0;
    for (const connection of machine.core.connections) {
      assert.ok(connection.pending.length <= 8192 && connection.output.length < 3 * 1024 * 1024);
    }
    assert.equal(machine.host.mapped, machine.core.domains.introduced().length, `run ${number}, step ${step}`);
    assert.equal(machine.host.bells.size, machine.host.mapped);
  }
  const owned = new Map<unknown, number>();
  for (const [, node] of nodesOf(machine.core.edits.tree.root)) {
    owned.set(node.permissions.owner, (owned.get(node.permissions.owner) ?? 0) + 1);
  }
  for (const domain of machine.core.domains.all()) assert.equal(domain.usage.nodes, owned.get(domain) ?? 0);
  assert.deepEqual(complaints, []);
  assert.ok(answered > 10_000, `the bad guests were answered ${answered} bytes: too little was tried`);
  await machine.close();
  assert.equal(machine.host.mapped, 0);
}

for (let number = seed; number < seed + Math.ceil(steps / stepsPerRun); number++) {
  test(`anything on rings, run ${number}`, () => run(number));
}
