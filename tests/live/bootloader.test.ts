/** A guest that carries its own kernel, on real QEMU: its disk is read by the boot loader, as PV_bootloader says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findTool } from '../../src/network/tool.ts';
import { diskBytes, diskTools, guest, guestDisk, menuEntry } from './guest-disk.ts';
import { bin, cannotRun, consoleSays, liveHost } from './host.ts';

const run = promisify(execFile);
const missing = [...diskTools, 'grub-fstest'].filter((name) => !findTool(name));
const cannot = cannotRun() ?? (missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined);

/** A folder of a Debian installer on the web: its kernel is Tiny Linux's. */
async function installerServer() {
  const files: Readonly<Record<string, string>> = { '/d-i/xen/vmlinuz': 'bzImage', '/d-i/xen/initrd.gz': 'initramfs' };
  const server = createServer((req, res) => {
    const name = files[req.url ?? ''];
    res.writeHead(name === undefined ? 404 : 200);
    res.end(name === undefined || req.method === 'HEAD' ? undefined : readFileSync(join(guest, name)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/d-i`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('a VM boots the kernel on its disk to READY, and again after a change of its menu', {
  skip: cannot ?? false,
}, async () => {
  await using host = await liveHost();
  const env = { ...process.env, GUESTHOUSE_DATA: host.data };
  const xe = async (...args: string[]) => (await run(bin('xe'), args, { env })).stdout.trim();
  const { cmdline } = JSON.parse(readFileSync(join(guest, 'manifest.json'), 'utf8')) as { cmdline: string };
  const entry = (title: string) => menuEntry(title, cmdline);
  const disk = guestDisk(host.data, `set default=1\n${entry('first')}${entry('second')}`);

  const vm = await xe('vm-install', 'template=Tiny Linux', 'new-name-label=own-kernel');
  for (const field of ['PV-kernel=', 'PV-ramdisk=', 'PV-args=added=yes', 'PV-bootloader=pygrub', 'domain-type=pvh'])
    await xe('vm-param-set', `uuid=${vm}`, field);
  const sr = await xe('sr-list', 'type=file', '--minimal');
  const vdi = await xe('vdi-create', `sr-uuid=${sr}`, 'name-label=own', `virtual-size=${diskBytes}`, 'type=system');
  await xe('vbd-create', `vm-uuid=${vm}`, `vdi-uuid=${vdi}`, 'device=0', 'bootable=true');
  const start = () => xe('vm-start', `uuid=${vm}`);
  // Nothing is on the disk yet.
  await assert.rejects(start(), /BOOTLOADER_FAILED|no file system/);
  const log = join(host.data, 'log', 'guests', `${vm}.console.log`);
  const installer = await installerServer();
  try {
    await xe('vm-param-set', `uuid=${vm}`, 'PV-bootloader=eliloader', `PV-args=${cmdline}`);
    await xe('vm-param-set', `uuid=${vm}`, `other-config:install-repository=${installer.url}`);
    await start();
    await consoleSays(log, 'READY');
    await xe('vm-shutdown', `uuid=${vm}`, '--force');
  } finally {
    installer.close();
  }
  // The same boot loader starts what was installed meanwhile; the repository is not asked any more.
  await xe('vm-param-set', `uuid=${vm}`, 'PV-args=added=yes');
  await xe('vdi-import', `uuid=${vdi}`, `filename=${disk}`);
  await start();
  await consoleSays(log, 'READY');
  const domain = JSON.parse(readFileSync(join(host.data, 'domains', vm, 'domain.json'), 'utf8')) as {
    spec: { boot: { cmdline: string } };
  };
  assert.match(domain.spec.boot.cmdline, /entry=second added=yes$/);

  // It is saved and resumed with the kernel that it runs, then shut down: nothing of it is left.
  await xe('vm-suspend', `uuid=${vm}`);
  await xe('vm-resume', `uuid=${vm}`);
  await xe('vm-param-set', `uuid=${vm}`, 'PV-bootloader-args=--entry=first');
  await xe('vm-reboot', `uuid=${vm}`, '--force');
  await consoleSays(log, 'READY');
  const again = JSON.parse(readFileSync(join(host.data, 'domains', vm, 'domain.json'), 'utf8')) as typeof domain;
  assert.match(again.spec.boot.cmdline, /entry=first added=yes$/);
  await xe('vm-shutdown', `uuid=${vm}`, '--force');
  assert.deepEqual(readdirSync(join(host.data, 'boot')), []);

  await xe('vm-param-set', `uuid=${vm}`, 'PV-bootloader=lilo');
  await assert.rejects(start(), /UNKNOWN_BOOTLOADER|lilo/);
  assert.match(await xe('host-list', 'params=supported-bootloaders'), /pygrub/);
  await xe('vm-uninstall', `uuid=${vm}`, '--force');
});
