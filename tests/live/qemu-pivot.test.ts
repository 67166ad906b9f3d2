/** A toolstack that is killed between QEMU's transaction and its own note of it: the next one sees that it was done. */
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { cannotRun } from './host.ts';
import { qemuBench } from './qemu-bench.ts';

test('a layer that a guest has gone over to is known by QEMU itself', { skip: cannotRun() ?? false }, async () => {
  const b = await qemuBench();
  try {
    const spec = b.spec(1);
    const { spec: drive, disk } = await b.disk(1, 0);
    await b.backend.open();
    await b.backend.vm.create(spec, 1);
    await b.backend.vbd.attach(spec.id, { spec: drive, disk });
    await b.backend.vm.build(spec);
    await b.backend.vm.unpause(spec.id);
    const layers = async (to: string, on = disk) => [
      { id: drive.id, to, disk: (await b.layer?.(on)) ?? assert.fail('no layers') },
    ];
    const first = await layers('aaaaaaaa-0000-4000-8000-000000000001');
    const record = join(b.folder, 'qemu', spec.id, 'domain.json');
    await copyFile(record, `${record}.before`);
    await b.backend.vbd.pivot?.(spec.id, first);
    await copyFile(`${record}.before`, record);
    const backend = await b.again();
    await backend.open();
    await backend.vbd.pivot?.(spec.id, first);
    // The next one lies on it.
    await backend.vbd.pivot?.(spec.id, await layers('aaaaaaaa-0000-4000-8000-000000000002', first[0]?.disk));
    await backend.vbd.detach(spec.id, drive.id, true);
  } finally {
    await b.dispose();
  }
});
