/** Taking all devices of a domain that is gone: at once, so that slow ones wait together. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Domain } from './domain.ts';
import { remove } from './drive.ts';
import { endEmulator } from './emulator.ts';
import { removeNic } from './nic.ts';
import { domainPath } from './store-layout.ts';

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
