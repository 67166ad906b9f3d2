/** Virtual machines with UEFI boot real media, a CD and then a disk, through OVMF; discs are changed in a drive that was plugged late. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { cannotMake, efiDisk, efiIso } from './efi-media.ts';
import { bin, cannotRun, consoleSays, liveHost } from './host.ts';
import { qemuBench } from './qemu-bench.ts';

const run = promisify(execFile);
const mib = 1 << 20;
const guest = join(import.meta.dirname, '../../build/guest');

test('a VM boots Tiny Linux from a CD, then from its disk', {
  skip: cannotRun() ?? cannotMake() ?? false,
  timeout: 400_000,
}, async () => {
  await using host = await liveHost();
  const env = { ...process.env, GUESTHOUSE_DATA: host.data };
  const xe = async (...args: string[]) => (await run(bin('xe'), args, { env })).stdout.trim();
  const [iso, disk] = [efiIso(host.data), efiDisk(host.data)];
  const isoSr = await xe('sr-list', 'type=iso', '--minimal');
  const disc = await xe(
    'vdi-create',
    `sr-uuid=${isoSr}`,
    'name-label=efi.iso',
    `virtual-size=${statSync(iso).size}`,
    'type=user',
  );
  await xe('vdi-import', `uuid=${disc}`, `filename=${iso}`);
  const vm = await xe('vm-install', 'template=Other install media', 'new-name-label=uefi');
  await xe('vm-param-set', `uuid=${vm}`, 'HVM-boot-params:firmware=uefi');
  const log = join(host.data, 'log', 'guests', `${vm}.console.log`);
  await xe('vm-cd-insert', `uuid=${vm}`, 'cd-name=efi.iso');
  await xe('vm-start', `uuid=${vm}`);
  await consoleSays(log, 'READY');
  await xe('vm-shutdown', `uuid=${vm}`, '--force');
  await xe('vm-cd-eject', `uuid=${vm}`);
  const vdi = await xe('vbd-list', `vm-uuid=${vm}`, 'type=Disk', 'params=vdi-uuid', '--minimal');
  await xe('vdi-import', `uuid=${vdi}`, `filename=${disk}`);
  await xe('vm-start', `uuid=${vm}`);
  await consoleSays(log, 'READY');
  await xe('vm-uninstall', `uuid=${vm}`, '--force');
});

test('a disc is changed in a CD drive that was plugged into a running guest', {
  skip: cannotRun() ?? false,
  timeout: 180_000,
}, async () => {
  const b = await qemuBench();
  try {
    const { kernel, ramdisk, cmdline } = JSON.parse(readFileSync(join(guest, 'manifest.json'), 'utf8')) as Record<
      string,
      string
    >;
    b.with({
      boot: {
        kind: 'kernel',
        kernel: join(guest, kernel ?? ''),
        ramdisk: join(guest, ramdisk ?? ''),
        cmdline: cmdline ?? '',
      },
      memory: { staticMax: 192 * mib, dynamicMax: 192 * mib, dynamicMin: 96 * mib },
    });
    const { backend } = b;
    const spec = b.spec(1);
    await backend.open();
    await backend.vm.create(spec, 1);
    await backend.vm.build(spec);
    await backend.vm.unpause(spec.id);
    await b.ready(spec.id);
    /** Until the guest's answer is as wished; the test's time limit bounds it. */
    const sees = async (command: string, wished: string) => {
      for (let answer = ''; answer !== wished; ) {
        const mark = randomUUID().slice(0, 8);
        await b.type(spec.id, `echo '<'${mark}; ${command}; echo ${mark}'>'\n`);
        await b.says(spec.id, `${mark}>`);
        const said = await b.consoleOf(spec.id);
        answer = said.slice(said.lastIndexOf(`<${mark}`) + mark.length + 1, said.lastIndexOf(`${mark}>`)).trim();
      }
    };
    const bytes = 'dd if=/dev/sr0 bs=2048 2>/dev/null | wc -c';
    const cd = await b.cd(1, 3);
    await backend.vbd.attach(spec.id, { ...cd, disk: null });
    await sees('ls /sys/block', 'sr0');
    await sees(bytes, '0');
    await backend.vbd.change(spec.id, cd.spec.id, cd.disk);
    await sees(bytes, String(mib));
    await backend.vbd.change(spec.id, cd.spec.id, null);
    await sees(bytes, '0');
    const other = await b.disc();
    await backend.vbd.change(spec.id, cd.spec.id, other);
    await sees(bytes, String(2 * mib));
    assert.equal((await backend.vm.observe(spec.id))?.discs?.[cd.spec.id], true);
    await backend.vbd.detach(spec.id, cd.spec.id, false);
    await sees('ls /sys/block', '');
    // Plugged with a disc in it, and taken away with another.
    await backend.vbd.attach(spec.id, cd);
    await sees(bytes, String(mib));
    await backend.vbd.change(spec.id, cd.spec.id, other);
    await sees(bytes, String(2 * mib));
    await backend.vbd.detach(spec.id, cd.spec.id, false);
    await sees('ls /sys/block', '');
  } finally {
    await b.dispose();
  }
});
