/** What happens when the domain manager starts: what runs is adopted, what was interrupted is put right. */
import { bestEffort } from '../base/best-effort.ts';
import type { Core } from './core.ts';
import { noteEjected } from './devices.ts';
import { inTurn, look, observe } from './operation.ts';
import { holdingsOf } from './reconcile.ts';
import type { VmRecord } from './record.ts';
import { powerOf } from './state.ts';

/** Reconciles every VM that has, or should have, something in the world. Resolves when all are done. */
export async function takeOver(core: Core): Promise<void> {
  await core.incoming.recover();
  const seen = new Map((await core.backend.observeAll()).map((d) => [d.vm, d]));
  const holdings = await holdingsOf(core);
  await knowAddresses(core);
  const kernels = (await core.ground.kernels?.list()) ?? [];
  const lively = new Set([...seen.keys(), ...holdings.vms, ...kernels]);
  const work: Promise<unknown>[] = [];
  for (const record of core.records.all()) {
    record.power = powerOf(record);
    // Promised until it is known that the domain is gone.
    if (record.run) core.reservations.adopt(record.run.spec);
    if (record.run || record.operation) lively.add(record.id);
  }
  // Domains of guests that are on their way: their VMs' records, and who sends them, know what becomes of them.
  const underway = new Set([...core.records.all()].flatMap((r) => r.leaving?.domain ?? []));
  for (const vm of lively) {
    if (underway.has(vm) || core.incoming.has(vm)) continue;
    const domain = seen.get(vm);
    if (!core.records.has(vm) && domain?.power === 'running') {
      core.log.warn('a guest runs that nobody registered; left alone', { vm, domid: domain.domid });
      continue;
    }
    // Kernels of a VM that is not known belong to nobody.
    if (!core.records.has(vm) && !domain && !kernels.includes(vm)) continue;
    work.push(core.queue.push(vm, 'take over', undefined, () => core.reconciler.reconcile(vm, 'found', holdings)));
  }
  await Promise.all(work);
  core.farewells.begin();
}

/** A VM was registered: a domain of its that was left running is taken over. */
export async function adoptRunning(core: Core, record: VmRecord): Promise<void> {
  // In the VM's turn, which closing waits for.
  await core.queue.push(record.id, 'take over', undefined, async () => {
    if (record.run) return;
    const seen = await observe(core, record.id);
    if (!seen) return;
    const { domid, startedAt } = seen;
    record.run = { domid, startedAt, spec: record.spec, boot: core.boot };
    record.dirty = 'late';
    await core.reconciler.reconcile(record.id, 'late');
  });
}
async function knowAddresses(core: Core): Promise<void> {
  const leases = await bestEffort('addresses come with the next lease', core.log, () =>
    core.ground.network.lease.list({}),
  );
  const byMac = Map.groupBy(leases ?? [], (l) => l.mac);
  for (const [mac, given] of byMac)
    core.records.lease(
      mac,
      given.map((l) => l.address),
    );
}
/** Listens to the backend and to the network. */
export function watchGround(core: Core): () => void {
  const offBackend = core.backend.watch((event) => {
    if (event.event === 'ended') core.ends.heard(event);
    else lookLater(core, event.vm);
  });
  const offNetwork = core.ground.network.watch((event) => lease(core, event.mac, event.address));
  return () => {
    offBackend();
    offNetwork();
  };
}

/** Looks at a domain in its VM's turn; several requests make one look, and an operation's own look will do. */
function lookLater(core: Core, vm: string): void {
  const record = core.records.find(vm);
  if (!record || record.looking) return;
  record.looking = true;
  const before = () => JSON.stringify(record.live);
  inTurn(core, vm, 'look', undefined, async (op) => {
    const was = before();
    if (record.looking) await look(core, record);
    op.quiet = !(await noteEjected(op)) && before() === was;
  }).catch((error: unknown) => {
    record.looking = false;
    core.log.debug('a domain was not looked at', { vm, error: String(error) });
  });
}
function lease(core: Core, mac: string, address: string): void {
  core.records.lease(mac, [address]);
  for (const record of core.records.all()) {
    if (record.run?.spec.vifs.some((vif) => vif.mac === mac)) core.records.seen(record);
  }
}
