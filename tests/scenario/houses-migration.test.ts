/** `host.migrate_receive` and `VM.migrate_send` between two houses, on the simulator: what moves, what stays, what is refused. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type TestHouse, testHouse } from './house.ts';

const device = { other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} };
const only = async ({ house }: TestHouse, cls: string) => ((await house.root(`${cls}.get_all`)) as string[])[0] ?? '';
const network = ({ house }: TestHouse) =>
  house.root('network.create', {
    name_label: 'LAN',
    name_description: '',
    MTU: 1500,
    other_config: {},
  }) as Promise<string>;

async function two(t: TestContext) {
  const shared = mkdtempSync(join(tmpdir(), 'gh-shared-'));
  const [a, b] = [await testHouse(), await testHouse()];
  t.after(async () => {
    await a[Symbol.asyncDispose]();
    await b[Symbol.asyncDispose]();
    rmSync(shared, { recursive: true });
  });
  const config = { location: shared };
  const sr = (await a.house.root(
    'SR.create',
    await only(a, 'host'),
    config,
    0,
    's',
    '',
    'file',
    '',
    true,
    {},
  )) as string;
  const uuid = await a.house.root('SR.get_uuid', sr);
  const there = (await b.house.root('SR.introduce', uuid, 's', '', 'file', '', true, {})) as string;
  const host = await only(b, 'host');
  const pbd = await b.house.root('PBD.create', { host, SR: there, device_config: config });
  await b.house.root('PBD.plug', pbd);
  const net = await network(b);
  const receive = async () => (await b.house.root('host.migrate_receive', host, net, {})) as Record<string, string>;
  return { a, b, sr, there, pbd, net, host, receive };
}
/** Running, with a disk in the repository and an interface. */
async function guest(a: TestHouse, sr: string) {
  const { root } = a.house;
  const [template] = (await root('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await root('VM.clone', template, 'traveller')) as string;
  await root('VM.provision', vm);
  await root('VM.set_tags', vm, ['nomad']);
  const disk = { name_label: 'd', SR: sr, virtual_size: 1 << 20, type: 'user', sharable: false, read_only: false };
  const vdi = (await root('VDI.create', { ...disk, other_config: {} })) as string;
  const vbd = { VM: vm, VDI: vdi, userdevice: '0', bootable: false, mode: 'RW', type: 'Disk', empty: false };
  await root('VBD.create', { ...device, ...vbd });
  const vif = (await root('VIF.create', {
    ...device,
    device: '0',
    network: await network(a),
    VM: vm,
    MAC: '',
    MTU: 1500,
  })) as string;
  await root('VM.start', vm, false, false);
  return { vm, vdi, vif };
}
const code = (wanted: string) => (e: unknown) => (e as { code?: string }).code === wanted;

test('a VM moves to another pool with its records, and is forgotten here', async (t) => {
  const { a, b, sr, net, receive, host } = await two(t);
  const { vm, vdi, vif } = await guest(a, sr);
  const uuid = (await a.house.root('VM.get_uuid', vm)) as string;
  const dest = await receive();
  await a.house.root('VM.assert_can_migrate', vm, dest, true, {}, { [vif]: net }, {});
  const moved = (await a.house.root(
    'VM.migrate_send',
    vm,
    dest,
    true,
    {},
    { [vif]: net },
    { compress: 'true' },
  )) as string;
  const record = (await b.house.root('VM.get_record', moved)) as Record<string, unknown>;
  assert.deepEqual(
    [record['uuid'], record['power_state'], record['resident_on'], record['tags']],
    [uuid, 'Running', host, ['nomad']],
  );
  const disk = (await b.house.root('VBD.get_VDI', (record['VBDs'] as string[])[0])) as string;
  assert.equal(await b.house.root('VDI.get_uuid', disk), await a.house.root('VDI.get_uuid', vdi));
  assert.equal(await b.house.root('VIF.get_network', (record['VIFs'] as string[])[0]), net);
  assert.deepEqual(await a.house.root('VM.get_by_name_label', 'traveller'), []);
  assert.deepEqual(await a.house.storage.vdi.users({}), []);
  assert.deepEqual(await a.house.network.port.list({}), []);
  // What came along in the description is not kept there.
  const { spec } = await b.house.xenops.vm.stat({ id: uuid });
  assert.deepEqual(Object.keys(spec.notes ?? {}), ['xenapi']);
});

test('what is refused leaves the VM running where it is', async (t) => {
  const { a, b, sr, there, pbd, net, host, receive } = await two(t);
  const { vm, vdi, vif } = await guest(a, sr);
  const dest = await receive();
  const vifs = { [vif]: net };
  const send = (o: { dest?: object; vdis?: object; vifs?: object; options?: object }) =>
    a.house.root('VM.migrate_send', vm, o.dest ?? dest, true, o.vdis ?? {}, o.vifs ?? vifs, o.options ?? {});
  await assert.rejects(send({ vifs: {} }), code('VIF_NOT_IN_MAP'));
  await assert.rejects(send({ options: { copy: 'true' } }), code('VM_BAD_POWER_STATE'));
  await assert.rejects(send({ dest: { ...dest, master: 'http://192.0.2.1/' } }), code('INVALID_VALUE'));
  await assert.rejects(
    send({ dest: { ...dest, master: 'http://127.0.0.1:1/' } }),
    code('VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED'),
  );
  const { session_id: _, ...less } = dest;
  await assert.rejects(send({ dest: less }), code('INVALID_VALUE'));
  await assert.rejects(send({ dest: { ...dest, xenops: `${dest['xenops']}x` } }), /call host.migrate_receive again/);
  const own = (await b.house.root(
    'SR.create',
    host,
    { location: `${b.data}/own` },
    0,
    'o',
    '',
    'file',
    '',
    false,
    {},
  )) as string;
  await assert.rejects(send({ vdis: { [vdi]: own } }), code('NOT_IMPLEMENTED'));
  await a.house.root('SR.set_shared', sr, false).catch(() => undefined);
  const shared = await a.house.root('SR.get_shared', sr);
  if (shared === false) {
    await assert.rejects(send({}), code('VDI_NOT_IN_MAP'));
    await a.house.root('SR.set_shared', sr, true);
  }
  await b.house.root('PBD.unplug', pbd);
  await assert.rejects(send({}), code('VM_REQUIRES_SR'));
  await b.house.root('PBD.plug', pbd);
  await b.house.root('host.disable', host);
  await assert.rejects(send({}), code('HOST_DISABLED'));
  await b.house.root('host.enable', host);
  // Inside its own pool, to itself.
  const here = { ...dest, host: await only(a, 'host') };
  await assert.rejects(send({ dest: here }), code('OPERATION_NOT_ALLOWED'));
  assert.equal(await send({ dest: here, vifs: {} }), vm);
  assert.equal(await a.house.root('VM.get_power_state', vm), 'Running');
  assert.deepEqual(await b.house.root('VM.get_by_name_label', 'traveller'), []);
  await b.house.root('SR.get_uuid', there);
});
