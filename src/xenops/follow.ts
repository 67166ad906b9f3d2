/** A description that is changed takes effect at the next start; a guest that runs gets these parts of it at once. */
import type { VbdSpec, VifSpec, VmSpec } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { inTurn } from './operation.ts';
import { followPlan } from './plans/adjust.ts';
import type { VmRecord } from './record.ts';

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The plugged devices, as described now, that the running guest is to hear of. */
function changes(record: VmRecord, renamed: boolean) {
  const { spec, run } = record;
  const vifs = (run?.spec.vifs ?? []).flatMap((vif): VifSpec[] => {
    const { lock: before, ...rest } = vif;
    const described = spec.vifs.find(({ id }) => id === vif.id);
    const rateKib = described?.rateKib ?? 0;
    const lock = described ? described.lock : before;
    const changed = renamed || rateKib !== (vif.rateKib ?? 0) || !same(lock, before);
    return changed ? [{ ...rest, rateKib, ...(lock ? { lock } : {}) }] : [];
  });
  const vbds = (run?.spec.vbds ?? []).flatMap((vbd): VbdSpec[] => {
    const { qos: before, ...rest } = vbd;
    const described = spec.vbds.find(({ id }) => id === vbd.id);
    if (!described || same(described.qos, before)) return [];
    return [described.qos === undefined ? rest : { ...rest, qos: described.qos }];
  });
  return { vifs, vbds, none: vifs.length + vbds.length === 0 };
}

/** Lets the running guest follow, in its VM's turn; nobody waits for it. `before` is the description that it had. */
export function follow(core: Core, record: VmRecord, before: VmSpec): void {
  const renamed = before.name !== record.spec.name;
  if (!record.run || changes(record, renamed).none) return;
  inTurn(core, record.id, 'follow', undefined, async (op) => {
    const { vifs, vbds, none } = changes(record, renamed);
    op.quiet = none;
    if (!record.run || none) return;
    await op.run(followPlan(record.id, { vifs, vbds }));
    const replaced = <D extends { readonly id: string }>(list: readonly D[], next: readonly D[]) =>
      list.map((device) => next.find(({ id }) => id === device.id) ?? device);
    const { spec } = record.run;
    const now = { ...spec, vifs: replaced(spec.vifs, vifs), vbds: replaced(spec.vbds, vbds) };
    record.run = { ...record.run, spec: now };
    op.changed = true;
  }).catch((error: unknown) =>
    core.log.warn('a running guest does not follow its description yet', { vm: record.id, error: String(error) }),
  );
}
