/** A Linux guest sees what is plugged, is saved and resumed with it, and obeys the power button on every machine. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import type { VmSpec } from '../../src/contracts/xenops.ts';
import { cannotRun } from './host.ts';
import { type QemuBench, qemuBench } from './qemu-bench.ts';

const mib = 1 << 20;
const folder = join(import.meta.dirname, '../../build/guest');

function tinyLinux(machine: string, changes: Partial<VmSpec> = {}): Partial<VmSpec> {
  const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, string>;
  return {
    boot: {
      kind: 'kernel',
      kernel: join(folder, m['kernel'] ?? ''),
      ramdisk: join(folder, m['ramdisk'] ?? ''),
      cmdline: `${m['cmdline'] ?? ''}${machine === 'microvm' ? clockRate() : ''}`,
    },
    platform: { machine },
    memory: { staticMax: 192 * mib, dynamicMax: 192 * mib, dynamicMin: 96 * mib },
    ...changes,
  };
}
/**
 * An emulated microvm has one clock only, the CPU's own, and nothing to measure it by but a timer that a busy host serves too
 * late: Linux then has no clock at all and hangs before its first word. So it is told.
 */
function clockRate(): string {
  const mhz = /^cpu MHz\s*: ([\d.]+)/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
  return mhz === undefined ? '' : ` tsc_early_khz=${Math.round(Number(mhz) * 1000)}`;
}
/** Runs a command in the guest's shell and answers what it printed. */
async function run(b: QemuBench, vm: string, command: string): Promise<string> {
  const mark = randomUUID().slice(0, 8);
  // The mark is put together by the shell, so that the echo of what is typed does not hold it.
  await b.type(vm, `echo '<'${mark}; ${command}; echo ${mark}'>'\n`);
  await b.says(vm, `${mark}>`);
  const said = await b.consoleOf(vm);
  return said.slice(said.lastIndexOf(`<${mark}`) + mark.length + 1, said.lastIndexOf(`${mark}>`)).trim();
}
/** Until the guest's answer is as wished; the test's own time limit bounds it. */
async function sees(b: QemuBench, vm: string, command: string, fits: (answer: string) => boolean): Promise<void> {
  while (!fits(await run(b, vm, command)));
}
async function poweredOff(b: QemuBench, vm: string): Promise<void> {
  const ended = new Promise<string>((resolve) =>
    b.backend.watch((e) => e.event === 'ended' && e.vm === vm && resolve(e.end.reason)),
  );
  await b.backend.vm.requestShutdown(vm, 'poweroff');
  assert.equal(await ended, 'poweroff');
  await b.backend.vm.destroy(vm);
}
const options = { skip: cannotRun() ?? false, timeout: 180_000 };

