/** The network between two hosts is cut: what the sender does while it cannot know, and what is owed to the receiver. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { isKind } from '../contracts/contract.ts';
import type { Wire } from './backends/simulator/index.ts';
import type { Step } from './plan.ts';
import { Cable } from './testing/cable.ts';
import { type TestHouse, testHouse, testSpec, vmId } from './testing/house.ts';

const id = vmId(1);

/** A guest runs on `a`. `at` is called before each step of either side. */
async function twoHosts(at: (step: Step, hosts: { cable: Cable; b: TestHouse }) => void) {
  const clock = new ManualClock(1_700_000_000_000);
  const cable = new Cable({ clock, silenceMs: 30_000 });
  const wires = new Map<string, Wire>();
  const probe = { before: (step: Step) => at(step, { cable, b }) };
  const far: Map<string, Wire> = new Map();
  const b: TestHouse = await testHouse({ host: 2, boot: 'b', clock, wires: far });
  const peer = cable.peer({ incoming: () => (b.dead ? undefined : b.xenops.incoming), wires: far }, wires);
  const connect = async () => ({ incoming: peer });
  const a = await testHouse({ host: 1, boot: 'a', clock, wires, probe, connect });
  await a.xenops.vm.add(testSpec(1));
  await a.during(a.xenops.vm.start({ id, paused: false }));
  const move = () => a.during(a.xenops.vm.migrate({ id, to: 'b', live: true }));
  return { a, b, cable, move };
}
const copies = (h: TestHouse) => [...h.world.domains.values()].map((d) => d.power);
const powerOf = async (h: TestHouse) => (await h.xenops.vm.list({})).map((vm) => vm.state.power).join();

test('cut before the guest is given away: it goes on here, and the copy goes as soon as the network is whole', async () => {
  const { a, b, cable, move } = await twoHosts((step, h) => step.op === 'VM.send' && h.cable.cut());
  await assert.rejects(move(), (e) => isKind(e, 'Failed_to_migrate'));
  assert.equal(await powerOf(a), 'Running');
  assert.deepEqual(copies(b), ['paused']);
  // Owed also by the next domain manager; the next attempt waits for it.
  await a.restart();
  await assert.rejects(move(), /has not answered yet about an earlier attempt/);
  cable.mend();
  await a.advance(8_000);
  assert.deepEqual(copies(b), []);
  assert.equal(a.disk.tables.get('xenops_farewell')?.size, 0);
});

test('cut after the guest is given away: it stands still, calls are refused, and it goes on there as soon as the network is whole', async () => {
  const { a, b, cable, move } = await twoHosts((step, h) => step.op === 'Incoming.commit' && h.cable.cut());
  await assert.rejects(move(), /it was given to b, which has not answered yet whether it took it/);
  assert.equal(await powerOf(a), 'Paused');
  await assert.rejects(a.during(a.xenops.vm.shutdown({ id, timeoutS: null })), /has not answered yet/);
  await a.advance(300_000);
  assert.deepEqual([await powerOf(a), copies(b)], ['Paused', ['paused']]);
  cable.mend();
  await a.advance(5_000);
  assert.deepEqual([await powerOf(a), await powerOf(b)], ['', 'Running']);
  assert.deepEqual([...a.world.violations, ...b.world.violations, ...copies(a)], []);
});

test('a receiver that has dropped the copy meanwhile: the guest goes on here', async () => {
  const { a, b, cable, move } = await twoHosts((step, h) => step.op === 'Incoming.commit' && h.cable.cut());
  await assert.rejects(move(), (e) => isKind(e, 'Failed_to_migrate'));
  await a.advance(700_000);
  assert.deepEqual([await powerOf(a), copies(b)], ['Paused', []]);
  cable.mend();
  await a.advance(5_000);
  assert.deepEqual([await powerOf(a), copies(a), copies(b)], ['Running', ['running'], []]);
});

test('a receiver that is gone for good: the power state is reset', async () => {
  const { a, b, cable, move } = await twoHosts((step, h) => step.op === 'Incoming.commit' && h.cable.cut());
  await assert.rejects(move(), (e) => isKind(e, 'Failed_to_migrate'));
  await a.during(a.xenops.vm.resetPower({ id }));
  assert.deepEqual([await powerOf(a), a.held()], ['Halted', []]);
  // It was not: its copy goes.
  cable.mend();
  await a.advance(8_000);
  assert.deepEqual([await powerOf(a), copies(b), b.held()], ['Halted', [], []]);
});

test('a copy that dies before it is given the guest: the guest goes on here', async () => {
  const { a, b, move } = await twoHosts((step, h) => {
    if (step.op === 'Incoming.commit') h.b.world.domains.clear();
  });
  await assert.rejects(move(), (e) => isKind(e, 'Does_not_exist'));
  assert.deepEqual([await powerOf(a), copies(a), copies(b)], ['Running', ['running'], []]);
});
