import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLog } from '../../../base/log.ts';
import type { Xen } from '../../../xen/xen.ts';
import { putControlDomainFirst, weights } from './priority.ts';

/** A hypervisor that knows nothing but shares. */
function shares(weight: number, cap: number) {
  const set: unknown[] = [];
  const domains = {
    schedule: (domid: number) => ({ domid, weight, cap }),
    setSchedule: (...to: unknown[]) => void set.push(to),
  };
  return { set, xen: { domains } as unknown as Xen };
}

test('the control domain is put first, once, and keeps its limit', async () => {
  const fresh = shares(weights.usual, 80);
  await putControlDomainFirst(fresh.xen, silentLog);
  assert.deepEqual(fresh.set, [[0, weights.control, 80]]);
  const again = shares(weights.control, 80);
  await putControlDomainFirst(again.xen, silentLog);
  assert.deepEqual(again.set, []);
});
test('a share that the owner has set stays', async () => {
  const { set, xen } = shares(512, 0);
  await putControlDomainFirst(xen, silentLog);
  assert.deepEqual(set, []);
});
test('a scheduler without shares is left as it is', async () => {
  const { set, xen } = shares(weights.usual, 0);
  const deaf = { ...xen, domains: { ...xen.domains, schedule: () => assert.fail('knows no weight') } };
  await putControlDomainFirst(deaf as unknown as Xen, silentLog);
  assert.deepEqual(set, []);
});
