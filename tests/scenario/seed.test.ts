import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { diskHouse, iface } from './disk-house.ts';

type Records<C extends 'SR' | 'VM' | 'network' | 'PIF' | 'PBD' | 'SM' | 'VBD'> = Record<string, Rec<C>>;
const nullRef = 'OpaqueRef:NULL';
const named = <T extends { name_label: string }>(records: Record<string, T>, name: string): [string, T] => {
  const found = Object.entries(records).filter(([, r]) => r.name_label === name);
  assert.equal(found.length, 1, `${name}: ${found.length}`);
  return found[0] as [string, T];
};

test('a fresh host has what clients look for', async () => {
  await using h = await diskHouse({
    interfaces: [iface('eth0', { addresses: ['192.0.2.7/24'] }), iface('lo', { physical: false })],
  });
  const srs = await h.root<Records<'SR'>>('SR.get_all_records');
  const [local, localSr] = named(srs, 'Local storage');
  const [, isoSr] = named(srs, 'ISO images');
  assert.deepEqual(
    [localSr.type, localSr.content_type, isoSr.type, isoSr.content_type],
    ['file', 'user', 'iso', 'iso'],
  );
  assert.ok(localSr.physical_size > 0);
  assert.ok(localSr.allowed_operations.includes('vdi_create'));
  const pbds = await h.root<Records<'PBD'>>('PBD.get_all_records');
  assert.deepEqual(
    Object.values(pbds).map((p) => p.currently_attached),
    [true, true],
  );

  const [poolRef, pool] = Object.entries(await h.root<Record<string, Rec<'pool'>>>('pool.get_all_records'))[0] ?? [];
  assert.equal(pool?.default_SR, local);
  assert.equal(pool?.suspend_image_SR, local);
  assert.equal(pool?.name_label, '');
  const host = await h.root<Rec<'host'>>('host.get_record', pool?.master);
  assert.equal(host.enabled, true);
  assert.equal(host.software_version['product_brand'], 'Guesthouse');
  assert.match(host.software_version['product_version'] ?? '', /^\d+\.\d+\.\d+$/);
  assert.equal(host.host_CPUs.length, Number(host.cpu_info['cpu_count']));
  assert.equal(await h.root('pool.is_slave', pool?.master), false);
  assert.ok(poolRef);
  const dom0 = await h.root<Rec<'VM'>>('VM.get_record', host.control_domain);
  assert.deepEqual([dom0.is_control_domain, dom0.power_state, dom0.domid], [true, 'Running', 0]);
  assert.ok(host.resident_VMs.includes(host.control_domain));
  const metrics = await h.root<Rec<'host_metrics'>>('host_metrics.get_record', host.metrics);
  assert.equal(metrics.live, true);
  assert.ok(metrics.memory_free > 0 && metrics.memory_free <= metrics.memory_total);

  const vms = await h.root<Records<'VM'>>('VM.get_all_records');
  const [, tiny] = named(vms, 'Tiny Linux');
  assert.deepEqual(
    [tiny.is_a_template, tiny.is_default_template, tiny.domain_type, tiny.PV_kernel],
    [true, true, 'pvh', '/somewhere/vmlinux'],
  );
  assert.ok(tiny.allowed_operations.includes('clone'));
  const [, media] = named(vms, 'Other install media');
  assert.equal(media.HVM_boot_params['order'], 'dc');
  const drive = await h.root<Rec<'VBD'>>('VBD.get_record', media.VBDs[0]);
  assert.deepEqual([drive.type, drive.empty, drive.VDI], ['CD', true, nullRef]);

  const networks = await h.root<Records<'network'>>('network.get_all_records');
  const [, guest] = named(networks, 'Guest network');
  assert.equal(guest.other_config['guesthouse-kind'], 'nat');
  assert.equal(guest.other_config['guesthouse-subnet'], '10.87.0.1/24');
  assert.ok(guest.bridge.length <= 15);
  const pifs = Object.values(await h.root<Records<'PIF'>>('PIF.get_all_records'));
  assert.deepEqual(
    pifs.map((p) => [p.device, p.IP, p.netmask, p.management]),
    [['eth0', '192.0.2.7', '255.255.255.0', true]],
  );
  const sms = Object.values(await h.root<Records<'SM'>>('SM.get_all_records'));
  assert.deepEqual(sms.map((s) => s.type).sort(), ['file', 'iso']);
});

