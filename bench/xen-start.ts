/**
 * What the toolstack adds to a guest's start on Xen: `VM.start` as the API answers it, side by side with the bare sequence of calls of
 * Xen's libraries and of the store that make the same guest. Runs in dom0: `node bench/xen-start.ts [rounds]`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VmSpec } from '../src/contracts/xenops.ts';
import type { Ref } from '../src/datamodel/dsl.ts';
import { openXen, type Xen } from '../src/xen/xen.ts';
import { acpiTables } from '../src/xenops/backends/xen/acpi.ts';
import { cmdlineOf } from '../src/xenops/backends/xen/cmdline.ts';
import { pagingMib } from '../src/xenops/backends/xen/create.ts';
import { guestNodes, removeNodes, ringNodes, writeNodes } from '../src/xenops/backends/xen/store-layout.ts';
import { connectStore, type StoreClient } from '../src/xenstore/client.ts';
import { testHouse } from '../tests/scenario/house.ts';

const rounds = Number(process.argv[2] ?? 7);
const mib = 1 << 20;
const guestDir = process.env['GUESTHOUSE_GUEST'] ?? join(import.meta.dirname, '..', 'build', 'guest');
const manifest = JSON.parse(readFileSync(join(guestDir, 'manifest.json'), 'utf8')) as Record<string, string>;
const guest = {
  kernel: join(guestDir, manifest['kernel'] ?? ''),
  ramdisk: join(guestDir, manifest['ramdisk'] ?? ''),
  cmdline: manifest['cmdline'] ?? '',
};
const tablesAt = 0xfc00_0000;
const strangeDomid = 30_000;

function specOf(type: 'pv' | 'pvh'): VmSpec {
  const memory = 256 * mib;
  return {
    id: '0f3c9a10-0000-4000-8000-00000000be9c',
    name: 'bare',
    domainType: type,
    boot: { kind: 'kernel', ...guest },
    memory: { staticMax: memory, dynamicMax: memory, dynamicMin: 128 * mib },
    vcpus: { max: 1, current: 1 },
    onPoweroff: 'destroy',
    onReboot: 'restart',
    onCrash: 'destroy',
    vbds: [],
    vifs: [],
    platform: {},
    autostart: false,
    order: 0,
    startDelayS: 0,
    shutdownDelayS: 0,
  };
}
/** The calls, one after another, and nothing else. */
async function bare(xen: Xen, store: StoreClient, spec: VmSpec, domid: number): Promise<number> {
  const { domains } = xen;
  const { domainType: type, id: uuid, memory, vcpus } = spec;
  const begin = performance.now();
  domains.create({ domid, uuid, type, maxVcpus: vcpus.max }, domains.host().hap);
  domains.setMaxMemory(domid, memory.staticMax + mib);
  if (type === 'pv') domains.setMemoryMapLimit(domid, memory.staticMax + mib);
  else domains.setPagingMemory(domid, pagingMib(spec));
  domains.applyCpuPolicy(domid, false);
  const [storePort, consolePort] = [domains.allocateChannel(domid, 0), domains.allocateChannel(domid, 0)];
  const places = { domid, spec, vcpus: vcpus.current, memoryTarget: memory.dynamicMax };
  await store.transaction((inside) => writeNodes(inside, guestNodes(places)));
  const pages = await xen.build({
    ...{ domid, type, kernel: guest.kernel, ramdisk: guest.ramdisk, cmdline: cmdlineOf(spec) },
    ...{ memoryMax: memory.staticMax, memory: memory.dynamicMax, maxVcpus: vcpus.max, storePort, consolePort },
    ...(type === 'pvh' ? { tables: [{ data: acpiTables(tablesAt, vcpus.max), address: tablesAt }] } : {}),
  });
  await store.transaction((inside) => writeNodes(inside, ringNodes(domid, { ...pages, storePort, consolePort })));
  await store.introduce(domid, pages.store, storePort);
  domains.unpause(domid);
  return performance.now() - begin;
}
const median = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;

const xen = openXen();
const store = await connectStore('/run/xenstored/socket');
await using host = await testHouse({ hypervisor: 'xen', guest, quiet: true });
const { house } = host;
const template = house.db.byName('VM', 'Tiny Linux')[0];
if (!template) throw new Error(`no Tiny Linux in ${guestDir}: run scripts/setup`);
const ref = (await house.root('VM.clone', template, 'measured')) as Ref<'VM'>;
await house.root('VM.provision', ref);
console.log(`Xen ${xen.version}; medians of ${rounds} interleaved rounds, 256 MiB, ms`);
for (const type of ['pv', 'pvh'] as const) {
  const spec = specOf(type);
  await house.root('VM.set_domain_type', ref, type);
  const times = { bare: [] as number[], full: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    const domid = strangeDomid + round + (type === 'pv' ? 0 : 1000);
    const alone = await bare(xen, store, spec, domid);
    await xen.destroy(domid);
    await removeNodes(store, domid, spec.id);
    const begin = performance.now();
    await house.root('VM.start', ref, false, false);
    const full = performance.now() - begin;
    await house.root('VM.hard_shutdown', ref);
    // The first round fills caches.
    if (round === 0) continue;
    times.bare.push(alone);
    times.full.push(full);
  }
  const [b, f] = [median(times.bare), median(times.full)];
  console.log(
    `${type.padEnd(4)} library calls ${b.toFixed(0)}   VM.start ${f.toFixed(0)}   ratio ${(f / b).toFixed(2)} (at most 1.30)`,
  );
}
await store.close();
xen.close();
