/** A Linux guest finds the volume for cloud-init by its name and reads what was given, before and after a reboot of the VM. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { consoleLog, domainOf, inGuest } from './guest-shell.ts';
import { bin, cannotRun, consoleSays, liveHost } from './host.ts';

const run = promisify(execFile);

test('a guest reads its seed', { skip: cannotRun() ?? false, timeout: 300_000 }, async () => {
  await using host = await liveHost();
  const env = { ...process.env, GUESTHOUSE_DATA: host.data };
  const xe = async (...args: string[]) => (await run(bin('xe'), args, { env })).stdout.trim();
  const file = join(host.data, 'user-data');
  writeFileSync(file, '#cloud-config\nhostname: from-the-seed\n');
  const vm = await xe('vm-install', 'template=Tiny Linux', 'new-name-label=seeded', `user-data-file=${file}`);
  await xe('vm-start', `uuid=${vm}`);
  const folder = domainOf(host.data, vm);
  for (let boot = 1; boot <= 2; boot++) {
    await consoleSays(consoleLog(host.data, vm), 'READY');
    const label = await inGuest(folder, 'modprobe isofs; dd if=/dev/vda bs=1 skip=32808 count=6 2> /dev/null');
    assert.equal(label, 'cidata');
    await inGuest(folder, 'mount -t iso9660 -o ro /dev/vda /mnt');
    assert.equal(await inGuest(folder, 'ls /mnt'), 'meta-data  user-data');
    assert.equal(await inGuest(folder, 'cat /mnt/user-data'), '#cloud-config\nhostname: from-the-seed');
    assert.match(await inGuest(folder, 'cat /mnt/meta-data'), new RegExp(`^instance-id: "${vm}"$`, 'm'));
    if (boot === 1) await xe('vm-reboot', `uuid=${vm}`, '--force');
  }
});
