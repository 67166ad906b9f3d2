/** UEFI's variables and TPMs belong to their VM: kept over its runs, copied with it, taken with snapshots and brought back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ref } from '../../src/datamodel/dsl.ts';
import type { Rec } from '../../src/datamodel/index.ts';
import { diskHouse } from './disk-house.ts';
import { jsonDriver } from './drivers.ts';
import { type TestHouse, testHouse } from './house.ts';
import { get, put, vmWithDisks } from './vm-files.ts';

async function uefiVm(h: TestHouse) {
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Other install media', 'firm');
  const vm = db.byUuid('VM', uuid);
  await root('VM.set_HVM_boot_params', vm, { order: 'cd', firmware: 'uefi' });
  const run = async (id = uuid) => {
    await d.power(id, 'start');
    await d.power(id, 'hard_shutdown');
  };
  const now = (id = uuid) => h.house.xenops.vm.firmware({ id });
  return { d, uuid, vm, run, now, db, root };
}
const starts = (efi: number, tpm: number) => ({ efi: `starts:${efi}`, tpm: `starts:${tpm}` });

test('a machine remembers its runs; a snapshot takes that along, and going back brings it back', async () => {
  await using h = await testHouse();
  const { uuid, vm, run, now, db, root } = await uefiVm(h);
  assert.deepEqual(await now(), { efi: null, tpm: null });
  await run();
  const vtpm = (await root('VTPM.create', vm, false)) as Ref<'VTPM'>;
  await assert.rejects(root('VTPM.create', vm, false), /VTPM_MAX_AMOUNT_REACHED/);
  await run();
  assert.deepEqual(await now(), starts(2, 1));
  await h.restart();
  const again = h.house;
  assert.deepEqual(await again.xenops.vm.firmware({ id: uuid }), starts(2, 1));
  assert.equal(await again.root('VTPM.get_contents', vtpm), 'starts:1');

  const snapshot = (await again.root('VM.snapshot', vm, 'then')) as Ref<'VM'>;
  const frozen = again.db.get('VM', snapshot);
  assert.equal(frozen.NVRAM['EFI-variables'], 'starts:2');
  assert.equal(await again.root('VTPM.get_contents', frozen.VTPMs[0]), 'starts:1');
  for (let i = 0; i < 2; i++) {
    await again.root('VM.start', vm, false, false);
    await again.root('VM.hard_shutdown', vm);
  }
  assert.deepEqual(await again.xenops.vm.firmware({ id: uuid }), starts(4, 3));
  await again.root('VM.revert', snapshot);
  assert.deepEqual(await again.xenops.vm.firmware({ id: uuid }), starts(2, 1));
  assert.deepEqual(again.db.get('VM', vm).VTPMs, [vtpm]);

  // A VM that is made of the snapshot begins as it was.
  const clone = (await again.root('VM.clone', snapshot, 'branch')) as Ref<'VM'>;
  await again.root('VM.provision', clone);
  const { uuid: cloneId } = again.db.get('VM', clone);
  assert.deepEqual(await again.xenops.vm.firmware({ id: cloneId }), starts(2, 1));
  void db;
});

test('a clone has its own; contents that must be the only ones stay with their VM', async () => {
  await using h = await testHouse();
  const { vm, run, now, db, root } = await uefiVm(h);
  const vtpm = (await root('VTPM.create', vm, true)) as Ref<'VTPM'>;
  await run();
  const clone = (await root('VM.clone', vm, 'twin')) as Ref<'VM'>;
  const { uuid: twin, VTPMs } = db.get('VM', clone);
  assert.equal(VTPMs.length, 1);
  assert.deepEqual(await now(twin), { efi: 'starts:1', tpm: null });
  await run(twin);
  assert.deepEqual(await now(twin), starts(2, 1));
  assert.deepEqual(await now(), starts(1, 1));
  await root('VTPM.set_contents', vtpm, 'starts:7');
  assert.deepEqual(await now(), starts(1, 7));
  await assert.rejects(root('VTPM.set_contents', vtpm, 'nonsense'), /VALUE_NOT_SUPPORTED/);
  await root('VTPM.destroy', vtpm);
  assert.deepEqual(await now(), { efi: 'starts:1', tpm: null });
  assert.equal(db.find('VTPM', vtpm), undefined);
  await root('VM.set_NVRAM', vm, { 'EFI-variables': 'starts:9' });
  assert.deepEqual(await now(), { efi: 'starts:9', tpm: null });

  // As a template it keeps them in its record.
  await root('VM.set_is_a_template', vm, true);
  assert.equal(db.get('VM', vm).NVRAM['EFI-variables'], 'starts:9');
  await root('VM.set_is_a_template', vm, false);
  assert.deepEqual(await now(), { efi: 'starts:9', tpm: null });
  await root('VM.destroy', clone);
  assert.equal(db.find('VTPM', VTPMs[0] ?? ''), undefined);
});

test('a TPM is refused where there can be none, and while the VM runs', async () => {
  await using h = await testHouse();
  const { d, uuid, vm, db, root } = await uefiVm(h);
  const kernel = db.byUuid('VM', await d.install('Tiny Linux', 'kernel'));
  await assert.rejects(root('VTPM.create', kernel, false), /OPERATION_NOT_ALLOWED.*firmware/);
  await d.power(uuid, 'start');
  await assert.rejects(root('VTPM.create', vm, false), /VM_BAD_POWER_STATE/);
  await assert.rejects(root('VM.set_bios_strings', vm, { 'oem-1': 'ü' }), /VALUE_NOT_SUPPORTED/);
  await root('VM.set_bios_strings', vm, { 'oem-1': 'fine' });
});

test('variables go out and come in with an archive; the TPM stays', async () => {
  await using h = await diskHouse();
  const vm = await vmWithDisks(h, [Buffer.alloc(2 << 20)]);
  await h.root('VM.set_HVM_boot_policy', vm, 'BIOS order');
  await h.root('VM.set_HVM_boot_params', vm, { order: 'cd', firmware: 'uefi' });
  await h.root('VTPM.create', vm, false);
  const runOnce = async (ref: string) => {
    await h.root('VM.start', ref, false, false);
    await h.root('VM.hard_shutdown', ref);
    const taken = await h.root<Rec<'VM'>>('VM.get_record', await h.root('VM.snapshot', ref, 'look'));
    const [vtpm] = taken.VTPMs;
    const tpm = vtpm === undefined ? null : await h.root<string>('VTPM.get_contents', vtpm);
    return { efi: taken.NVRAM['EFI-variables'], tpm };
  };
  assert.deepEqual(await runOnce(vm), starts(1, 1));
  const { body } = await get(h, '/export', { ref: vm });
  const [copy = ''] = await put(h, body);
  assert.deepEqual(await runOnce(copy), { efi: 'starts:2', tpm: null });
  assert.deepEqual(await runOnce(vm), starts(2, 2));
});
