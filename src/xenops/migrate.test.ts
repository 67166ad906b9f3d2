/** Guests that move: within one host, and between two. Whatever fails, and whoever dies when, one guest runs. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../contracts/contract.ts';
import type { Wire } from './backends/simulator/index.ts';
import { planText } from './plan.ts';
import { migrateReceivePlan, migrateSendPlan } from './plans/migrate.ts';
import type { RunOptions } from './run.ts';
import { type TestHouse, testHouse, testSpec, vmId } from './testing/house.ts';

const id = vmId(1);
type Probe = { -readonly [K in 'before' | 'times']?: RunOptions[K] };

test('to the same host: another domain, the same guest', async () => {
  const h = await testHouse();
  await h.xenops.vm.add(testSpec(1));
  await h.during(h.xenops.vm.start({ id, paused: false }));
  await h.during(h.xenops.vm.setVcpus({ id, count: 3 }));
  const before = await h.xenops.vm.stat({ id });
  const held = h.held();
  const fractions: number[] = [];
  await h.during(h.xenops.vm.migrate({ id, to: null, live: true }, { progress: (p) => fractions.push(p) }));
  const { state } = await h.xenops.vm.stat({ id });
  assert.notEqual(state.domid, before.state.domid);
  assert.deepEqual({ ...state, domid: 0 }, { ...before.state, domid: 0 });
  assert.deepEqual(h.held(), held);
  assert.deepEqual(h.world.violations, []);
  assert.ok(fractions.length > 3 && fractions.at(-1) === 1, fractions.join());
  assert.equal((await h.xenops.host.domains({})).length, 1);
  // Nothing of the attempt is remembered.
  assert.equal(h.disk.tables.get('xenops_incoming')?.size ?? 0, 0);
  await h.during(h.xenops.vm.migrate({ id, to: null, live: true }));
  await h.during(h.xenops.vm.shutdown({ id, timeoutS: 30 }));
  assert.deepEqual(h.held(), []);
});

test('a cancelled migration leaves the guest where it was', async () => {
  const h = await testHouse();
  await h.xenops.vm.add(testSpec(1));
  await h.during(h.xenops.vm.start({ id, paused: false }));
  const { domid } = (await h.xenops.vm.stat({ id })).state;
  h.faults.set('vm.send', { fault: 'delay', ms: 60_000 }, 1);
  const stop = new AbortController();
  const moved = h.xenops.vm.migrate({ id, to: null, live: true }, { signal: stop.signal });
  await h.advance(10_000);
  stop.abort();
  await assert.rejects(h.during(moved), (e) => isKind(e, 'Cancelled'));
  const { state } = await h.xenops.vm.stat({ id });
  assert.deepEqual([state.power, state.domid], ['Running', domid]);
  assert.deepEqual(
    (await h.xenops.host.domains({})).map((d) => d.domid),
    [domid],
  );
});

test('a receiver refuses what it cannot take', async () => {
  const h = await testHouse({ memoryBytes: 300 * 2 ** 20 });
  await h.xenops.vm.add(testSpec(1));
  await assert.rejects(h.during(h.xenops.vm.migrate({ id, to: null, live: true })), (e) =>
    isKind(e, 'Bad_power_state'),
  );
  await h.during(h.xenops.vm.start({ id, paused: false }));
  await assert.rejects(h.during(h.xenops.vm.migrate({ id, to: null, live: true })), (e) =>
    isKind(e, 'Not_enough_memory'),
  );
  await assert.rejects(h.during(h.xenops.vm.migrate({ id, to: 'b', live: true })), (e) => isKind(e, 'Unimplemented'));
  const { incoming } = h.xenops;
  await assert.rejects(incoming.prepare({ token: 't', spec: testSpec(1), startedAt: 0, about: '' }), (e) =>
    isKind(e, 'Bad_power_state'),
  );
  await assert.rejects(incoming.commit({ token: 't' }), (e) => isKind(e, 'Does_not_exist'));
  await incoming.abort({ token: 't' });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Running');
});

test('by the address of its own host: refused, and it runs on', async () => {
  const h: TestHouse = await testHouse({ connect: async () => h.xenops });
  await h.xenops.vm.add(testSpec(1));
  await h.during(h.xenops.vm.start({ id, paused: false }));
  await assert.rejects(h.during(h.xenops.vm.migrate({ id, to: 'self', live: true })), /leave it out/);
  assert.deepEqual(
    (await h.xenops.vm.list({})).map((vm) => vm.state.power),
    ['Running'],
  );
  assert.equal(h.world.domains.size, 1);
});

test('a VM that arrives is not started meanwhile, and is whole after a restart of its receiver', async () => {
  const { a, b } = await twoHosts();
  const token = 'c0000000-0000-4000-8000-000000000001';
  await b.xenops.vm.add(testSpec(1));
  await b.during(b.xenops.incoming.prepare({ token, spec: testSpec(1), startedAt: 5, about: '' }));
  await assert.rejects(b.during(b.xenops.vm.start({ id, paused: false })), (e) => isKind(e, 'Bad_power_state'));
  const { address } = await b.xenops.incoming.stat({ token });
  const sent = a.backend.migration?.send(id, address, true, {});
  await b.during(b.xenops.incoming.receive({ token }));
  await sent;
  await b.restart();
  assert.deepEqual(await b.xenops.incoming.stat({ token }), { phase: 'ready', address: '' });
  assert.equal(b.world.domains.get(token)?.power, 'paused');
  assert.ok(b.held().some((held) => held.startsWith('disk')));
  await b.during(b.xenops.incoming.commit({ token }));
  await b.during(b.xenops.incoming.forget({ token }));
  assert.equal((await b.xenops.vm.stat({ id })).state.power, 'Running');
  assert.equal((await b.xenops.host.stat({})).memoryCommitted, testSpec(1).memory.staticMax);
});

test('the plans, for people to read', () => {
  const spec = testSpec(1, { vbds: [], vifs: [] });
  const attempt = { token: 't', to: null, domain: 'd', live: true, startedAt: 0, there: spec };
  assert.equal(
    planText(migrateSendPlan(spec, attempt)),
    'Incoming.prepare\nVM.send live\nVM.leaveName\nVM.give\nIncoming.commit\nVM.destroy\n',
  );
  assert.equal(
    planText(migrateReceivePlan(spec, { domain: 't', domid: 7, here: true, about: '' })),
    'VM.create domid=7\nVM.listen\n',
  );
});

/** A guest runs on the first of two hosts. */
async function twoHosts() {
  const probe: Probe = {};
  const wires = new Map<string, Wire>();
  const b = await testHouse({ host: 2, wires, probe, boot: 'b' });
  // Whoever answers at the address now.
  const connect = async () => b.xenops;
  const a = await testHouse({ host: 1, wires, probe, boot: 'a', connect });
  await a.xenops.vm.add(testSpec(1));
  await a.during(a.xenops.vm.start({ id, paused: false }));
  return { a, b, probe };
}
type Hosts = Awaited<ReturnType<typeof twoHosts>>;
async function rest({ a, b }: Hosts): Promise<void> {
  for (let n = 0; n < 30; n++) {
    await a.advance(60_000);
    await b.advance(60_000);
  }
}
/** One guest on both hosts together, registered where it runs, and nothing else held anywhere. Answers where. */
async function onlyOne(hosts: Hosts, when: string): Promise<'a' | 'b'> {
  const running: ('a' | 'b')[] = [];
  for (const name of ['a', 'b'] as const) {
    const h: TestHouse = hosts[name];
    await h.during(h.xenops.barrier.wait({}));
    assert.deepEqual(h.world.violations, [], when);
    const [vm] = await h.xenops.vm.list({});
    const domains = [...h.world.domains.values()].map((d) => [d.vm, d.power]);
    if (vm?.state.power === 'Running') running.push(name);
    const { memoryCommitted } = await h.xenops.host.stat({});
    if (vm) assert.deepEqual([vm.state.power, domains], ['Running', [[id, 'running']]], `${when}, ${name}`);
    else assert.deepEqual([h.held(), memoryCommitted], [[], 0], `${when}, ${name}`);
    assert.equal(memoryCommitted, vm ? vm.spec.memory.staticMax : 0, `${when}, ${name}`);
  }
  assert.equal(running.length, 1, `${when}: runs on ${running.join(' and ') || 'no host'}`);
  return running[0] as 'a' | 'b';
}
const move = ({ a }: Hosts) => a.xenops.vm.migrate({ id, to: 'b', live: true });

