/** Guests on real QEMUs outlive whoever drives them, and their ends are told truthfully. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import type { BackendEvent, VbdAttachment } from '../../src/xenops/backend.ts';
import { type QemuBench, qemuBench } from './qemu-bench.ts';

const boot = (b: QemuBench): Promise<string> => bootWith(b);
async function bootWith(b: QemuBench, ...drives: VbdAttachment[]): Promise<string> {
  const spec = b.spec(1);
  await b.backend.vm.create(spec, 1);
  for (const drive of drives) await b.backend.vbd.attach(spec.id, drive);
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  await b.ready(spec.id);
  return spec.id;
}
/** A drive whose tables QEMU would want to write out. */
async function qcow2(b: QemuBench): Promise<VbdAttachment> {
  const { spec } = await b.disk(1, 0);
  const path = join(b.folder, 'disk.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '4M']);
  await chmod(path, 0o666);
  return { spec, disk: { path, format: 'qcow2', readOnly: false } };
}
/** The next end that the present backend tells of. */
const nextEnd = (b: QemuBench) =>
  new Promise<BackendEvent & { event: 'ended' }>((resolve) => {
    const stop = b.backend.watch((event) => {
      if (event.event !== 'ended') return;
      stop();
      resolve(event);
    });
  });
const live = (name: string, body: (b: QemuBench) => Promise<void>, options = {}) =>
  test(name, async () => {
    const b = await qemuBench(options);
    try {
      await b.backend.open();
      await body(b);
    } finally {
      await b.dispose();
    }
    assert.deepEqual(b.leftovers(), []);
  });

live(
  'a QEMU that is stopped counts as hung, and can be destroyed',
  async (b) => {
    const vm = await boot(b);
    const end = nextEnd(b);
    process.kill(await b.pidOf(vm), 'SIGSTOP');
    assert.equal((await end).end.reason, 'hung');
    await b.backend.vm.destroy(vm);
    assert.deepEqual(b.leftovers(), []);
  },
  { patience: { heartbeatMs: 50, silenceMs: 400 } },
);

live(
  'a QEMU that is silent fails a request to its guest soon, and is then ended without being asked',
  async (b) => {
    const vm = await bootWith(b, await qcow2(b));
    process.kill(await b.pidOf(vm), 'SIGSTOP');
    const silent = (e: unknown) => isKind(e, 'Failed_to_acknowledge_shutdown_request');
    await assert.rejects(b.backend.vm.requestShutdown(vm, 'poweroff'), silent);
    // Asked with TERM it would take longer than this test may.
    await b.backend.vm.destroy(vm);
    assert.deepEqual(b.leftovers(), []);
  },
  { patience: { askMs: 300, quitMs: 3_600_000, heartbeatMs: 3_600_000 } },
);

for (const [key, reason] of [
  ['p', 'poweroff'],
  ['r', 'reboot'],
  ['c', 'crash'],
] as const)
  live(`a guest that ended while nobody looked is found with its reason: ${reason}`, async (b) => {
    const vm = await boot(b);
    const told = nextEnd(b);
    await b.type(vm, key);
    await told;
    const file = join(b.folder, 'qemu', vm, 'domain.json');
    let noted: { end?: { reason: string } } = {};
    while (!noted.end) noted = JSON.parse(await readFile(file, 'utf8'));
    assert.equal(noted.end.reason, reason);
    await b.backend.close();
    // What was noted of it is lost, as when the toolstack was killed before: QEMU itself must know.
    const { end: _, ...record } = noted;
    await writeFile(file, JSON.stringify(record));
    const again = await b.again();
    await again.open();
    assert.equal((await again.vm.observe(vm))?.end?.reason, reason);
    await again.vm.destroy(vm);
  });

live('an adopted guest keeps its process, console and end', async (b) => {
  const vm = await boot(b);
  const pid = await b.pidOf(vm);
  const next = await b.again();
  await next.open();
  assert.equal((await next.vm.observe(vm))?.power, 'running');
  assert.equal(await b.pidOf(vm), pid);
  await b.type(vm, 'xyz');
  await b.says(vm, 'xyz');
  const end = nextEnd(b);
  process.kill(pid, 'SIGKILL');
  assert.equal((await end).end.reason, 'killed');
});

live('a process of ours without a folder is ended at start', async (b) => {
  const vm = await boot(b);
  await b.backend.close();
  await writeFile(join(b.folder, 'qemu', vm, 'domain.json'), '{"half": ');
  const next = await b.again();
  await next.open();
  assert.deepEqual(await next.observeAll(), []);
  assert.deepEqual(b.leftovers(), []);
});

live('a QEMU that cannot start says why, and leaves nothing', async (b) => {
  const spec = b.spec(1);
  await b.backend.vm.create(spec, 1);
  const disk = await b.disk(1, 0);
  await b.backend.vbd.attach(spec.id, { ...disk, disk: { ...disk.disk!, format: 'qcow2' } });
  await assert.rejects(
    b.backend.vm.build(spec),
    (e) => isKind(e, 'Failed_to_start_emulator') && /qcow2/.test(String(e)),
  );
  assert.deepEqual(b.leftovers(), []);
  assert.equal((await b.backend.vm.observe(spec.id))?.power, 'paused');
  await b.backend.vbd.detach(spec.id, disk.spec.id, true);
  await b.backend.vm.build(spec);
  await b.backend.vm.destroy(spec.id);
});

live('guests have users of their own', async (b) => {
  const vm = await boot(b);
  const owner = b.backend.owner(vm);
  if (process.getuid?.() !== 0) return;
  const status = await readFile(`/proc/${await b.pidOf(vm)}/status`, 'utf8');
  assert.match(status, new RegExp(`^Uid:\t${owner?.uid}\t${owner?.uid}\t`, 'm'));
  assert.match(status, /^Seccomp:\t2$/m);
  const run = await lstat(join(b.folder, 'qemu', vm, 'run'));
  assert.deepEqual([run.uid, run.mode & 0o777], [owner?.uid, 0o700]);
  assert.equal((await lstat(join(b.folder, 'qemu', vm, 'domain.json'))).uid, 0);
});

live(
  'a drive is taken away by force from a guest that does not react',
  async (b) => {
    const spec = b.spec(1);
    const disk = await b.disk(1, 0);
    await b.backend.vm.create(spec, 1);
    await b.backend.vbd.attach(spec.id, disk);
    await b.backend.vm.build(spec);
    // It has not run yet, so nobody answers.
    await assert.rejects(b.backend.vbd.detach(spec.id, disk.spec.id, false), (e) =>
      isKind(e, 'Device_detach_rejected'),
    );
    await b.backend.vbd.detach(spec.id, disk.spec.id, true);
    assert.deepEqual((await b.backend.vm.observe(spec.id))?.vbds, []);
    await b.backend.vbd.attach(spec.id, disk); // nobody holds it any more
    assert.deepEqual((await b.backend.vm.observe(spec.id))?.vbds, [disk.spec.id]);
    await b.backend.vm.unpause(spec.id);
    await b.ready(spec.id);
  },
  { patience: { unplugMs: 200, forcedUnplugMs: 200 } },
);

live('a save that is cancelled leaves the guest running and no image', async (b) => {
  const vm = await boot(b);
  const image = await b.image();
  const signal = AbortSignal.abort(new Error('no more'));
  await assert.rejects(b.backend.vm.save(vm, image, { signal }), (e) => isKind(e, 'Cancelled'));
  assert.equal((await b.backend.vm.observe(vm))?.power, 'running');
  await b.backend.vm.save(vm, image, {});
  assert.equal((await b.backend.vm.observe(vm))?.power, 'paused');
});

live(
  'acceleration is decided by running a kernel, and remembered',
  async (b) => {
    const { accelerator } = await b.backend.host();
    assert.ok(accelerator === 'kvm' || accelerator === 'tcg');
    const kept = JSON.parse(await readFile(join(b.folder, 'qemu', 'ground.json'), 'utf8'));
    assert.equal(kept.findings.accelerator, accelerator);
    const next = await b.again();
    await next.open();
    assert.equal((await next.host()).accelerator, accelerator);
    await boot(b);
  },
  { acceleration: 'auto' },
);

for (const boot of [
  { kind: 'bios', order: 'c' },
  { kind: 'uefi', order: 'c', secureBoot: false },
  { kind: 'uefi', order: 'c', secureBoot: true },
] as const)
  live(`firmware comes up: ${JSON.stringify(boot)}`, async (b) => {
    b.with({ boot, domainType: 'hvm', memory: { staticMax: 1 << 28, dynamicMax: 1 << 28, dynamicMin: 1 << 28 } });
    const spec = b.spec(1);
    await b.backend.vm.create(spec, 1);
    await b.backend.vbd.attach(spec.id, await b.disk(1, 0));
    await b.backend.vbd.attach(spec.id, await b.cd(1, 3));
    await b.backend.vif.attach(spec.id, await b.vif(1, 0));
    await b.backend.vm.build(spec);
    await b.backend.vm.unpause(spec.id);
    assert.equal((await b.backend.vm.observe(spec.id))?.power, 'running');
    if (boot.kind === 'uefi') await b.says(spec.id, 'BdsDxe');
  });
