/** Limits of drives reach QEMU: at power-on, when plugged, when a disc is changed, after a resume, and while the guest runs. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { connectQmp } from '../../src/xenops/backends/qemu/qmp.ts';
import { cannotRun } from './host.ts';
import { type QemuBench, qemuBench } from './qemu-bench.ts';

/** By drive, what QEMU itself says; it talks to one at a time, so the backend lets go of it meanwhile. */
async function limits(b: QemuBench, vm: string): Promise<Record<string, { bps: number; iops_rd: number }>> {
  await b.backend.close();
  const qmp = await connectQmp(
    join(b.folder, 'qemu', vm, 'run', 'qmp'),
    { clock: systemClock, deadlineMs: 20_000, onEvent: () => undefined, onClosed: () => undefined },
    AbortSignal.timeout(20_000),
  );
  type Row = { qdev: string; inserted?: { bps: number; iops_rd: number } };
  const rows = (await qmp.execute('query-block')) as Row[];
  qmp.close();
  await (await b.again()).open();
  return Object.fromEntries(
    rows.map(({ qdev, inserted }) => [qdev, { bps: inserted?.bps ?? -1, iops_rd: inserted?.iops_rd ?? -1 }]),
  );
}

test('limits of drives', { skip: cannotRun() ?? false, timeout: 180_000 }, async () => {
  const b = await qemuBench();
  try {
    const spec = b.spec(1);
    const vm = spec.id;
    const disk = async (position: number, qos?: Record<string, string>) => {
      const { spec: made, disk } = await b.disk(1, position);
      return { spec: qos ? { ...made, qos } : made, disk };
    };
    const cd = await b.cd(1, 3);
    const slow = { ...cd, spec: { ...cd.spec, qos: { bps: '5000' } } };
    await b.backend.open();
    const first = [await disk(0, { kbps: '100' }), await disk(1), slow];
    await b.backend.vm.create(spec, 1);
    for (const each of first) await b.backend.vbd.attach(vm, each);
    await b.backend.vm.build(spec);
    await b.backend.vm.unpause(vm);
    await b.ready(vm);
    const later = await disk(2, { iops_rd: '50', bps: '7000' });
    await b.backend.vbd.attach(vm, later);
    const found = Object.values(await limits(b, vm)).map(({ bps }) => bps);
    assert.deepEqual(found.toSorted(), [0, 102_400, 5000, 7000].toSorted());
    await b.backend.vbd.change(vm, cd.spec.id, null);
    await b.backend.vbd.change(vm, cd.spec.id, await b.disc());
    await b.backend.vbd.limit?.(vm, later.spec.id, { iops_rd: '60' });
    const image = await b.image();
    await b.backend.vbd.limit?.(vm, first[0]?.spec.id ?? '', undefined);
    const changed = Object.values(await limits(b, vm));
    assert.deepEqual(changed.map(({ bps }) => bps).toSorted(), [0, 0, 0, 5000]);
    assert.deepEqual(changed.map(({ iops_rd }) => iops_rd).toSorted(), [0, 0, 0, 60]);
    await b.backend.vm.save(vm, image, {});
    await b.backend.vm.destroy(vm);
    await b.backend.vm.create(spec, 2);
    for (const each of [first[1]!, { ...later, spec: { ...later.spec, qos: { bps: '9000' } } }])
      await b.backend.vbd.attach(vm, each);
    for (const each of [first[0]!, slow]) await b.backend.vbd.attach(vm, each);
    await b.backend.vm.restore(spec, image, {});
    const resumed = Object.values(await limits(b, vm)).map(({ bps }) => bps);
    assert.deepEqual(resumed.toSorted(), [0, 102_400, 5000, 9000].toSorted());
    await b.backend.vm.destroy(vm);
    assert.deepEqual(b.leftovers(), []);
  } finally {
    await b.dispose();
  }
});
