/** A PVH guest moves to another domain of the same host while it runs, and goes on counting. Runs in dom0. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { emptyDisk, openMemoryStore } from '../../src/store/memory.ts';
import { pagingMib, slackOf } from '../../src/xenops/backends/xen/create.ts';
import {
  domainPath,
  guestNodes,
  removeNodes,
  ringNodes,
  writeNodes,
} from '../../src/xenops/backends/xen/store-layout.ts';
import { openXenops } from '../../src/xenops/server.ts';
import { noStorage, portsOnly } from './neighbours.ts';
import { withoutXen, xenBench } from './xen-bench.ts';

const skip = withoutXen() ?? false;

test('xen pvh: live migration to the same host', { skip }, async (t) => {
  const b = await xenBench('pvh');
  const { xen, store } = b;
  let to = -1;
  t.after(async () => {
    if (to >= 0) await xen.destroy(to);
    if (to >= 0) await removeNodes(store, to, 'none');
    await b.dispose();
  });
  await b.backend.open();
  const spec = b.spec(1);
  await b.backend.vm.create(spec, 1);
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  await b.ready(spec.id);
  await b.type(spec.id, 'i=0; while :; do i=$((i+1)); echo COUNT-$i; sleep 1; done &\n');
  await b.says(spec.id, 'COUNT-2');
  const from = xen.domains.list().find((d) => d.uuid === spec.id)?.domid ?? -1;

  to = from + 1000;
  const { domains } = xen;
  domains.create(
    { domid: to, uuid: '0f3c9a10-0000-4000-8000-00000000aaaa', type: 'pvh', maxVcpus: spec.vcpus.max },
    true,
  );
  domains.setMaxMemory(to, spec.memory.staticMax + slackOf(spec));
  domains.setPagingMemory(to, pagingMib(spec));
  const ports = { storePort: domains.allocateChannel(to, 0), consolePort: domains.allocateChannel(to, 0) };
  const places = { domid: to, spec, vcpus: spec.vcpus.current, memoryTarget: spec.memory.dynamicMax };
  await store.transaction((inside) => writeNodes(inside, guestNodes(places)));

  const pipe = join(b.folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Both ends in one descriptor each: opening one alone would wait for the other.
  const [reader, writer] = [openSync(pipe, 'r+'), openSync(pipe, 'r+')];
  const rounds: number[] = [];
  let asked = false;
  const live = ({ iteration, dirty }: { iteration: number; dirty: number }) => {
    rounds.push(dirty);
    if (iteration >= 2 && !asked) {
      asked = true;
      void store.write(`${domainPath(from)}/control/shutdown`, 'suspend');
    }
    return domains.find(from)?.shutdown === 'suspend' ? 'stop' : ('continue' as const);
  };
  const [pages] = await Promise.all([
    xen.restore({ domid: to, type: 'pvh', fd: reader, ...ports }),
    xen.save({ domid: from, fd: writer, live }),
  ]);
  closeSync(reader);
  closeSync(writer);
  assert.ok(rounds.length >= 3, `it was live for ${rounds.length} rounds`);
  const before = [...(await b.consoleOf(spec.id)).matchAll(/COUNT-(\d+)\r/g)].length;
  await store.transaction((inside) => writeNodes(inside, ringNodes(to, { ...pages, ...ports })));
  await store.introduce(to, pages.store, ports.storePort);
  await b.backend.vm.destroy(spec.id);
  domains.unpause(to);
  const last = await lastCount(await terminalOf(store, to), before + 2);
  assert.ok(last >= before + 2 && last < before + 60, `it counted on to ${last} from ${before}`);
  await store.write(`${domainPath(to)}/control/shutdown`, 'poweroff');
  while (domains.find(to)?.shutdown !== 'poweroff') await new Promise((resolve) => setTimeout(resolve, 100));
});

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

async function terminalOf(store: { find(path: string): Promise<string | undefined> }, domid: number): Promise<string> {
  for (;;) {
    const path = await store.find(`${domainPath(domid)}/console/tty`);
    if (path) return path;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
/** Reads a terminal until the count has come to `least`. */
async function lastCount(terminal: string, least: number): Promise<number> {
  const fd = openSync(terminal, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  let said = '';
  const buffer = Buffer.alloc(4096);
  for (let last = 0; ; ) {
    try {
      said += buffer.toString('latin1', 0, readSync(fd, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
    last = Math.max(last, ...[...said.matchAll(/COUNT-(\d+)\r/g)].map((m) => Number(m[1])));
    if (last >= least) {
      closeSync(fd);
      return last;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
