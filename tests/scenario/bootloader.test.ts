/** Boot loaders through XenAPI: what the fields mean, and what is refused with which code. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { loaderNames } from '../../src/contracts/bootloader.ts';
import { testHouse } from './house.ts';

test('the fields of a VM that boots its own kernel', async () => {
  await using h = await testHouse();
  const { root, xenops } = h.house;
  const [host] = (await root('host.get_all')) as [string];
  assert.deepEqual(await root('host.get_supported_bootloaders', host), [...loaderNames]);
  const [template] = (await root('VM.get_by_name_label', 'Tiny Linux')) as [string];
  const vm = (await root('VM.clone', template, 'own kernel')) as string;
  await root('VM.provision', vm);
  const id = (await root('VM.get_uuid', vm)) as string;
  const set = (field: string, value: unknown) => root(`VM.set_${field}`, vm, value);
  for (const field of ['PV_kernel', 'PV_ramdisk', 'PV_args']) await set(field, '');
  await set('PV_legacy_args', 'legacy');
  await set('PV_bootloader_args', '--entry=1');
  await root('VM.add_to_other_config', vm, 'debian-release', 'bookworm');
  await root('VM.add_to_other_config', vm, 'install-repository', 'http://mirror/debian');
  const boot = async () => (await xenops.vm.stat({ id })).spec.boot;
  const start = () => root('VM.start', vm, false, false);
  const saying = (words: string) => (e: unknown) => e instanceof Error && e.message === words;
  const loader = { kind: 'bootloader', bootloader: 'pygrub', args: '--entry=1', cmdline: 'legacy' };
  const installer = { installRepository: 'http://mirror/debian', installHints: { release: 'bookworm' } };
  // A VM without a disk has no kernel, unless there is an installer.
  await assert.rejects(start(), saying(`BOOTLOADER_FAILED ${vm} the VM has no disk to boot from`));
  assert.deepEqual(await boot(), { ...loader, ...installer });
  await set('PV_bootloader', 'lilo');
  await assert.rejects(start(), saying(`UNKNOWN_BOOTLOADER ${vm} lilo`));
  await set('PV_bootloader', 'eliloader');
  await set('PV_bootloader_args', '--frob');
  await assert.rejects(start(), /BOOTLOADER_FAILED.*--frob/);
  assert.equal(await root('VM.get_power_state', vm), 'Halted');
  await set('PV_bootloader_args', '');
  await start();
  assert.deepEqual(await boot(), { ...loader, ...installer, bootloader: 'eliloader', args: '' });
  assert.equal(await root('VM.get_PV_bootloader', vm), 'eliloader');
  await root('VM.hard_shutdown', vm);
});
