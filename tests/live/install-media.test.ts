/** "Other install media", as a person uses it: uploads an ISO, boots from it, then from the disk, on real QEMU. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { bootIso, bootSector } from './boot-media.ts';
import { bin, cannotRun, consoleSays, liveHost } from './host.ts';

const run = promisify(execFile);

test('a VM boots from an uploaded ISO, then from its disk', { skip: cannotRun() ?? false }, async () => {
  await using host = await liveHost();
  const env = { ...process.env, GUESTHOUSE_DATA: host.data };
  const xe = async (...args: string[]) => (await run(bin('xe'), args, { env })).stdout.trim();
  const [iso, disk] = [join(host.data, 'boot.iso'), join(host.data, 'disk.raw')];
  writeFileSync(iso, bootIso('CD-BOOTED'));
  writeFileSync(disk, bootSector('DISK-BOOTED'));
  const isoSr = await xe('sr-list', 'type=iso', '--minimal');
  const size = String(24 * 2048);
  const disc = await xe('vdi-create', `sr-uuid=${isoSr}`, 'name-label=boot.iso', `virtual-size=${size}`, 'type=user');
  await xe('vdi-import', `uuid=${disc}`, `filename=${iso}`);
  const vm = await xe('vm-install', 'template=Other install media', 'new-name-label=installed');
  const says = (word: string) => consoleSays(join(host.data, 'log', 'guests', `${vm}.console.log`), word);
  await xe('vm-cd-insert', `uuid=${vm}`, 'cd-name=boot.iso');
  await xe('vm-start', `uuid=${vm}`);
  await says('CD-BOOTED');
  // A second writer of the disk is refused while the guest has it.
  const vdi = await xe('vbd-list', `vm-uuid=${vm}`, 'type=Disk', 'params=vdi-uuid', '--minimal');
  await assert.rejects(xe('vdi-import', `uuid=${vdi}`, `filename=${disk}`), /VDI_IN_USE/);
  await xe('vm-cd-eject', `uuid=${vm}`);
  await xe('vm-cd-insert', `uuid=${vm}`, 'cd-name=boot.iso');
  await xe('vm-cd-eject', `uuid=${vm}`);
  await xe('vm-shutdown', `uuid=${vm}`, '--force');
  await xe('vdi-import', `uuid=${vdi}`, `filename=${disk}`);
  await xe('vm-start', `uuid=${vm}`);
  await says('DISK-BOOTED');
  await xe('vm-uninstall', `uuid=${vm}`, '--force');
});