for (const times of [1, 2])
  test(`to another host, each step done ${times === 1 ? 'once' : 'twice'}: it runs there, and is forgotten here`, async () => {
    const hosts = await twoHosts();
    hosts.probe.times = times;
    await hosts.a.during(move(hosts));
    assert.equal(await onlyOne(hosts, 'at the end'), 'b');
    await assert.rejects(hosts.a.xenops.vm.stat({ id }), (e) => isKind(e, 'Does_not_exist'));
  });

test('to another host: each step failed in turn, on either side; one guest runs', async () => {
  const seen = new Set<string>();
  for (let at = 0; ; at++) {
    const hosts = await twoHosts();
    let n = 0;
    let failed = '';
    hosts.probe.before = (step) => {
      if (n++ !== at) return;
      failed = step.op;
      throw new Error(`injected at ${step.op}`);
    };
    await hosts.a.during(move(hosts)).catch((e: unknown) => e);
    hosts.probe.before = undefined;
    if (failed === '') break;
    await rest(hosts);
    seen.add(await onlyOne(hosts, `failed ${failed}`));
  }
  assert.deepEqual([...seen].sort(), ['a', 'b']);
});

test('to another host: cancelled before each step of either side; it goes on here until it was given away, there afterwards', async () => {
  const seen: string[] = [];
  for (let at = 0; ; at++) {
    const hosts = await twoHosts();
    const stop = new AbortController();
    let n = 0;
    hosts.probe.before = () => {
      if (n++ === at) stop.abort();
    };
    const moved = hosts.a.xenops.vm.migrate({ id, to: 'b', live: true }, { signal: stop.signal }).then(
      () => 'b',
      (e: unknown) => (isKind(e, 'Cancelled') ? 'a' : String(e)),
    );
    const told = await hosts.a.during(moved);
    hosts.probe.before = undefined;
    await rest(hosts);
    assert.equal(await onlyOne(hosts, `cancelled at step ${at}`), told);
    if (!stop.signal.aborted) break;
    seen.push(told);
  }
  assert.match(seen.join(''), /^a{4,}b{2,}$/);
});

