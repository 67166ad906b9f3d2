/** Taking all devices of a domain that is gone: at once, so that slow ones wait together. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Domain } from './domain.ts';
import { isHalfMade, remove } from './drive.ts';
import { endEmulator } from './emulator.ts';
import { isHalfMadeNic, removeNic } from './nic.ts';
import { domainPath } from './store-layout.ts';

/** Takes away what an earlier toolstack had noted and not yet put there, so that what is noted is there. */
export async function dropHalfMade(domain: Domain): Promise<void> {
  const { record, needs } = domain;
  for (const drive of record.drives)
    if (await isHalfMade(domain, drive))
      await bestEffort('a drive that was half plugged', needs.log, () => remove(domain, drive));
  for (const nic of record.nics)
    if (await isHalfMadeNic(domain, nic))
      await bestEffort('an interface that was half plugged', needs.log, () => removeNic(domain, nic));
}
export async function tearDownDevices(domain: Domain): Promise<void> {
  const { record, needs, domid } = domain;
  const { drives, nics } = record;
  const failed: unknown[] = [];
  const each = [...drives.map((d) => remove(domain, d)), ...nics.map((n) => removeNic(domain, n))];
  for (const one of await Promise.allSettled(each)) if (one.status === 'rejected') failed.push(one.reason);
  if (drives.length > 0 || record.spec.domainType === 'hvm') {
    await endEmulator(domain);
    await bestEffort('a note of an emulator', needs.log, () =>
      needs.store.rm(`${domainPath(0)}/device-model/${domid}`),
    );
  }
  if (failed.length > 0) throw new AggregateError(failed, `devices of ${domain.vm} could not be taken down`);
}
