/** VMs whose kernel is on their disk: it is taken before the domain is made, kept while it may be needed, and never left behind. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { type Bootloader, type BootRequest, bootloaderErrors } from '../contracts/bootloader.ts';
import { isKind } from '../contracts/contract.ts';
import { type VmSpec, xenopsErrors } from '../contracts/xenops.ts';
import { bootDrive, diskKernels, type Kernels, withKernel } from './kernels.ts';
import type { RunOptions } from './run.ts';
import { fakeNetwork } from './testing/fake-network.ts';
import { fakeStorage } from './testing/fake-storage.ts';
import { testDisk, testHouse, testSpec, vmId } from './testing/house.ts';

const id = vmId(1);
const image = { kind: 'vdi' as const, sr: 'sr', vdi: 'image' };
const boot = { kind: 'bootloader' as const, bootloader: 'pygrub', args: '', cmdline: 'quiet' };
const spec = testSpec(1, { domainType: 'pv', boot });

/** Kernels in memory; each taken one has another number. */
function fakeKernels() {
  const there = new Map<string, number>();
  let taken = 0;
  const kernels: Kernels & { there: typeof there; fail: Error | undefined } = {
    there,
    fail: undefined,
    async load(_, { id: vm }) {
      there.delete(vm);
      if (kernels.fail) throw kernels.fail;
      there.set(vm, ++taken);
    },
    async resolve(s) {
      const number = there.get(s.id);
      if (s.boot.kind !== 'bootloader') return s;
      assert.ok(number !== undefined, 'the kernel is gone');
      return withKernel(s, { kernel: `/k${number}`, ramdisk: null, cmdline: 'found', title: '' });
    },
    drop: async (vm) => void there.delete(vm),
    list: async () => [...there.keys()],
  };
  return kernels;
}
async function house(probe: { -readonly [K in 'before']?: RunOptions[K] } = {}) {
  const kernels = fakeKernels();
  const h = await testHouse({ kernels, probe });
  await h.xenops.vm.add(spec);
  const bootOf = () => h.world.domains.get(id)?.spec.boot;
  return { h, kernels, bootOf, start: () => h.during(h.xenops.vm.start({ id, paused: false })) };
}

test('the ground gets a kernel; the VM keeps its boot loader; a reboot takes the kernel anew', async () => {
  const { h, kernels, bootOf, start } = await house();
  await start();
  assert.deepEqual(bootOf(), { kind: 'kernel', kernel: '/k1', cmdline: 'found' });
  assert.deepEqual((await h.xenops.vm.stat({ id })).spec.boot, boot);
  assert.ok((await h.xenops.host.stat({})).capabilities.includes('bootloader'));
  await h.during(h.xenops.vm.reboot({ id, timeoutS: null }));
  assert.deepEqual(bootOf(), { kind: 'kernel', kernel: '/k2', cmdline: 'found' });
  h.backend.endGuest(id, { reason: 'reboot', detail: '' });
  await h.advance(60_000);
  assert.deepEqual(bootOf(), { kind: 'kernel', kernel: '/k3', cmdline: 'found' });
  await h.during(h.xenops.vm.shutdown({ id, timeoutS: null }));
  assert.deepEqual([[...kernels.there], h.held()], [[], []]);
});
test('a suspended VM is resumed with the kernel that it runs', async () => {
  const { h, kernels, bootOf, start } = await house();
  await start();
  await h.during(h.xenops.vm.suspend({ id, image }));
  await h.restart();
  assert.deepEqual([...kernels.there], [[id, 1]]);
  await h.during(h.xenops.vm.resume({ id, paused: false }));
  assert.deepEqual(bootOf(), { kind: 'kernel', kernel: '/k1', cmdline: 'found' });
  await h.during(h.xenops.vm.suspend({ id, image }));
  await h.during(h.xenops.vm.remove({ id }));
  assert.deepEqual([...kernels.there], []);
});
test('a boot loader that fails is told, and nothing is left', async () => {
  const { h, kernels, start } = await house();
  kernels.fail = xenopsErrors.make('Bootloader_error', { vm: id, reason: 'no menu' });
  await assert.rejects(start(), (e) => isKind(e, 'Bootloader_error'));
  assert.deepEqual([h.held(), (await h.xenops.host.stat({})).memoryCommitted], [[], 0]);
  kernels.fail = undefined;
  await start();
  // The guest reboots itself, and its disk does not boot any more.
  kernels.fail = xenopsErrors.make('Bootloader_error', { vm: id, reason: 'no menu' });
  await assert.rejects(h.during(h.xenops.vm.reboot({ id, timeoutS: null })), (e) => isKind(e, 'Bootloader_error'));
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  assert.deepEqual([[...kernels.there], h.held()], [[], []]);
});
test('each step of a start failed in turn, or the toolstack killed there: no kernel without its VM', async () => {
  for (const how of ['fail', 'kill'] as const) {
    for (let failing = 0; ; failing++) {
      const probe: { -readonly [K in 'before']?: RunOptions[K] } = {};
      const { h, kernels } = await house(probe);
      let n = 0;
      let stopped: Promise<void> | undefined;
      let failed = false;
      probe.before = () => {
        if (n++ !== failing) return;
        failed = true;
        if (how === 'fail') throw new Error('injected');
        stopped = h.restart();
      };
      h.xenops.vm.start({ id, paused: false }).catch(() => undefined);
      await h.advance(60_000);
      if (!failed) break;
      probe.before = undefined;
      if (stopped) await h.during(stopped);
      await h.advance(60_000);
      const { power } = (await h.xenops.vm.stat({ id })).state;
      assert.deepEqual([...kernels.there.keys()], power === 'Halted' ? [] : [id], `${how} at ${failing}: ${power}`);
      await h.during(h.xenops.vm.resetPower({ id }));
      assert.deepEqual([[...kernels.there], h.held()], [[], []]);
    }
  }
});
test('kernels of VMs that are not known are removed when the domain manager opens', async () => {
  const { h, kernels } = await house();
  kernels.there.set(vmId(7), 1);
  await h.restart();
  assert.deepEqual([...kernels.there], []);
});

