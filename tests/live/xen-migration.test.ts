/** A PVH guest moves to another domain of the same host while it runs, and goes on counting. Runs in dom0. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { pagingMib, slackOf } from '../../src/xenops/backends/xen/create.ts';
import {
  domainPath,
  guestNodes,
  removeNodes,
  ringNodes,
  writeNodes,
} from '../../src/xenops/backends/xen/store-layout.ts';
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
