import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import type { Processes } from '../contracts/processes.ts';
import { emptyDisk, openMemoryStore } from '../store/memory.ts';
import { openNetwork } from './server.ts';

/** Starting anything is a mistake. */
const noProcesses = new Proxy({ watch: () => () => undefined } as unknown as Processes, {
  get: (own, key) => {
    if (key in own) return own[key as keyof Processes];
    throw new Error(`a simulated network asked for processes: ${String(key)}`);
  },
});

test('a simulated host has networks of every kind, and nothing of them is on the machine', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gh-sim-net-'));
  const disk = emptyDisk();
  const ground = { dir, processes: noProcesses, clock: systemClock, ids: randomIds, log: silentLog, simulated: true };
  const open = () => openNetwork({ ...ground, store: openMemoryStore({ disk }) });
  let net = await open();
  try {
    const before = await net.interface.list({});
    for (const { possible, reason } of await net.network.capabilities({}))
      assert.deepEqual([possible, reason], [true, '']);
    const subnets: (string | null)[] = [];
    for (const kind of ['nat', 'internal', 'bridge', 'user'] as const) {
      const made = await net.network.ensure({ bridge: `sim-${kind}`, kind });
      assert.deepEqual([made.kind, made.up], [kind, true]);
      subnets.push(made.subnet);
    }
    assert.deepEqual(subnets, ['10.87.0.1/24', null, null, null]);
    assert.equal((await net.network.ensure({ bridge: 'sim-2', kind: 'nat' })).subnet, '10.87.1.1/24');
    await assert.rejects(
      net.network.ensure({ bridge: 'sim-3', kind: 'nat', subnet: '10.87.1.9/16' }),
      (e) => isKind(e, 'Not_possible') && /meets another network of ours/.test(String(e)),
    );
    const port = { vm: 'vm', device: 'vif', bridge: 'sim-nat', mac: '52:54:00:12:34:56', name: 'web', rateKib: 10 };
    assert.deepEqual(await net.port.attach(port), { kind: 'user', forwards: [] });
    await net.close();
    net = await open();
    assert.equal((await net.network.list({})).length, 5);
    assert.deepEqual((await net.network.list({})).find(({ bridge }) => bridge === 'sim-nat')?.ports, ['vm/vif']);
    await assert.rejects(net.network.remove({ bridge: 'sim-nat' }), (e) => isKind(e, 'In_use'));
    await net.port.detach(port);
    for (const { bridge } of await net.network.list({})) await net.network.remove({ bridge });
    assert.deepEqual(await net.interface.list({}), before);
  } finally {
    await net.close();
    await rm(dir, { recursive: true });
  }
});
