/** A PV guest with its own kernel on its disk, on real Xen in a box: what PV guests were booted by for years. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { cannotBox, inGuest, liveBox, ready } from './box-host.ts';
import { run } from './clients/program.ts';
import { diskBytes, guest, guestDisk, menuEntry } from './guest-disk.ts';
import { bin } from './host.ts';

const skip = cannotBox();

test('a PV guest boots the kernel on its disk, by the entry of its menu', { skip, timeout: 900_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-disk-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await using b = await liveBox();
  const xe = async (...args: string[]) => {
    const { code, out, err } = await run(bin('xe'), args, { env: { GUESTHOUSE_DATA: b.data } });
    assert.equal(code, 0, `xe ${args.join(' ')}: ${err}`);
    return out.toString().trim();
  };
  const { cmdline } = JSON.parse(readFileSync(join(guest, 'manifest.json'), 'utf8')) as { cmdline: string };
  const disk = guestDisk(folder, `set default=1\n${menuEntry('first', cmdline)}${menuEntry('second', cmdline)}`);
  const vm = await xe('vm-install', 'template=Tiny Linux', 'new-name-label=own-kernel');
  for (const field of ['PV-kernel=', 'PV-ramdisk=', 'PV-args=added=yes', 'PV-bootloader=pygrub', 'domain-type=pv'])
    await xe('vm-param-set', `uuid=${vm}`, field);
  const sr = await xe('sr-list', 'type=file', '--minimal');
  const vdi = await xe('vdi-create', `sr-uuid=${sr}`, 'name-label=own', `virtual-size=${diskBytes}`, 'type=system');
  await xe('vbd-create', `vm-uuid=${vm}`, `vdi-uuid=${vdi}`, 'device=0', 'bootable=true');
  await xe('vdi-import', `uuid=${vdi}`, `filename=${disk}`);
  await xe('vm-start', `uuid=${vm}`);
  await ready(b, vm);
  const metrics = await b.call('VM.get_metrics', await b.call('VM.get_by_uuid', vm));
  assert.equal(await b.call('VM_metrics.get_current_domain_type', metrics), 'pv');
  const { code, said } = await inGuest(b, vm, "grep 'entry=second added=yes' /proc/cmdline");
  assert.equal(code, 0, said);
  await xe('vm-shutdown', `uuid=${vm}`);
  assert.equal((await b.exec(['ls', '/var/lib/guesthouse/boot'])).out.toString(), '', 'no kernel stays');
});