test('what the boot loader is given, and what is kept of its answer', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'gh-kernels-'));
  try {
    const asked: BootRequest[] = [];
    let answer: Error | undefined;
    const bootloader: Bootloader = {
      kernel: {
        async extract(a) {
          asked.push(a);
          writeFileSync(join(a.folder, 'kernel'), 'k');
          if (answer) throw answer;
          return { kernel: join(a.folder, 'kernel'), ramdisk: null, cmdline: 'c', title: 't' };
        },
      },
      watch: () => () => undefined,
    };
    const storage = fakeStorage();
    const { backend } = await testHouse();
    const g = { backend, storage, network: fakeNetwork(), log: silentLog, clock: systemClock, nameOf: () => undefined };
    const kernels = diskKernels({ bootloader, dir });
    const cd = { id: 'cd', position: 3, type: 'CD' as const, mode: 'RO' as const, media: { ...image, vdi: 'iso' } };
    const vm: VmSpec = {
      ...spec,
      boot: { ...boot, installRepository: 'cdrom' },
      vbds: [cd, testDisk(1, 2), testDisk(1, 1)],
    };
    await kernels.load(g, vm, {});
    assert.deepEqual(asked[0], {
      ...{ loader: 'pygrub', args: '', cmdline: 'quiet', installRepository: 'cdrom' },
      disk: { path: '/fake/sr/vdi-1-1', format: 'raw' },
      disc: { path: '/fake/sr/iso', format: 'raw' },
      folder: join(dir, id),
    });
    assert.deepEqual([...storage.disks.open], [], 'a disk stays open');
    assert.deepEqual((await kernels.resolve(vm)).boot, {
      kind: 'kernel',
      kernel: join(dir, id, 'kernel'),
      cmdline: 'c',
    });
    assert.deepEqual(await kernels.list(), [id]);
    for (const [error, kind] of [
      [bootloaderErrors.make('Nothing_to_boot', { reason: 'x' }), 'Bootloader_error'],
      [bootloaderErrors.make('Unknown_bootloader', { loader: 'lilo', known: 'pygrub' }), 'Unknown_bootloader'],
      [bootloaderErrors.make('Cancelled'), 'Cancelled'],
    ] as const) {
      answer = error;
      await assert.rejects(kernels.load(g, vm, {}), (e) => isKind(e, kind));
      assert.deepEqual([readdirSync(dir), [...storage.disks.open]], [[], []]);
    }
    await assert.rejects(kernels.resolve(vm), (e) => isKind(e, 'Bootloader_error'));
    assert.equal(bootDrive({ ...vm, vbds: [testDisk(1, 1), { ...testDisk(1, 5), bootable: true }] })?.position, 5);
    assert.equal(bootDrive({ ...vm, vbds: [] }), undefined);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('to another host: without its kernel, which is in its memory; its reboot there takes it anew', async () => {
  const wires = new Map();
  const there = fakeKernels();
  const b = await testHouse({ host: 2, boot: 'b', wires, kernels: there });
  const kernels = fakeKernels();
  const a = await testHouse({ host: 1, boot: 'a', wires, kernels, connect: async () => b.xenops });
  await a.xenops.vm.add(spec);
  await a.during(a.xenops.vm.start({ id, paused: false }));
  await a.during(a.xenops.vm.migrate({ id, to: 'b', live: true }));
  assert.deepEqual([[...kernels.there], [...there.there]], [[], []]);
  assert.deepEqual((await b.xenops.vm.stat({ id })).spec.boot, boot);
  await b.during(b.xenops.vm.reboot({ id, timeoutS: null }));
  assert.deepEqual(b.world.domains.get(id)?.spec.boot, { kind: 'kernel', kernel: '/k1', cmdline: 'found' });
});
