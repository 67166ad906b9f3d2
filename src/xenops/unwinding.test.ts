/** Every operation: each step failed in turn leaves the world as before; each step done twice changes nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunOptions } from './run.ts';
import { type TestHouse, testDisk, testHouse, testSpec, testVif, vmId } from './testing/house.ts';

const id = vmId(1);
const image = { kind: 'vdi' as const, sr: 'sr', vdi: 'image' };
const disc = { kind: 'vdi' as const, sr: 'iso', vdi: 'disc' };

interface Case {
  readonly name: string;
  /** Brings the VM to where the operation begins. */
  prepare(h: TestHouse): Promise<unknown>;
  act(h: TestHouse): Promise<unknown>;
  /** The domain that was there cannot come back once it is destroyed: a failure after that leaves this power state. */
  readonly lostAs?: 'Halted' | 'Suspended';
}
const running = async (h: TestHouse) => h.xenops.vm.start({ id, paused: false });
const suspended = async (h: TestHouse) => {
  await running(h);
  await h.xenops.vm.suspend({ id, image });
};
const moreDevices = async (h: TestHouse) => {
  await running(h);
  await h.xenops.vbd.add({ vm: id, vbd: testDisk(1, 1) });
  await h.xenops.vif.add({ vm: id, vif: testVif(1, 1) });
};
const snapshotOf = (position: number) => ({ sr: 'sr', vdi: `vdi-1-${position}`, to: `snapshot-${position}` });
const cases: readonly Case[] = [
  { name: 'start', prepare: async () => undefined, act: running },
  { name: 'start, paused', prepare: async () => undefined, act: (h) => h.xenops.vm.start({ id, paused: true }) },
  { name: 'pause', prepare: running, act: (h) => h.xenops.vm.pause({ id }) },
  { name: 'shutdown by force', prepare: running, act: (h) => h.xenops.vm.shutdown({ id, timeoutS: null }) },
  {
    name: 'reboot by force',
    prepare: running,
    act: (h) => h.xenops.vm.reboot({ id, timeoutS: null }),
    lostAs: 'Halted',
  },
  { name: 'suspend', prepare: running, act: (h) => h.xenops.vm.suspend({ id, image }) },
  { name: 'resume', prepare: suspended, act: (h) => h.xenops.vm.resume({ id, paused: false }) },
  { name: 'resume, paused', prepare: suspended, act: (h) => h.xenops.vm.resume({ id, paused: true }) },
  {
    name: 'migrate to this host',
    prepare: running,
    act: (h) => h.xenops.vm.migrate({ id, to: null, live: true }),
  },
  { name: 'VBD.plug', prepare: moreDevices, act: (h) => h.xenops.vbd.plug({ vm: id, id: 'disk1' }) },
  { name: 'VBD.unplug', prepare: running, act: (h) => h.xenops.vbd.unplug({ vm: id, id: 'disk0', force: false }) },
  { name: 'VBD.insert', prepare: running, act: (h) => h.xenops.vbd.insert({ vm: id, id: 'cd', media: disc }) },
  {
    name: 'VBD.eject',
    prepare: async (h) => {
      await running(h);
      await h.xenops.vbd.insert({ vm: id, id: 'cd', media: disc });
    },
    act: (h) => h.xenops.vbd.eject({ vm: id, id: 'cd' }),
  },
  { name: 'VIF.plug', prepare: moreDevices, act: (h) => h.xenops.vif.plug({ vm: id, id: 'vif1' }) },
  { name: 'VIF.unplug', prepare: running, act: (h) => h.xenops.vif.unplug({ vm: id, id: 'vif0', force: false }) },
  {
    name: 'snapshotDisks',
    prepare: async (h) => {
      await moreDevices(h);
      await h.xenops.vbd.plug({ vm: id, id: 'disk1' });
    },
    act: (h) => h.xenops.vm.snapshotDisks({ id, disks: [0, 1].map(snapshotOf) }),
  },
  {
    name: 'snapshotDisks, quiesced',
    prepare: async (h) => {
      await h.xenops.vm.add(testSpec(1, { platform: { 'sim:agent': 'true' } }));
      await running(h);
    },
    act: (h) => h.xenops.vm.snapshotDisks({ id, disks: [snapshotOf(0)], quiesce: 'must' }),
  },
  { name: 'setVcpus', prepare: running, act: (h) => h.xenops.vm.setVcpus({ id, count: 4 }) },
  { name: 'setMemoryTarget', prepare: running, act: (h) => h.xenops.vm.setMemoryTarget({ id, bytes: 2 ** 27 }) },
];