for (const side of ['a', 'b'] as const) {
  for (const how of ['kill', 'close'] as const) {
    test(`to another host: ${side} ends (${how}) before each step of either side; one guest runs`, async () => {
      const seen = new Set<string>();
      for (let at = 0; ; at++) {
        const hosts = await twoHosts();
        let n = 0;
        let stopped: Promise<void> | undefined;
        hosts.probe.before = () => {
          if (n++ === at) stopped = hosts[side].restart(how);
        };
        const moved = move(hosts).catch((e: unknown) => e);
        await rest(hosts);
        hosts.probe.before = undefined;
        if (!stopped) {
          await moved;
          break;
        }
        await hosts[side].during(stopped);
        await rest(hosts);
        seen.add(await onlyOne(hosts, `at step ${at}`));
      }
      assert.ok(seen.size > 0);
    });
  }
  for (const how of ['crash', 'crash-after'] as const) {
    test(`to another host: ${side} dies at each of its commits (${how}); one guest runs`, async () => {
      for (let at = 1; ; at++) {
        const hosts = await twoHosts();
        hosts[side].dieAtCommit(at, how);
        const moved = move(hosts).catch((e: unknown) => e);
        await rest(hosts);
        if (!hosts[side].dead) {
          await moved;
          assert.ok(at > 2);
          break;
        }
        await hosts[side].restart();
        await rest(hosts);
        await onlyOne(hosts, `at commit ${at}`);
      }
    });
  }
}
