/** A VM between two houses, each a pool of its own in a network namespace, through XenAPI, on real QEMU. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cannotRun, consoleSays, Failure, type LiveHost, liveHost, processesWith } from './host.ts';
import { addressOf, noNamespaces, twoNamespaces } from './namespaces.ts';

const skip = noNamespaces() ?? cannotRun() ?? false;
const lan = { bridge: 'lan9', gateway: '198.51.100.1' };
const patienceMs = 60_000;
const refused = (code: string) => (e: unknown) => e instanceof Failure && e.code === code;

/** A line typed at the guest's console, and what it says then. */
async function guestSays(host: LiveHost, uuid: string, line: string, word: string): Promise<void> {
  const folder = join(host.data, 'domains', uuid);
  const log = join(folder, 'console.log');
  const before = existsSync(log) ? readFileSync(log).length : 0;
  const socket = connect(join(folder, 'console'), () => socket.write(`${line}\n`));
  socket.on('error', () => undefined).resume();
  const until = Date.now() + patienceMs;
  const said = () => readFileSync(log, 'latin1').slice(before);
  // The line itself is echoed.
  while (!new RegExp(`^${word}\\r?$`, 'm').test(said())) {
    assert.ok(Date.now() < until, `${line}: ${said()}`);
    await sleep(50);
  }
  socket.destroy();
}
const pings = (host: LiveHost, uuid: string, n: number) =>
  guestSays(host, uuid, `ping -c 1 -W 5 ${lan.gateway} > /dev/null && echo reached-${n}`, `reached-${n}`);

/** The taps of guests in a namespace. */
function tapsOf(namespace: string): string[] {
  const text = execFileSync('/usr/sbin/ip', ['-n', namespace, '-j', 'tuntap', 'list'], { encoding: 'utf8' });
  return (JSON.parse(text || '[]') as { ifname: string }[]).map(({ ifname }) => ifname);
}

