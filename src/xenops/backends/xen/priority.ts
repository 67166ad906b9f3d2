/**
 * The control domain serves every guest's devices, store and console: it gets the processor before those who wait for it. A share
 * that the owner of the host has set stays.
 */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Log } from '../../../base/log.ts';
import type { Xen } from '../../../xen/xen.ts';

/** What the hypervisor gives a domain that nobody has spoken of, and what the control domain gets. */
export const weights = { usual: 256, control: 2048 } as const;
const controlDomain = 0;

export async function putControlDomainFirst({ domains }: Xen, log: Log): Promise<void> {
  await bestEffort('the share of the control domain stays as it is', log, () => {
    const { weight, cap } = domains.schedule(controlDomain);
    if (weight === weights.usual) domains.setSchedule(controlDomain, weights.control, cap);
  });
}
