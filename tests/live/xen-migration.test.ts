/** A PVH guest moves to another domain of the same host while it runs, and goes on counting. Runs in dom0. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { emptyDisk, openMemoryStore } from '../../src/store/memory.ts';
import { openXenops } from '../../src/xenops/server.ts';
import { noStorage, portsOnly } from './neighbours.ts';
import { withoutXen, xenBench } from './xen-bench.ts';

const skip = withoutXen() ?? false;

test('xen pvh: a VM moves to the same host with its disk and network, by one call', { skip }, async (t) => {
  const b = await xenBench('pvh');
  const disk = await b.file('disk', 4 << 20);
  const media = { kind: 'path', path: disk.path, format: 'raw' } as const;
  b.with({
    vbds: [{ id: 'disk0', position: 0, type: 'Disk', mode: 'RW', media }],
    vifs: [{ id: 'vif0', position: 0, mac: '52:54:00:00:77:01', bridge: b.bridge }],
  });
  const backend = b.backend;
  const x = await openXenops({
    backend,
    store: openMemoryStore({ disk: emptyDisk() }),
    storage: noStorage,
    network: portsOnly(),
    clock: systemClock,
    ids: randomIds,
    log: silentLog,
  });
  const spec = b.spec(1);
  const { id } = spec;
  t.after(async () => {
    await x.vm.resetPower({ id });
    await x.close();
    await b.dispose();
  });
  await x.vm.add(spec);
  await x.vm.start({ id, paused: false });
  await b.ready(id);
  const before = (await x.vm.stat({ id })).state;
  await b.type(id, 'i=0; while :; do i=$((i+1)); echo COUNT-$i; sleep 1; done &\n');
  await b.says(id, 'COUNT-2');
  await x.vm.migrate({ id, to: null, live: true });
  const after = (await x.vm.stat({ id })).state;
  assert.notEqual(after.domid, before.domid);
  assert.deepEqual({ ...after, domid: 0, memoryActual: 0 }, { ...before, domid: 0, memoryActual: 0 });
  const counted = () => b.consoleOf(id).then((said) => [...said.matchAll(/COUNT-(\d+)\r/g)].map((m) => Number(m[1])));
  const last = (await counted()).at(-1) ?? 0;
  await b.says(id, `COUNT-${last + 2}`);
  await b.type(id, 'echo moved | dd of=/dev/xvda bs=512 count=1 conv=sync,fsync 2>/dev/null; echo WRITTEN-$?\n');
  await b.says(id, 'WRITTEN-0');
  await b.type(id, 'cat /sys/class/net/eth0/address; echo ETH-$?\n');
  await b.says(id, 'ETH-0');
  assert.equal((await x.host.domains({})).filter((d) => d.vm !== null).length, 1);

  const stop = new AbortController();
  const cancelled = x.vm.migrate({ id, to: null, live: true }, { signal: stop.signal, progress: () => stop.abort() });
  await assert.rejects(cancelled, (e) => isKind(e, 'Cancelled'));
  assert.equal((await x.vm.stat({ id })).state.domid, after.domid);
  const then = (await counted()).at(-1) ?? 0;
  await b.says(id, `COUNT-${then + 2}`);
  await x.vm.shutdown({ id, timeoutS: 60 });
  assert.deepEqual(
    (await x.host.domains({})).filter((d) => d.vm !== null),
    [],
  );
  assert.equal(
    b.xen.domains.list().some((d) => d.uuid === id),
    false,
  );
});