async function two() {
  const net = twoNamespaces(lan);
  const folder = mkdtempSync(join(tmpdir(), 'ghs-'));
  chmodSync(folder, 0o711);
  const shared = join(folder, 'shared');
  mkdirSync(shared, { mode: 0o755 });
  const open = (name: 'a' | 'b') => {
    mkdirSync(join(folder, name), { mode: 0o711 });
    return liveHost({ data: join(folder, name), namespace: net[name], listenTls: `${addressOf[name]}:8443` });
  };
  const [a, b] = await Promise.all([open('a'), open('b')]);
  return {
    a,
    b,
    net,
    shared,
    folder,
    async [Symbol.asyncDispose]() {
      await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()]);
      net[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
const only = async (host: LiveHost, cls: string) => ((await host.call(`${cls}.get_all`)) as string[])[0] ?? '';

/** One folder as a shared repository of both. */
async function sharedSr(a: LiveHost, b: LiveHost, location: string): Promise<{ onA: string; onB: string }> {
  const config = { location };
  const onA = (await a.call(
    'SR.create',
    await only(a, 'host'),
    config,
    0,
    'shared',
    '',
    'file',
    '',
    true,
    {},
  )) as string;
  const uuid = await a.call('SR.get_uuid', onA);
  const onB = (await b.call('SR.introduce', uuid, 'shared', '', 'file', '', true, {})) as string;
  await b.call('PBD.plug', await b.call('PBD.create', { host: await only(b, 'host'), SR: onB, device_config: config }));
  return { onA, onB };
}
/** Tiny Linux with a disk and an interface, running on `a`. */
async function guest(a: LiveHost, sr: string) {
  const [template] = (await a.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await a.call('VM.clone', template, 'traveller')) as string;
  await a.call('VM.provision', vm);
  await a.call('VM.set_name_description', vm, 'goes from house to house');
  await a.call('VM.set_tags', vm, ['nomad']);
  await a.call('VM.add_to_other_config', vm, 'colour', 'green');
  const vdi = (await a.call('VDI.create', {
    ...{ name_label: 'luggage', SR: sr, virtual_size: 1 << 20, type: 'user', sharable: false, read_only: false },
    other_config: {},
  })) as string;
  const device = { other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} };
  const vbd = { VM: vm, VDI: vdi, userdevice: '0', bootable: false, mode: 'RW', type: 'Disk', empty: false };
  await a.call('VBD.create', { ...device, ...vbd, other_config: { owner: '' } });
  const network = (await a.call('network.create', lanNetwork)) as string;
  const vif = (await a.call('VIF.create', { ...device, device: '0', network, VM: vm, MAC: '', MTU: 1500 })) as string;
  await a.call('VM.start', vm, false, false);
  const uuid = (await a.call('VM.get_uuid', vm)) as string;
  await consoleSays(join(a.data, 'domains', uuid, 'console.log'), 'READY');
  return { vm, vdi, vif, uuid };
}
const lanNetwork = {
  name_label: 'LAN',
  name_description: '',
  MTU: 1500,
  other_config: {},
  bridge: lan.bridge,
  managed: false,
};
const receive = async (host: LiveHost, network: string) =>
  (await host.call('host.migrate_receive', await only(host, 'host'), network, {})) as Record<string, string>;

test('there and back through XenAPI, with a disk in a shared repository and a network that works on', {
  skip,
  timeout: 600_000,
}, async () => {
  await using h = await two();
  const { a, b } = h;
  const { onA } = await sharedSr(a, b, h.shared);
  const { vm, vdi, vif, uuid } = await guest(a, onA);
  await guestSays(
    a,
    uuid,
    `killall udhcpc; ip addr add 198.51.100.9/24 dev eth0 && echo here | dd of=/dev/vda conv=sync && echo dressed`,
    'dressed',
  );
  await pings(a, uuid, 1);
  // Within its host: into a domain that has a tap of its own.
  const taps = () => tapsOf(h.net.a);
  const [tap] = taps();
  await a.call('VM.pool_migrate', vm, await only(a, 'host'), {});
  await pings(a, uuid, 2);
  assert.equal(taps().length, 1, 'the first tap is gone');
  assert.notEqual(taps()[0], tap);
  await a.call('VM.pool_migrate', vm, await only(a, 'host'), {});
  await pings(a, uuid, 3);
  assert.equal(taps().length, 1);

  const there = (await b.call('network.create', lanNetwork)) as string;
  const dest = await receive(b, there);
  const send = (vifMap: object, options = {}, d: object = dest) =>
    a.call('VM.migrate_send', vm, d, true, {}, vifMap, options) as Promise<string>;
  await assert.rejects(send({}), refused('VIF_NOT_IN_MAP'));
  await assert.rejects(send({ [vif]: there }, {}, { ...dest, certificate: '' }), refused('INVALID_VALUE'));
  await assert.rejects(
    send({ [vif]: there }, {}, { ...dest, session_id: 'OpaqueRef:none' }),
    refused('SESSION_INVALID'),
  );
  const stranger = { ...dest, xenops: dest['xenops']?.replace(/ticket=[^&]*/, 'ticket=none') };
  await assert.rejects(send({ [vif]: there }, {}, stranger), refused('VM_MIGRATE_FAILED'));
  await a.call('VM.assert_can_migrate', vm, dest, true, {}, { [vif]: there }, {});
  assert.equal(await a.call('VM.get_power_state', vm), 'Running');

  const moved = await send({ [vif]: there });
  assert.equal(await b.call('VM.get_uuid', moved), uuid);
  const record = (await b.call('VM.get_record', moved)) as Record<string, unknown>;
  assert.deepEqual(
    [record['power_state'], record['name_description'], record['tags']],
    ['Running', 'goes from house to house', ['nomad']],
  );
  assert.equal((record['other_config'] as Record<string, string>)['colour'], 'green');
  const [drive] = record['VBDs'] as string[];
  const disk = (await b.call('VBD.get_VDI', drive)) as string;
  assert.equal(await b.call('VDI.get_uuid', disk), await a.call('VDI.get_uuid', vdi));
  assert.deepEqual(await b.call('VBD.get_other_config', drive), { owner: '' });
  const [interface_] = record['VIFs'] as string[];
  assert.equal(await b.call('VIF.get_network', interface_), there);
  assert.deepEqual(await a.call('VM.get_by_name_label', 'traveller'), []);
  assert.equal([...processesWith(h.folder).values()].filter((line) => line.includes('qemu-system')).length, 1);
  await pings(b, uuid, 4);
  await guestSays(b, uuid, 'grep -c here /dev/vda', '1');

  // And back, compressed.
  const network = ((await a.call('network.get_by_name_label', 'LAN')) as string[])[0] ?? '';
  const home = await receive(a, network);
  const back = (await b.call(
    'VM.migrate_send',
    moved,
    home,
    true,
    {},
    { [interface_ ?? '']: network },
    { compress: 'true' },
  )) as string;
  assert.equal(await a.call('VM.get_power_state', back), 'Running');
  assert.equal(await a.call('VM.get_name_description', back), 'goes from house to house');
  await pings(a, uuid, 5);
  await a.call('VM.clean_reboot', back);
  await a.call('VM.hard_shutdown', back);
  await a.call('VM.start', back, false, false);
});

test('disks that are not shared, or not there, are refused', { skip, timeout: 600_000 }, async () => {
  await using h = await two();
  const { a, b } = h;
  const { onB } = await sharedSr(a, b, h.shared);
  const own = (await a.call(
    'SR.create',
    await only(a, 'host'),
    { location: join(h.folder, 'own') },
    0,
    'own',
    '',
    'file',
    '',
    false,
    {},
  )) as string;
  const { vm, vdi, vif } = await guest(a, own);
  const there = (await b.call('network.create', lanNetwork)) as string;
  const dest = await receive(b, there);
  const send = (vdiMap: object) => a.call('VM.migrate_send', vm, dest, true, vdiMap, { [vif]: there }, {});
  await assert.rejects(send({}), refused('VDI_NOT_IN_MAP'));
  await assert.rejects(send({ [vdi]: onB }), refused('NOT_IMPLEMENTED'));
  await b.call('host.disable', await only(b, 'host'));
  await assert.rejects(send({}), refused('HOST_DISABLED'));
  h.net.cable(false);
  await assert.rejects(send({}), refused('VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED'));
  assert.equal(await a.call('VM.get_power_state', vm), 'Running');
});