test('a restart repairs, and leaves alone what users did', async () => {
  await using h = await diskHouse({ interfaces: [iface('eth0')] });
  const uuids = async () => {
    const all: string[] = [];
    for (const cls of ['SR', 'VM', 'network', 'PIF', 'PBD', 'SM', 'host', 'pool', 'host_cpu', 'VBD'])
      for (const r of Object.values(await h.root<Record<string, { uuid: string }>>(`${cls}.get_all_records`)))
        all.push(`${cls} ${r.uuid}`);
    return all.sort();
  };
  const before = await uuids();
  await h.restart();
  assert.deepEqual(await uuids(), before);

  const [iso] = named(await h.root<Records<'SR'>>('SR.get_all_records'), 'ISO images');
  const [pbd] = await h.root<string[]>('SR.get_PBDs', iso);
  await h.root('PBD.unplug', pbd);
  await h.root('SR.forget', iso);
  const [local] = named(await h.root<Records<'SR'>>('SR.get_all_records'), 'Local storage');
  await h.root('SR.set_name_label', local, 'Mine');
  const [guest] = named(await h.root<Records<'network'>>('network.get_all_records'), 'Guest network');
  await h.root('network.destroy', guest);
  const hostRef = (await h.root<string[]>('host.get_all'))[0];
  await h.root('host.disable', hostRef, false);
  h.world.interfaces = [iface('eth0'), iface('eth1', { bridge: 'br0' }), iface('br0', { physical: false })];
  await h.restart();
  const srs = Object.values(await h.root<Records<'SR'>>('SR.get_all_records'));
  assert.deepEqual(
    srs.map((s) => s.name_label),
    ['Mine'],
  );
  const networks = Object.values(await h.root<Records<'network'>>('network.get_all_records'));
  assert.deepEqual(networks.map((n) => n.bridge).sort(), ['', 'br0']);
  assert.equal(await h.root('host.get_enabled', hostRef), false);
  assert.equal((await h.root<string[]>('PIF.get_all')).length, 2);
});

test('without the rights for a bridge of its own the default network is the hypervisor’s', async () => {
  await using h = await diskHouse({ kinds: ['user'] });
  const [, guest] = named(await h.root<Records<'network'>>('network.get_all_records'), 'Guest network');
  assert.equal(guest.other_config['guesthouse-kind'], 'user');
});

test('a repository that cannot be connected at a start is tried again at the next', async () => {
  await using h = await diskHouse();
  const [, record] = named(await h.root<Records<'SR'>>('SR.get_all_records'), 'ISO images');
  const pbd = record.PBDs[0] as string;
  // As if its medium were not mounted: the record points at a place that is not there.
  const config = await h.root<Record<string, string>>('PBD.get_device_config', pbd);
  await h.root('PBD.unplug', pbd);
  h.running.db.set('PBD', pbd, { currently_attached: true, device_config: { location: '/nonexistent/iso' } });
  await h.restart();
  assert.equal(await h.root('PBD.get_currently_attached', pbd), false);
  await h.root('PBD.set_device_config', pbd, config);
  await h.restart();
  assert.equal(await h.root('PBD.get_currently_attached', pbd), true);
});

test('the image of "Tiny Linux" may move and change: template and VMs follow, but for what somebody set', async () => {
  await using h = await diskHouse();
  const [template] = named(await h.root<Records<'VM'>>('VM.get_all_records'), 'Tiny Linux');
  const made = async (name: string) => {
    const vm = await h.root('VM.clone', template, name);
    await h.root('VM.provision', vm);
    return vm;
  };
  const [plain, set] = [await made('plain'), await made('set')];
  await h.root('VM.set_PV_args', set, 'mine');
  await h.root('VM.set_PV_kernel', set, `${h.data}/kernels/mine`);
  h.world.guest = { kernel: '/elsewhere/vmlinux', ramdisk: '/elsewhere/initramfs', cmdline: 'console=hvc0' };
  await h.restart();
  const boot = async (vm: string) => {
    const { PV_kernel, PV_ramdisk, PV_args } = await h.root<Rec<'VM'>>('VM.get_record', vm);
    return [PV_kernel, PV_ramdisk, PV_args];
  };
  const followed = ['/elsewhere/vmlinux', '/elsewhere/initramfs', 'console=hvc0'];
  assert.deepEqual([await boot(template), await boot(plain)], [followed, followed]);
  assert.deepEqual(await boot(set), [`${h.data}/kernels/mine`, '/somewhere/initramfs', 'mine']);
  await h.root('VM.start', plain, false, false);
  assert.equal(await h.root('VM.get_power_state', plain), 'Running');
});
