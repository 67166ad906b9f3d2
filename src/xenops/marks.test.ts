/** The mark of an operation that was interrupted stays until it is known what became of it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { testHouse, testSpec, vmId } from './testing/house.ts';

test('an operation does not replace the mark of one that could not be looked into yet', async () => {
  const h = await testHouse({ boot: 'b' });
  const id = vmId(1);
  await h.xenops.vm.add(testSpec(1));
  // The toolstack is killed while the domain is made: it is there, and not built.
  h.faults.set('vm.build', { fault: 'delay', ms: 400_000 }, 1, 0);
  h.xenops.vm.start({ id, paused: false }).catch(() => undefined);
  await h.advance(100);
  h.faults.set('vm.observe', { fault: 'delay', ms: 400_000 }, 2, 0);
  await h.restart('kill');
  const image = { kind: 'path', path: '/image', format: 'raw' } as const;
  await h.during(
    assert.rejects(h.xenops.vm.suspend({ id, image }), (e) => isKind(e, 'Timed_out') && /observing/.test(String(e))),
  );
  // By force it ends whatever it is.
  await h.during(h.xenops.vm.shutdown({ id, timeoutS: null }));
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  assert.equal(h.world.domains.size, 0);
  for (const row of h.disk.tables.get('xenops_vm')?.values() ?? []) assert.equal(JSON.parse(row).operation, null);
});
