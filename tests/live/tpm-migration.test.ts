/** What a UEFI machine remembers moves with its guest from one host's QEMU into another's; on the same host a TPM is refused. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { VbdAttachment } from '../../src/xenops/backend.ts';
import { cannotMake, efiDisk } from './efi-media.ts';
import { inGuest } from './guest-shell.ts';
import { cannotRun } from './host.ts';
import { type QemuBench, qemuBench } from './qemu-bench.ts';

const mib = 1 << 20;
const noTpm = existsSync('/usr/bin/swtpm') ? undefined : 'swtpm is not installed: the package swtpm has it';
const copyId = 'c0000000-0000-4000-8000-000000000001';
const folderOf = (b: QemuBench, vm: string) => join(b.folder, 'qemu', vm);
const variables = (b: QemuBench, vm: string) => readFileSync(join(b.folder, 'qemu', 'nvram', `${vm}.fd`));
const quiet = {};

test('a guest takes its TPM and the variables of its firmware along', {
  skip: cannotRun() ?? cannotMake() ?? noTpm ?? false,
  timeout: 400_000,
}, async () => {
  const [here, there] = [await qemuBench(), await qemuBench()];
  try {
    const path = efiDisk(here.folder);
    chmodSync(path, 0o666);
    const drive: VbdAttachment = {
      spec: { id: 'disk', position: 0, type: 'Disk', mode: 'RW', media: null },
      disk: { path, format: 'raw', readOnly: false },
    };
    here.with({
      domainType: 'hvm',
      boot: { kind: 'uefi', order: 'c', secureBoot: false },
      memory: { staticMax: 256 * mib, dynamicMax: 256 * mib, dynamicMin: 128 * mib },
      tpm: true,
    });
    const spec = here.spec(1);
    const vm = spec.id;
    const copy = { ...spec, id: copyId };
    for (const { backend } of [here, there]) await backend.open();
    await here.backend.vm.create(spec, 1);
    await here.backend.vbd.attach(vm, drive);
    await here.backend.vm.build(spec);
    await here.backend.vm.unpause(vm);
    await here.ready(vm);
    // The firmware has measured there what it ran: a TPM that begins anew has zeroes.
    const measured = 'cat /sys/class/tpm/tpm0/pcr-sha256/4';
    const before = await inGuest(folderOf(here, vm), measured);
    assert.match(before, /^[0-9A-F]{64}$/i);
    assert.notEqual(before, '0'.repeat(64));

    const about = (await here.backend.migration?.describe(vm)) ?? '';
    await here.backend.vm.create(copy, 2);
    await here.backend.vbd.attach(copyId, drive);
    await assert.rejects(async () => here.backend.migration?.listen(copyId, about), /moves to other hosts only/);
    await here.backend.vm.destroy(copyId);

    await there.backend.vm.create(copy, 1);
    await there.backend.vbd.attach(copyId, drive);
    const address = (await there.backend.migration?.listen(copyId, about)) ?? '';
    await Promise.all([
      there.backend.migration?.receive(copy, address, quiet),
      here.backend.migration?.send(vm, address, true, quiet),
    ]);
    const remembered = variables(here, vm);
    await here.backend.vm.destroy(vm);
    await there.backend.migration?.rename(copyId, vm);
    await there.backend.vm.unpause(vm);
    assert.equal(await inGuest(folderOf(there, vm), measured), before);
    assert.ok(variables(there, vm).equals(remembered), 'the variables came with the guest');

    // The next toolstack knows the TPM for the guest's.
    const next = await there.again();
    await next.open();
    assert.equal(await inGuest(folderOf(there, vm), measured), before);
    await next.vm.destroy(vm);
    assert.deepEqual(
      (await there.processes.process.list({})).filter((p) => p.running),
      [],
    );
  } finally {
    await here.dispose();
    await there.dispose();
  }
});