for (const machine of ['pc', 'q35'])
  test(`Linux on ${machine}: plugging, suspend, resume, power button`, options, async () => {
    const b = await qemuBench();
    try {
      b.with(tinyLinux(machine));
      const spec = b.spec(1);
      const vm = spec.id;
      const { backend } = b;
      await backend.open();
      await backend.vm.create(spec, 1);
      await backend.vm.build(spec);
      await backend.vm.unpause(vm);
      await b.ready(vm);
      await backend.vm.setVcpus(vm, 2);
      // Newer kernels take emulation for bare metal and have no room for a processor that comes later.
      const room = await run(b, vm, 'cat /sys/devices/system/cpu/possible');
      if (room !== '0') await sees(b, vm, 'cat /sys/devices/system/cpu/present', (s) => s === '0-1');
      if ((await backend.host()).accelerator === 'tcg')
        await assert.rejects(backend.vm.setVcpus(vm, 1), (e) => isKind(e, 'Unimplemented'));
      const disk = await b.disk(1, 0);
      const made = await b.vif(1, 0);
      const vif = { ...made, port: { kind: 'user' as const, forwards: [], hostname: 'plugged' } };
      await backend.vbd.attach(vm, disk);
      await backend.vif.attach(vm, vif);
      await sees(b, vm, 'cat /sys/block/vda/size', (s) => s === '8192');
      await sees(b, vm, 'cat /sys/class/net/e*/address', (s) => s === vif.spec.mac);
      await sees(b, vm, 'hostname', (s) => s === 'plugged');
      const cd = await b.cd(1, 3);
      await backend.vbd.attach(vm, cd);
      // The size is looked at when the drive is opened.
      const discSize = 'head -c 1 /dev/sr0 >/dev/null 2>&1; cat /sys/block/sr0/size';
      await sees(b, vm, discSize, (s) => s === '2048');
      await backend.vbd.change(vm, cd.spec.id, await b.disc());
      await sees(b, vm, discSize, (s) => s === '4096');
      await backend.vbd.change(vm, cd.spec.id, cd.disk);
      await sees(b, vm, discSize, (s) => s === '2048');
      await run(b, vm, 'echo 2b-or-not | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null; word=survived');
      await backend.vm.setMemoryTarget(vm, 128 * mib);
      await backend.vm.sendKeys(vm, 'trigger', 'nmi');

      const image = await b.image();
      await backend.vm.save(vm, image, {});
      await backend.vm.destroy(vm);
      await backend.vm.create(spec, 2);
      await backend.vif.attach(vm, vif);
      await backend.vbd.attach(vm, disk);
      await backend.vbd.attach(vm, cd);
      await backend.vm.restore(spec, image, {});
      await backend.vm.unpause(vm);
      const seen = await backend.vm.observe(vm);
      assert.deepEqual(
        [seen?.vcpus, seen?.memoryTarget, seen?.vbds, seen?.vifs],
        [2, 128 * mib, [disk.spec.id, cd.spec.id], [vif.spec.id]],
      );
      assert.equal(await run(b, vm, 'echo $word; head -c 9 /dev/vda'), 'survived\r\n2b-or-not');
      assert.equal(await run(b, vm, 'dd if=/dev/sr0 bs=2048 count=1 2>/dev/null | wc -c'), '2048');
      await backend.vbd.detach(vm, cd.spec.id, false);
      await backend.vbd.detach(vm, disk.spec.id, false);
      await backend.vif.detach(vm, vif.spec.id, false);
      assert.equal(await run(b, vm, 'ls /sys/block'), '');
      await poweredOff(b, vm);
    } finally {
      await b.dispose();
    }
  });

test(
  'a guest that is suspended before its firmware has read its kernel boots when it is resumed',
  options,
  async () => {
    const b = await qemuBench();
    try {
      b.with(tinyLinux('pc'));
      const { backend } = b;
      const spec = b.spec(1);
      await backend.open();
      await backend.vm.create(spec, 1);
      await backend.vm.build(spec);
      await backend.vm.unpause(spec.id);
      const image = await b.image();
      await backend.vm.save(spec.id, image, {});
      await backend.vm.destroy(spec.id);
      await backend.vm.create(spec, 2);
      await backend.vm.restore(spec, image, {});
      await backend.vm.unpause(spec.id);
      await b.ready(spec.id);
    } finally {
      await b.dispose();
    }
  },
);

test('Linux on microvm obeys the power button, and nothing can be plugged', options, async () => {
  const b = await qemuBench();
  try {
    b.with(tinyLinux('microvm'));
    const spec = b.spec(1);
    await b.backend.open();
    await b.backend.vm.create(spec, 1);
    await b.backend.vbd.attach(spec.id, await b.disk(1, 0));
    await b.backend.vm.build(spec);
    await b.backend.vm.unpause(spec.id);
    await b.ready(spec.id);
    const refused = (e: unknown) => isKind(e, 'Unimplemented');
    await assert.rejects(b.backend.vm.setVcpus(spec.id, 2), refused);
    await assert.rejects(b.backend.vbd.attach(spec.id, await b.disk(1, 1)), refused);
    await poweredOff(b, spec.id);
  } finally {
    await b.dispose();
  }
});
