/** What Xen Orchestra reads from a host, through the library that it uses (npm `xen-api`), unchanged: every call has its answer. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'xen-api';
import { unimplemented } from '../../src/api/unimplemented.ts';
import { type LiveHost, liveHost } from './host.ts';

// biome-ignore lint/suspicious/noExplicitAny: the library's objects are whatever the server sends
type Loose = any;

/** A running VM with a disk, a CD drive and an interface. */
async function runningVm(h: LiveHost): Promise<string> {
  const [template] = (await h.call('VM.get_by_name_label', 'Other install media')) as string[];
  const vm = (await h.call('VM.clone', template, 'seen by XO')) as string;
  await h.call('VM.provision', vm);
  const [network] = (await h.call('network.get_all')) as string[];
  const nothing = { other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} };
  await h.call('VIF.create', { VM: vm, network, device: '0', MAC: '', MTU: 1500, ...nothing });
  await h.call('VM.start', vm, false, false);
  return vm;
}
/** Its reading calls, with arguments of the kind that it passes. */
function calls(x: Loose, vm: string): readonly (readonly [string, ...unknown[]])[] {
  const of = (type: string, fits: (o: Loose) => boolean = () => true): Loose => {
    const found = Object.values(x.objects.all).find((o: Loose) => o.$type === type && fits(o));
    return found ?? assert.fail(`there is no ${type}`);
  };
  const [host, pool, me] = [of('host').$ref, x.pool.$ref, x.getObject(vm)];
  const sr = of('SR', (s) => s.type === 'file');
  const vdi = x.getObject(me.VBDs.map((ref: string) => x.getObject(ref)).find((b: Loose) => b.type === 'Disk').VDI);
  const network = of('network');
  const config = { location: '/nowhere' };
  return [
    ['host.get_all'],
    ['host.get_name_label', host],
    ['host.get_servertime', host],
    ['host.get_control_domain', host],
    ['host.get_resident_VMs', host],
    ['host.get_bios_strings', host],
    ['host.get_server_certificate', host],
    ['host.get_software_version', host],
    ['host.get_uncooperative_resident_VMs', host],
    ['host.get_record', host],
    ['host.compute_free_memory', host],
    ['host.compute_memory_overhead', host],
    ['host.get_data_sources', host],
    ['pool.get_license_state', pool],
    ['pool.certificate_list'],
    ['pool.get_record', pool],
    ['SR.get_record', sr.$ref],
    ['SR.get_by_uuid', sr.uuid],
    ['SR.get_supported_types'],
    ['SR.probe', host, config, 'file', {}],
    ['SR.get_physical_utilisation', sr.$ref],
    ['VM.get_by_uuid', me.uuid],
    ['VM.get_uuid', vm],
    ['VM.get_record', vm],
    ['VM.get_resident_on', vm],
    ['VM.get_allowed_VIF_devices', vm],
    ['VM.get_allowed_VBD_devices', vm],
    ['VM.get_possible_hosts', vm],
    ['VM.assert_operation_valid', vm, 'hard_shutdown'],
    ['VM.assert_can_boot_here', vm, host],
    ['VM.assert_can_migrate', vm, {}, false, {}, {}, {}],
    ['VM.get_boot_record', vm],
    ['VM.get_data_sources', vm],
    ['VDI.get_by_uuid', vdi.uuid],
    ['VDI.get_record', vdi.$ref],
    ['VDI.get_nbd_info', vdi.$ref],
    ['VDI.list_changed_blocks', vdi.$ref, vdi.$ref],
    ['network.get_by_uuid', network.uuid],
    ['PBD.get_by_uuid', x.getObject(sr.PBDs[0]).uuid],
    ['VIF.get_allowed_operations', me.VIFs[0]],
  ];
}
/** Failures that are answers: what was asked for is not there, and the client is told so. */
const fine: Readonly<Record<string, readonly string[]>> = {
  // The destination is what `host.migrate_receive` answers, not an empty map.
  'VM.assert_can_migrate': ['INVALID_VALUE'],
  // Changes were not tracked on this disk.
  'VDI.list_changed_blocks': ['VDI_NO_CBT_METADATA'],
  'SR.probe': ['SR_BACKEND_FAILURE', 'SR_BACKEND_FAILURE_85', 'SR_BACKEND_FAILURE_90', 'SR_BACKEND_FAILURE_101'],
};

test('Xen Orchestra’s reading calls are answered, or say that they are not there yet', async () => {
  await using h = await liveHost({ hypervisor: 'simulator', tls: true });
  const vm = await runningVm(h);
  const x: Loose = createClient({ url: h.url, auth: { user: 'root', password: h.password }, debounce: 0 });
  await using _ = { [Symbol.asyncDispose]: () => x.disconnect() };
  await x.connect();
  await x.objectsFetched;
  const wrong: string[] = [];
  const notYet: string[] = [];
  for (const [method, ...args] of calls(x, vm)) {
    try {
      await x.call(method, ...args);
      if ((unimplemented as readonly string[]).includes(method))
        wrong.push(`${method} answers and is listed as missing`);
    } catch (error) {
      const { code, params } = error as { code?: string; params?: unknown };
      if (code === 'NOT_IMPLEMENTED' && (unimplemented as readonly string[]).includes(method)) notYet.push(method);
      else if (!fine[method]?.includes(code ?? ''))
        wrong.push(`${method}: ${code ?? String(error)} ${JSON.stringify(params)}`);
    }
  }
  assert.deepEqual(wrong, []);
  // Of all that it reads this may be missing, and no more.
  const known = ['pool.certificate_list', 'host.get_data_sources', 'VM.get_data_sources'];
  assert.deepEqual(
    notYet.filter((method) => !known.includes(method)),
    [],
  );

  // Records of every class, one by one and all at once, as it refreshes what it shows.
  const classes = new Set(Object.values(x.objects.all).map((o: Loose) => o.$type as string));
  assert.ok(classes.size > 12, [...classes].join());
  for (const o of Object.values(x.objects.all) as Loose[]) {
    const record = await x.call(`${o.$type}.get_record`, o.$ref);
    assert.equal(record.uuid, o.uuid, `${o.$type} ${o.$ref}`);
  }
  // A plug-in that a host without XenServer's own cannot have: a code that it knows, not an internal error.
  const [{ $ref: host }] = (Object.values(x.objects.all) as Loose[]).filter((o) => o.$type === 'host') as [Loose];
  for (const [plugin, f] of [
    ['updater.py', 'check_update'],
    ['hyperthreading.py', 'get_hyperthreading'],
    ['smartctl.py', 'health'],
  ])
    await assert.rejects(x.call('host.call_plugin', host, plugin, f, {}), { code: 'XENAPI_MISSING_PLUGIN' });
});
