/** QEMU's guest agent, Debian's own, in a Linux guest: what it says, filesystems that stand still, ends that it brings about. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import { jsonDriver } from '../scenario/drivers.ts';
import { testHouse } from '../scenario/house.ts';
import { agentGuest, cannotHaveAgent, startAgent } from './agent-guest.ts';
import { domainOf, eventually, inGuest } from './guest-shell.ts';
import { consoleSays } from './host.ts';
import { qemuBench } from './qemu-bench.ts';

const options = { skip: cannotHaveAgent() ?? false, timeout: 300_000 };
const mib = 1 << 20;
const quiet = {};

test('filesystems stand still until they are let go, also by the next toolstack', options, async () => {
  const b = await qemuBench();
  try {
    const memory = { staticMax: 256 * mib, dynamicMax: 256 * mib, dynamicMin: 128 * mib };
    b.with({ boot: { kind: 'kernel', ...agentGuest(join(b.folder, 'ramdisk')) }, memory });
    const spec = b.spec(1);
    const [vm, { backend }, folder] = [spec.id, b, join(b.folder, 'qemu', spec.id)];
    await backend.open();
    await backend.vm.create(spec, 1);
    const disk = await b.disk(1, 0);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', disk.disk?.path ?? '']);
    await backend.vbd.attach(vm, disk);
    await backend.vm.build(spec);
    await backend.vm.unpause(vm);
    await b.ready(vm);
    await assert.rejects(
      async () => backend.guest?.freeze?.(vm, quiet),
      (e) => isKind(e, 'Failed_to_freeze'),
    );
    assert.equal(await inGuest(folder, 'mount -t ext4 /dev/vda /mnt && echo mounted'), 'mounted');
    await inGuest(folder, startAgent);
    await eventually('a report', async () => (await backend.vm.observe(vm))?.guest?.can.includes('freeze') ?? false);
    const report = (await backend.vm.observe(vm))?.guest;
    assert.deepEqual([report?.agent, report?.hostName], ['qemu', 'tiny']);
    const root = report?.disks.find((d) => d.mount === '/mnt');
    assert.deepEqual([root?.device, root?.type], ['vda', 'ext4']);
    assert.ok((root?.total ?? 0) > mib);

    // What the guest writes while it is frozen arrives when it is let go.
    const write = (what: string) =>
      inGuest(folder, `(echo ${what} > /mnt/${what}; sync; echo 'wrote'-${what}) & sleep 1; ls /mnt`);
    const said = async () => b.consoleOf(vm);
    await backend.guest?.freeze?.(vm, quiet);
    await backend.guest?.freeze?.(vm, quiet);
    assert.ok(!(await write('one')).includes('one'));
    assert.doesNotMatch(await said(), /^wrote-one/m);
    await backend.guest?.thaw?.(vm);
    await eventually('the write', async () => /wrote-one\r/.test(await said()));
    await backend.guest?.thaw?.(vm);

    await backend.guest?.freeze?.(vm, quiet);
    await write('two');
    const next = await b.again();
    await next.open();
    await eventually('the second write', async () => /wrote-two\r/.test(await said()));
    await eventually('a report again', async () => (await next.vm.observe(vm))?.guest !== undefined);

    const ended = new Promise<string>((resolve) => next.watch((e) => e.event === 'ended' && resolve(e.end.reason)));
    await next.vm.requestShutdown(vm, 'reboot');
    assert.equal(await ended, 'reboot');
    await next.vm.destroy(vm);
  } finally {
    await b.dispose();
  }
});

test(
  'what the agent says is in VM_guest_metrics; a guest that ignores its power button is shut down by it',
  options,
  async () => {
    const folder = execFileSync('mktemp', ['-d', '/tmp/gha-XXXXXX'], { encoding: 'utf8' }).trim();
    execFileSync('chmod', ['755', folder]);
    try {
      await using h = await testHouse({ hypervisor: 'qemu', guest: agentGuest(join(folder, 'ramdisk')) });
      const { db, root } = h.house;
      const d = await jsonDriver(h);
      const uuid = await d.install('Tiny Linux', 'tells');
      await d.addNetwork(uuid);
      await root('VM.set_VCPUs_max', db.byUuid('VM', uuid), 2);
      await root('VM.set_VCPUs_at_startup', db.byUuid('VM', uuid), 2);
      await d.power(uuid, 'start');
      const at = domainOf(h.data, uuid);
      await consoleSays(join(at, 'console.log'), 'READY');
      await inGuest(at, `killall acpid; ${startAgent}`);
      const vm = db.byUuid('VM', uuid);
      const metrics = () => db.find('VM_guest_metrics', db.get('VM', vm).guest_metrics);
      await eventually(
        'a report with an address',
        () => metrics()?.networks['0/ip'] !== undefined && metrics()?.PV_drivers_detected === true,
      );
      await eventually('its memory', () => metrics()?.memory['total'] !== undefined);
      const seen = metrics();
      assert.equal(seen?.os_version['uname'], await inGuest(at, 'uname -r'));
      assert.equal(
        seen?.networks['0/ip'],
        await inGuest(at, "ip -4 -o addr show dev eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/'"),
      );
      assert.equal(seen?.other['feature-freeze'], '1');
      const [total, free] = [Number(seen?.memory['total']), Number(seen?.memory['free'])];
      assert.ok(free > 0 && free < total && total <= db.get('VM', vm).memory_static_max, `${free} of ${total}`);
      // Memory that its balloon takes from it, and processors that it lets go of and takes back.
      await root('VM.set_memory_dynamic_range', vm, 128 * mib, 192 * mib);
      const inUse = () => inGuest(at, 'cat /sys/devices/system/cpu/online');
      await eventually(
        'the balloon',
        () => Math.abs(db.get('VM_metrics', db.get('VM', vm).metrics).memory_actual - 192 * mib) < 8 * mib,
      );
      for (const [count, seen] of [
        [1, '0'],
        [2, '0-1'],
      ] as const) {
        await root('VM.set_VCPUs_number_live', vm, count);
        assert.equal(await inUse(), seen);
        await d.power(uuid, 'suspend');
        await d.power(uuid, 'resume');
        assert.equal(await inUse(), seen);
        await eventually('the agent again', () => metrics()?.other['feature-vcpus'] === '1');
        assert.equal(db.get('VM_metrics', db.get('VM', vm).metrics).VCPUs_number, count);
      }
      // A clock that the guest has set stays so.
      const clock = 'cat /sys/class/rtc/rtc0/since_epoch';
      await inGuest(at, "date -s '2031-05-04 03:02:01' > /dev/null; hwclock -w -u");
      await eventually('its clock', () => Number(db.get('VM', vm).platform['timeoffset'] ?? 0) > 0);
      const ahead = Number(db.get('VM', vm).platform['timeoffset']);
      assert.ok(Math.abs(Number(await inGuest(at, clock)) - ahead - Date.now() / 1000) < 60, `${ahead}`);
      await d.power(uuid, 'clean_shutdown');
      assert.equal(await d.state(uuid), 'halted');
      assert.equal(metrics(), undefined);
      await d.power(uuid, 'start');
      await consoleSays(join(at, 'console.log'), 'READY');
      assert.match(await inGuest(at, 'date -u +%Y'), /^2031$/);
      await d.power(uuid, 'hard_shutdown');
      await d.uninstall(uuid);
    } finally {
      execFileSync('rm', ['-rf', folder]);
    }
  },
);
