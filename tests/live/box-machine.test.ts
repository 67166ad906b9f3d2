/** An HVM guest without paravirtual devices, on real Xen in a box: its emulated network card, CD, disk, serial line and power button. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { cannotBox, halted, inGuest, type LiveBox, liveBox, ready } from './box-host.ts';
import { run } from './clients/program.ts';
import { guest, guestCd, menuEntry } from './guest-disk.ts';
import { bin } from './host.ts';

const skip =
  cannotBox() ||
  (process.env['XEN_INSIDE'] !== 'all' && 'too long for every run: XEN_INSIDE=all npm run test:xen runs it');
const mib = 1 << 20;

async function xe(b: LiveBox, ...args: string[]): Promise<string> {
  const { code, out, err } = await run(bin('xe'), args, { env: { GUESTHOUSE_DATA: b.data } });
  assert.equal(code, 0, `xe ${args.join(' ')}: ${err}`);
  return out.toString().trim();
}
/** A CD with GRUB and Tiny Linux, in the box's repository of CD images. */
async function tinyCd(b: LiveBox): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'gh-cd-'));
  try {
    const { cmdline } = JSON.parse(readFileSync(join(guest, 'manifest.json'), 'utf8')) as { cmdline: string };
    const file = guestCd(folder, `set timeout=0\n${menuEntry('machine', cmdline)}`);
    const sr = await xe(b, 'sr-list', 'type=iso', '--minimal');
    const pbd = await b.call('PBD.get_by_uuid', await xe(b, 'pbd-list', `sr-uuid=${sr}`, '--minimal'));
    const { location } = (await b.call('PBD.get_device_config', pbd)) as Record<string, string>;
    const put = await b.exec(['sh', '-c', `cat > ${location}/machine.iso`], readFileSync(file));
    assert.equal(put.code, 0, put.err);
    await xe(b, 'sr-scan', `uuid=${sr}`);
    return await xe(b, 'vdi-list', `sr-uuid=${sr}`, 'name-label=machine.iso', '--minimal');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
/** The address that the guest's interface was given. */
async function address(b: LiveBox, vm: string): Promise<string | undefined> {
  const metrics = await b.call('VM.get_guest_metrics', vm);
  if (metrics === 'OpaqueRef:NULL') return undefined;
  return ((await b.call('VM_guest_metrics.get_networks', metrics)) as Record<string, string>)['0/ip'];
}

test('an HVM guest asks its network, then boots from its CD, writes on its disk, and obeys its power button', {
  skip,
  timeout: 1_200_000,
}, async () => {
  await using b = await liveBox();
  const uuid = await xe(b, 'vm-install', 'template=Other install media', 'new-name-label=machine');
  const vm = await b.call('VM.get_by_uuid', uuid);
  await b.call('VM.set_memory', vm, 256 * mib);
  // Xen hands every character of a text screen to the device model one by one.
  await b.call('VM.remove_from_platform', vm, 'vga');
  await b.call('VM.add_to_platform', vm, 'vga', 'none');
  await b.call('VM.set_HVM_boot_params', vm, { order: 'nd', firmware: 'bios' });
  const cd = await tinyCd(b);
  const sr = await xe(b, 'sr-list', 'type=file', '--minimal');
  const data = await xe(b, 'vdi-create', `sr-uuid=${sr}`, 'name-label=data', `virtual-size=${16 * mib}`, 'type=user');
  await xe(b, 'vbd-create', `vm-uuid=${uuid}`, `vdi-uuid=${data}`, 'device=1');
  await xe(
    b,
    'vbd-insert',
    `uuid=${await xe(b, 'vbd-list', `vm-uuid=${uuid}`, 'type=CD', '--minimal')}`,
    `vdi-uuid=${cd}`,
  );
  const network = await xe(b, 'network-list', 'name-label=Guest network', '--minimal');
  await xe(b, 'vif-create', `vm-uuid=${uuid}`, `network-uuid=${network}`, 'device=0');
  await b.call('VM.start', vm, false, false);
  // Tiny Linux has no driver for the card: it is the machine's own program that asks.
  for (let token = ''; !(await address(b, String(vm))); )
    ({ token } = (await b.call('event.from', ['VM_guest_metrics', 'VM'], token, 30)) as { token: string });
  assert.match((await address(b, String(vm))) ?? '', /^\d+\.\d+\.\d+\.\d+$/);
  await ready(b, uuid, 900_000);
  const metrics = await b.call('VM.get_metrics', vm);
  assert.equal(await b.call('VM_metrics.get_current_domain_type', metrics), 'hvm');
  for (const command of [
    '[ -b /dev/sr0 ] && [ ! -e /dev/xvda ] && [ "$(cat /sys/block/sdb/size)" = 32768 ]',
    'echo written by the guest | dd of=/dev/sdb bs=512 seek=32767 conv=sync,fsync',
    'echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/sdb bs=512 skip=32767 | grep "written by the guest"',
  ]) {
    const { code, said } = await inGuest(b, uuid, command);
    assert.equal(code, 0, said);
  }
  await b.call('VM.clean_shutdown', vm);
  await halted(b, String(vm));
});
