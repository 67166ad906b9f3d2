/** Guests on real Xen with what the backend suite does not know of: disk images, networks, and what goes wrong. Runs in dom0. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { open, stat, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import type { VbdAttachment } from '../../src/xenops/backend.ts';
import { bootIso } from './boot-media.ts';
import { withoutXen, type XenBench } from './xen-bench.ts';
import { boot, drive, ground, run } from './xen-ground.ts';

const skip = withoutXen() ?? false;
const mib = 1 << 20;
const types = (process.env['XEN_GUESTS'] ?? 'pv,pvh').split(',') as ('pv' | 'pvh')[];

async function image(b: XenBench, name: string): Promise<VbdAttachment['disk']> {
  const path = join(b.folder, name);
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '16M']);
  return { path, format: 'qcow2', readOnly: false };
}

for (const type of types) {
  test(`xen ${type}: raw files and qcow2 images are read and written, from power-on and hot-plugged`, {
    skip,
  }, async (t) => {
    const b = await ground(t, type);
    const raw = await b.file('raw', 4 * mib);
    await writeFile(raw.path, 'on the raw disk\n');
    await truncate(raw.path, 4 * mib);
    const qcow2 = await image(b, 'image.qcow2');
    const vm = await boot(b, (id) => b.backend.vbd.attach(id, drive(0, raw)));
    await run(b, vm, 'head -c 15 /dev/xvda | grep -q "on the raw disk"', 'FIRST-READ');
    await b.backend.vbd.attach(vm, drive(1, qcow2));
    await run(b, vm, 'until [ -b /dev/xvdb ]; do sleep 0.1; done', 'PLUGGED');
    await run(b, vm, 'echo into the image | dd of=/dev/xvdb bs=512 count=1 conv=sync,fsync 2>/dev/null', 'WRITTEN');
    await run(b, vm, 'echo back | dd of=/dev/xvda bs=512 count=1 conv=sync,fsync 2>/dev/null', 'BACK');
    assert.deepEqual((await b.backend.vm.observe(vm))?.vbds, ['d0', 'd1']);
    await b.backend.vbd.detach(vm, 'd1', false);
    await run(b, vm, 'until [ ! -b /dev/xvdb ]; do sleep 0.1; done', 'UNPLUGGED');
    await b.backend.vm.destroy(vm);
    const content = join(b.folder, 'content');
    execFileSync('qemu-img', ['convert', '-O', 'raw', qcow2?.path ?? '', content]);
    assert.match(readFileSync(content).toString('latin1', 0, 16), /^into the image\n/);
    assert.match(readFileSync(raw.path).toString('latin1', 0, 5), /^back\n/);
    assert.doesNotMatch(execFileSync('losetup', ['--list'], { encoding: 'utf8' }), new RegExp(b.folder));
  });

  test(`xen ${type}: a disk that is in use is taken by force, and the guest goes on`, { skip }, async (t) => {
    const b = await ground(t, type);
    const disk = await b.file('raw', 4 * mib);
    const vm = await boot(b, (id) => b.backend.vbd.attach(id, drive(0, disk)));
    await run(b, vm, 'exec 7< /dev/xvda', 'HELD');
    await b.backend.vbd.detach(vm, 'd0', true);
    assert.deepEqual((await b.backend.vm.observe(vm))?.vbds, []);
    await run(b, vm, 'true', 'ALIVE');
    assert.doesNotMatch(execFileSync('losetup', ['--list'], { encoding: 'utf8' }), new RegExp(b.folder));
  });

  test(`xen ${type}: an interface speaks on its bridge`, { skip }, async (t) => {
    const b = await ground(t, type);
    execFileSync('/sbin/ip', ['address', 'add', '10.99.7.1/24', 'dev', b.bridge]);
    const vm = await boot(b, async (id) => b.backend.vif.attach(id, await b.vif(1, 0)));
    await run(b, vm, 'ip link set eth0 up; ip addr add 10.99.7.2/24 dev eth0', 'CONFIGURED');
    await run(b, vm, 'until ping -c 1 -W 1 10.99.7.1 > /dev/null; do :; done', 'PINGED');
    await run(b, vm, 'ip link show eth0 | grep -q 52:54:00:00:01:00', 'MAC');
  });

  test(`xen ${type}: a guest that was saved goes on counting where it was`, { skip }, async (t) => {
    const b = await ground(t, type);
    const disk = await b.file('raw', 4 * mib);
    const attach = (id: string) => b.backend.vbd.attach(id, drive(0, disk));
    const vm = await boot(b, attach);
    await run(b, vm, 'kept=something', 'NOTED');
    const state = await b.image();
    await b.backend.vm.save(vm, state, {});
    await b.backend.vm.destroy(vm);
    const spec = b.spec(1);
    await b.backend.vm.create(spec, 2);
    await attach(vm);
    await b.backend.vm.restore(spec, { ...state, readOnly: true }, {});
    await b.backend.vm.unpause(vm);
    await run(b, vm, '[ "$kept" = something ]', 'REMEMBERED');
    await run(b, vm, 'dd if=/dev/xvda of=/dev/null bs=4096 count=1 2>/dev/null', 'DISK-READ');
  });

  test(`xen ${type}: processors and memory change while it runs`, { skip }, async (t) => {
    const b = await ground(t, type);
    const vm = await boot(b);
    await b.backend.vm.setVcpus(vm, 2);
    await run(b, vm, 'until [ "$(nproc)" = 2 ]; do sleep 0.1; done', 'TWO');
    await b.backend.vm.setVcpus(vm, 1);
    await run(b, vm, 'until [ "$(nproc)" = 1 ]; do sleep 0.1; done', 'ONE');
    await b.backend.vm.setMemoryTarget(vm, 96 * mib);
    while (((await b.backend.vm.observe(vm))?.memoryActual ?? 0) > 97 * mib) await run(b, vm, 'sleep 0.2', 'WAITED');
  });

  test(`xen ${type}: what is wrong is named, and nothing is left of it`, { skip }, async (t) => {
    const b = await ground(t, type);
    const free = () => b.xen.domains.host().memoryFree;
    const before = free();
    const good = b.spec(1);
    const noise = join(b.folder, 'noise');
    await writeFile(noise, Buffer.alloc(64 << 10, 7));
    const truncated = join(b.folder, 'truncated');
    const kernel = good.boot.kind === 'kernel' ? good.boot.kernel : '';
    await using half = await open(kernel, 'r');
    await writeFile(truncated, (await half.read(Buffer.alloc(mib), 0, mib, 0)).buffer);
    for (const path of [noise, truncated, join(b.folder, 'absent')]) {
      const spec = { ...good, boot: { kind: 'kernel', kernel: path, cmdline: '' } as const };
      await b.backend.vm.create(spec, 1);
      await assert.rejects(b.backend.vm.build(spec), (e) => e instanceof Error && e.message.length > 30);
      await b.backend.vm.destroy(spec.id);
    }
    const huge = { ...good, memory: { staticMax: 2 ** 40, dynamicMax: 2 ** 40, dynamicMin: 2 ** 30 } };
    await assert.rejects(
      (async () => {
        await b.backend.vm.create(huge, 1);
        await b.backend.vm.build(huge);
      })(),
    );
    await b.backend.vm.destroy(huge.id);
    assert.deepEqual(await b.backend.observeAll(), []);
    assert.deepEqual(await b.store.directory('/local/domain'), ['0']);
    assert.equal(await b.store.find(`/vm/${good.id}`), undefined);
    assert.ok(before - free() < 8 * mib, `${before - free()} bytes of memory are gone`);
  });

  test(`xen ${type}: a share of the processors is kept to, and a crash leaves a core dump that was asked for`, {
    skip,
  }, async (t) => {
    const b = await ground(t, type);
    b.with({ platform: { weight: '512', cap: '80', mask: '0', 'crash-dump': 'true' } });
    const ended = new Promise<void>((resolve) => b.backend.watch((e) => e.event === 'ended' && resolve()));
    const vm = await boot(b);
    await b.end(vm, 'crash');
    await ended;
    assert.equal((await b.backend.vm.observe(vm))?.end?.reason, 'crash');
    if (type !== 'pv') return;
    const core = join(b.folder, 'log', `${vm}.core`);
    assert.ok((await stat(core)).size > 100 * mib);
    await b.backend.vm.destroy(vm);
    await b.backend.forget?.(vm);
    await assert.rejects(stat(core));
  });

  test(`xen ${type}: a toolstack that was killed finds its guests, and others' domains are left alone`, {
    skip,
  }, async (t) => {
    const b = await ground(t, type);
    const stranger = '0f3c9a10-0000-4000-8000-00000000ffff';
    b.xen.domains.create({ domid: 32_000, uuid: stranger, type: 'pv', maxVcpus: 1 }, false);
    t.after(() => b.xen.destroy(32_000));
    const vm = await boot(b);
    const next = await b.again();
    await next.open();
    assert.deepEqual(
      (await next.observeAll()).map((d) => [d.vm, d.power]),
      [[vm, 'running']],
    );
    const others = (await next.foreign()).map((d) => d.domid);
    assert.deepEqual(others, [0, 32_000]);
    await run(b, vm, 'true', 'STILL-HERE');
    await next.vm.destroy(vm);
    assert.ok(b.xen.domains.find(32_000));
  });
}

test('xen hvm: SeaBIOS boots a CD, and its screen answers', { skip }, async (t) => {
  const b = await ground(t, 'pvh');
  const disc = await b.file('boot.iso', 0);
  await writeFile(disc.path, bootIso('HELLO FROM THE CD'));
  b.with({
    domainType: 'hvm',
    boot: { kind: 'bios', order: 'dc' },
    memory: { staticMax: 128 * mib, dynamicMax: 128 * mib, dynamicMin: 128 * mib },
  });
  const spec = b.spec(1);
  await b.backend.vm.create(spec, 1);
  const cd = { id: 'cd', position: 3, type: 'CD', mode: 'RO', media: null } as const;
  await b.backend.vbd.attach(spec.id, { spec: cd, disk: { ...disc, readOnly: true } });
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  await b.says(spec.id, 'HELLO FROM THE CD');
  const seen = await b.backend.vm.observe(spec.id);
  assert.equal(seen?.accelerator, 'hvm');
  const screen = seen?.consoles.find((c) => c.protocol === 'rfb')?.socket ?? '';
  const greeting = await new Promise<string>((resolve, reject) => {
    const viewer = connect(screen);
    viewer.once('data', (said) => {
      viewer.destroy();
      resolve(said.toString('latin1'));
    });
    viewer.once('error', reject);
  });
  assert.match(greeting, /^RFB 003\./);
  await assert.rejects(b.backend.vm.save(spec.id, await b.image(), {}), (e) => isKind(e, 'Unimplemented'));
  await b.backend.vm.destroy(spec.id);
  assert.deepEqual(await b.store.directory('/local/domain'), ['0']);
});
