import type { VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, seq } from '../plan.ts';
import { attachAll, closeAll, interfacesOf } from './devices.ts';

/** Running here → running there. `domain`: what its domain is called once another takes the VM's name. */
export function migrateSendPlan(
  spec: VmSpec,
  a: {
    readonly token: string;
    readonly to: string | null;
    readonly domain: string;
    readonly live: boolean;
    readonly startedAt: number;
    /** The description that the receiver gets. */
    readonly there: VmSpec;
  },
): Plan {
  const vm = spec.id;
  const { token, to, domain } = a;
  return seq(
    op('Incoming.prepare', { token, to, spec: a.there, startedAt: a.startedAt }),
    op('VM.send', { token, to, vm, live: a.live }),
    op('VM.leaveName', { vm, domain }),
    op('VM.give', { vm }),
    op('Incoming.commit', { token, to }),
    op('VM.destroy', { vm: domain }),
    // On one host, the disks and ports are the new domain's.
    ...(to === null ? [] : [closeAll(spec, true)]),
  );
}

/** An empty domain that waits for a guest. `here`: the guest comes from this host, and has its disks and ports already. */
export function migrateReceivePlan(
  spec: VmSpec,
  a: { readonly domain: string; readonly domid: number; readonly here: boolean; readonly about: string },
): Plan {
  const { domain, about } = a;
  return seq(
    op('VM.create', { spec, domid: a.domid, domain, elsewhere: !a.here }),
    attachAll(spec, { domain, keepOpen: a.here, elsewhere: !a.here }),
    op('VM.listen', { domain, about }),
  );
}
/** The copy has the VM's name, and its ports. */
export function migrateArrivePlan(
  spec: VmSpec,
  { domain, here }: { readonly domain: string; readonly here: boolean },
): Plan {
  const vm = spec.id;
  const take = here ? interfacesOf(spec).map((vif) => op('VIF.take', { vm, vif, domain })) : [];
  return seq(...take, op('VM.takeName', { vm, domain }));
}
/** What a copy that is not to be has, goes. */
export function migrateDropPlan(
  spec: VmSpec,
  { domain, here }: { readonly domain: string; readonly here: boolean },
): Plan {
  const destroy = op('VM.destroy', { vm: domain });
  // On this host the disks are the guest's on, but not the ports that were made beside its own.
  if (here) return seq(destroy, ...interfacesOf(spec).map((vif) => op('VIF.close', { vm: domain, vif })));
  return seq(destroy, closeAll(spec, true));
}
