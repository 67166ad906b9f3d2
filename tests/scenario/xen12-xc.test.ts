/** Xen 1.2's module `Xc` over the one core. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { Extent } from '../../src/doors/xen12/extents.ts';
import { Xc } from '../../src/doors/xen12/xc.ts';
import { type TestHouse, testHouse } from './house.ts';

/** A disk with one partition, as the host would tell them. */
const disks: Readonly<Record<string, Extent>> = {
  '/dev/sda': { device: 0x800, start_sector: 0, nr_sectors: 100_000 },
  '/dev/sda1': { device: 0x800, start_sector: 2048, nr_sectors: 8192 },
};
const sda1 = 0x801;

async function xcOf(t: TestContext, h: TestHouse) {
  const folder = mkdtempSync(join(tmpdir(), 'gh-xc-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [image, ramdisk] = [join(folder, 'vmlinuz'), join(folder, 'initrd')];
  writeFileSync(image, 'kernel');
  writeFileSync(ramdisk, 'ramdisk');
  const [network] = await h.house.network.network.list({});
  const wrong: string[] = [];
  const same = (a: Extent, b: Extent) => JSON.stringify(a) === JSON.stringify(b);
  const xc = new Xc({
    xenops: h.house.xenops,
    uuid: () => crypto.randomUUID(),
    exists: (path) => [image, ramdisk].includes(path),
    blocks: {
      extentOf: (path) => disks[path],
      pathOf: (extent) => Object.keys(disks).find((path) => same(disks[path] as Extent, extent)),
    },
    bridge: network?.bridge,
    onError: (what, error) => wrong.push(`${what}: ${error.message}`),
  });
  const specOf = async (dom: number) =>
    (await h.house.xenops.vm.list({})).find(({ state }) => state.domid === dom)?.spec;
  return { xc, image, ramdisk, wrong, specOf, state: join(folder, 'saved') };
}

test('a domain is made without a kernel, told its kernel and its drives, and started', async (t) => {
  await using h = await testHouse();
  const { xc, image, ramdisk, wrong, specOf } = await xcOf(t, h);
  const dom = await xc.domain_create({ mem_kb: 32768, name: 'old' });
  assert.ok(dom > 0, wrong.join());
  const shown = async () => (await xc.domain_getinfo()).find((d) => d.dom === dom);
  assert.deepEqual(await shown(), {
    ...{ dom, name: 'old', cpu: 0, running: false, stopped: true, mem_kb: 32768, cpu_time: 0 },
  });
  assert.equal(await xc.linux_build({ dom, image, ramdisk, cmdline: 'root=/dev/sda1 ro' }), 0);
  assert.equal(await xc.vbd_create({ dom, vbd: sda1, writeable: 1 }), 0);
  assert.deepEqual(await xc.vbd_probe({ dom }), [{ dom, vbd: sda1, writeable: 1, nr_sectors: 0 }]);
  assert.equal(await xc.vbd_setextents({ dom, vbd: sda1, extents: [disks['/dev/sda1'] as Extent] }), 0);
  assert.equal(await xc.domain_start({ dom }), 0, wrong.join());
  assert.deepEqual([(await shown())?.running, wrong], [true, []]);
  const spec = await specOf(dom);
  assert.deepEqual(spec?.boot, { kind: 'kernel', kernel: image, ramdisk, cmdline: 'root=/dev/sda1 ro' });
  assert.deepEqual(
    spec?.vbds.map((v) => [v.media, v.mode]),
    [[{ kind: 'path', path: '/dev/sda1', format: 'raw' }, 'RW']],
  );
  // It is one VM with that of XenAPI.
  const { db } = h.house;
  const record = [...db.refs('VM')].map((r) => db.get('VM', r)).find((vm) => vm.name_label === 'old');
  assert.deepEqual([record?.power_state, record?.PV_kernel, record?.domid], ['Running', image, dom]);

  assert.equal(await xc.domain_stop({ dom }), 0);
  assert.deepEqual([(await shown())?.running, (await shown())?.stopped], [false, true]);
  assert.equal(await xc.domain_start({ dom }), 0);
  assert.equal(await xc.domain_start({ dom }), 0);
  assert.equal(await xc.domain_destroy({ dom, force: 1 }), 0);
  assert.equal(await shown(), undefined);
  assert.equal(await xc.domain_destroy({ dom, force: 1 }), -1);
  assert.match(wrong.join(), /domain \d+: there is no such domain/);
  // The same name is the same VM again.
  const again = await xc.domain_create({ name: 'old' });
  assert.equal((await specOf(again))?.id, spec?.id);
  assert.equal((await h.house.xenops.vm.list({})).filter((vm) => vm.spec.name === 'old').length, 1);
});

test('drives of a domain that runs: plugged with their extents, unplugged when they lose them', async (t) => {
  await using h = await testHouse();
  const { xc, image, wrong, specOf } = await xcOf(t, h);
  const dom = await xc.domain_create({ name: 'drives' });
  await xc.linux_build({ dom, image });
  assert.equal(await xc.domain_start({ dom }), 0, wrong.join());
  const plugged = async () => {
    const { state } = await h.house.xenops.vm.stat({ id: (await specOf(dom))?.id ?? '' });
    return Object.values(state.vbds).filter((v) => v.plugged).length;
  };
  const hda = 0x300;
  assert.equal(await xc.vbd_create({ dom, vbd: hda, writeable: 0 }), 0);
  assert.equal(await xc.vbd_create({ dom, vbd: hda, writeable: 0 }), -1);
  assert.equal(await xc.vbd_shrink({ dom, vbd: hda }), -1);
  assert.equal(await xc.vbd_grow({ dom, vbd: hda, ...(disks['/dev/sda'] as Extent) }), 0, wrong.join());
  assert.deepEqual(await xc.vbd_getextents({ dom, vbd: hda }), [disks['/dev/sda']]);
  assert.equal(await plugged(), 1);
  assert.equal(await xc.vbd_grow({ dom, vbd: hda, ...(disks['/dev/sda1'] as Extent) }), -1);
  assert.equal(
    await xc.vbd_setextents({ dom, vbd: hda, extents: [{ device: 1, start_sector: 0, nr_sectors: 1 }] }),
    -1,
  );
  assert.deepEqual(await xc.vbd_probe(), [{ dom, vbd: hda, writeable: 0, nr_sectors: 100_000 }]);
  assert.equal(await xc.vbd_shrink({ dom, vbd: hda }), 0);
  assert.deepEqual([await plugged(), await xc.vbd_getextents({ dom, vbd: hda })], [0, []]);
  assert.equal(await xc.vbd_setextents({ dom, vbd: hda, extents: [disks['/dev/sda1'] as Extent] }), 0);
  assert.equal(await xc.vbd_destroy({ dom, vbd: hda }), 0);
  assert.deepEqual([await plugged(), await xc.vbd_probe()], [0, []]);
  assert.equal(await xc.vbd_destroy({ dom, vbd: hda }), -1);
  assert.match(wrong.join('\n'), /several extents are not joined/);
  assert.match(wrong.join('\n'), /neither a whole disk nor a partition/);
});

test('saved, restored, limited, asked to end; what cannot be is -1 with its reason', async (t) => {
  await using h = await testHouse();
  const { xc, image, wrong, state, specOf } = await xcOf(t, h);
  assert.equal(await xc.linux_build({ dom: 77, image }), -1);
  const dom = await xc.domain_create({ name: 'saved' });
  assert.equal(await xc.linux_build({ dom, image: '/not/there' }), -1);
  assert.equal(await xc.netbsd_build({ dom, image }), 0);
  assert.equal(await xc.domain_start({ dom }), 0, wrong.join());
  assert.equal(await xc.vif_scheduler_set({ dom, vif: 0, credit_bytes: 1024 * 100, credit_usecs: 100_000 }), 0);
  assert.deepEqual(await xc.vif_scheduler_get({ dom, vif: 0 }), { credit_bytes: 1024_000, credit_usecs: 1_000_000 });
  assert.deepEqual(await xc.vif_scheduler_get({ dom, vif: 3 }), {});
  assert.deepEqual(await xc.vif_stats_get({ dom, vif: 0 }), { tx_bytes: 0, tx_packets: 0, rx_bytes: 0, rx_packets: 0 });
  assert.deepEqual(await xc.vif_stats_get({ dom, vif: 9 }), {});
  // It is XenAPI's limit too, and stays when that changes something else.
  const { db } = h.house;
  const [vif] = [...db.refs('VIF')];
  assert.deepEqual(db.get('VIF', vif!).qos_algorithm_params, { kbps: '1000' });
  assert.equal(await xc.domain_pincpu({ dom, cpu: 1 }), 0);
  assert.equal((await specOf(dom))?.platform['mask'], '1');
  assert.equal(await xc.linux_save({ dom, state_file: image }), -1);
  assert.equal(await xc.linux_save({ dom, state_file: state }), 0, wrong.join());
  const restored = await xc.linux_restore({ state_file: state });
  assert.equal((await xc.domain_getinfo({ first_dom: restored, max_doms: 1 }))[0]?.stopped, true);
  assert.equal(await xc.domain_start({ dom: restored }), 0);
  assert.equal(await xc.domain_destroy({ dom: restored }), 0);
  assert.equal(await xc.linux_restore({ state_file: '/never' }), -1);
  assert.equal(typeof (await xc.readconsolering()), 'string');
  assert.equal(await xc.bvtsched_global_set({ ctx_allow: 1 }), -1);
  for (const why of [/domain 77: there is no such domain/, /not\/there does not exist/, /is not overwritten/, /no BVT/])
    assert.match(wrong.join('\n'), why);
});