/** Everything that an operation may change, but not domain numbers and times, nor how many layers a disk has. */
async function worldOf(h: TestHouse) {
  await h.xenops.barrier.wait({});
  const { spec, state } = await h.xenops.vm.stat({ id });
  const d = h.world.domains.get(id);
  const { memoryCommitted } = await h.xenops.host.stat({});
  return {
    spec,
    power: state.power,
    image: state.suspendImage,
    devices: [state.vbds, state.vifs],
    held: h.held(),
    snapshots: h.snapshots(),
    strayed: h.strayed(),
    frozen: d?.frozen === true,
    memoryCommitted,
    domain: d && [[...d.vbds.keys()].sort(), [...d.vifs.keys()].sort(), d.vcpus, d.memoryTarget, d.built],
  };
}
type Probe = { -readonly [K in 'before' | 'times']?: RunOptions[K] };
async function prepared(c: Case, boot = 'one') {
  const probe: Probe = {};
  const h = await testHouse({ probe, boot });
  await h.xenops.vm.add(testSpec(1));
  await h.during(c.prepare(h));
  return { h, probe };
}
async function goal(c: Case) {
  const { h } = await prepared(c);
  await h.during(c.act(h));
  return worldOf(h);
}

for (const c of cases) {
  test(`${c.name}: each step failed in turn leaves the world as before`, async () => {
    const done = await goal(c);
    for (let failing = 0; ; failing++) {
      const { h, probe } = await prepared(c);
      const before = await worldOf(h);
      let n = 0;
      let failed = '';
      probe.before = (step) => {
        if (n++ !== failing) return;
        failed = step.op;
        throw new Error(`injected at ${step.op}`);
      };
      const error = await h.during(c.act(h)).then(
        () => undefined,
        (e: Error) => e,
      );
      if (failed === '') {
        assert.ok(failing > 0, 'no step was run');
        break;
      }
      probe.before = undefined;
      // What reconciling left for later.
      await h.advance(60_000);
      const after = await worldOf(h);
      if (!error) assert.deepEqual(after, done, `best effort ${failed}`);
      else if (c.lostAs && after.power === c.lostAs) assert.deepEqual([after.held, after.memoryCommitted], [[], 0]);
      else assert.deepEqual(after, before, `after ${failed}: ${error.message}`);
    }
  });

  test(`${c.name}: each step done twice changes nothing`, async () => {
    const { h, probe } = await prepared(c);
    probe.times = 2;
    await h.during(c.act(h));
    assert.deepEqual(await worldOf(h), await goal(c));
  });

  for (const how of ['crash', 'crash-after'] as const) {
    test(`${c.name}: the toolstack dies at each commit (${how}); what was done is carried through or taken back`, async () => {
      const done = await goal(c);
      for (let at = 1; ; at++) {
        const { h } = await prepared(c);
        const before = await worldOf(h);
        h.dieAtCommit(at, how);
        const act = c.act(h).catch((e: unknown) => e);
        await h.advance(60_000);
        if (!h.dead) {
          await act;
          break;
        }
        const ran = h.world.domains.get(id)?.power;
        await h.restart();
        await h.advance(60_000);
        const after = await worldOf(h);
        const same = [before, done].some((w) => JSON.stringify(w) === JSON.stringify(after));
        const halted = after.power === 'Halted' && after.held.length === 0 && after.memoryCommitted === 0;
        assert.ok(same || (how === 'crash' && halted && ran === undefined), JSON.stringify(after, null, 1));
        // A guest that ran is not ended by the death of the toolstack.
        if (ran === 'running') assert.equal(after.power, 'Running');
      }
    });
  }

  for (const how of ['kill', 'close'] as const) {
    test(`${c.name}: the toolstack ends (${how}) before each step; nothing is leaked, nothing is half done`, async () => {
      const done = await goal(c);
      for (let at = 0; ; at++) {
        const { h, probe } = await prepared(c);
        const before = await worldOf(h);
        let n = 0;
        let stopped: Promise<void> | undefined;
        probe.before = () => {
          if (n++ === at) stopped = h.restart(how);
        };
        const act = c.act(h).catch((e: unknown) => e);
        if (how === 'close') await h.during(act);
        else await h.advance(60_000);
        if (!stopped) {
          assert.ok(at > 0, 'no step was run');
          break;
        }
        probe.before = undefined;
        await h.during(stopped);
        await h.advance(60_000);
        const after = await worldOf(h);
        const halted = after.power === 'Halted' && after.held.length === 0 && after.memoryCommitted === 0;
        const same = [before, done].some((w) => JSON.stringify(w) === JSON.stringify(after));
        assert.ok(same || (c.lostAs && halted), `at step ${at}: ${JSON.stringify(after, null, 1)}`);
        // And it still works: whatever it is now, it can be ended, started and ended.
        await h.during(h.xenops.vm.resetPower({ id }));
        await h.during(h.xenops.vm.start({ id, paused: false }));
        await h.during(h.xenops.vm.shutdown({ id, timeoutS: 30 }));
        assert.deepEqual(h.held(), []);
      }
    });
  }
}
