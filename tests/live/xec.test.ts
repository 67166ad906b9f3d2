/** xec and xec-vm on a real bus, locally and through the broker; busctl with the same properties. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BusConnection } from '../../src/bus/connection.ts';
import { args, BusError, type BusInterface, busErrors, method } from '../../src/bus/interface.ts';
import { run, without } from './clients/program.ts';
import { cannotBus, type PrivateBus, privateBus } from './private-bus.ts';
import { uuid, vmPath, xenmgr } from './rpc-broker-bed.ts';

const skip = cannotBus() ?? false;
const root = join(import.meta.dirname, '../..');
const manager: BusInterface = {
  name: xenmgr,
  methods: {
    list_vms: method('', 'paths:ao'),
    find_vm_by_domid: method('domid:i', 'path:o'),
    create_vhd: method('size_mb:i', 'path:s'),
    describe: method('of:a{si} more:(sb)', 'text:s all:a{ss}'),
  },
  signals: { vm_created: args('uuid:s obj_path:o') },
};
const vmInterface: BusInterface = {
  name: `${xenmgr}.vm`,
  methods: { list_disks: method('', 'paths:ao') },
  properties: {
    name: { type: 's', access: 'readwrite' },
    uuid: { type: 's', access: 'read' },
    domid: { type: 'i', access: 'read' },
    state: { type: 's', access: 'read' },
    'memory-static-max': { type: 'x', access: 'read' },
  },
};
async function serveVms(bus: BusConnection): Promise<void> {
  const other = uuid.replace(/1$/, '2');
  const vms: Readonly<Record<string, Record<string, unknown>>> = {
    [vmPath]: { name: 'win', uuid, domid: -1, state: 'stopped', 'memory-static-max': 1n << 40n },
    [`${vmPath.slice(0, -1)}2`]: { name: 'lin', uuid: other, domid: 3, state: 'running', 'memory-static-max': 1n },
  };
  bus.serve('/', manager, {
    list_vms: () => [Object.keys(vms)],
    find_vm_by_domid: ([domid]) => {
      const found = Object.entries(vms).find(([, vm]) => vm['domid'] === domid);
      if (!found) throw new BusError(busErrors.failed, `no vm with domid ${domid}`);
      return [found[0]];
    },
    create_vhd: ([size]) => [`/storage/${size}.vhd`],
    describe: ([of, more]) => [JSON.stringify([of, more]), { a: '1', long: '2' }],
  });
  for (const [path, vm] of Object.entries(vms))
    bus.serve(
      path,
      vmInterface,
      { list_disks: () => [[`${path}/disk/0`]] },
      {
        get: (name) => vm[name],
        set: (name, value) => {
          vm[name] = value;
        },
      },
    );
  await bus.own(xenmgr);
}
async function says(bus: PrivateBus, expected: string, name: string, ...argv: string[]): Promise<void> {
  const { out, err } = await run(join(root, 'bin', name), argv, { env: { DBUS_SYSTEM_BUS_ADDRESS: bus.address } });
  assert.deepEqual([out.toString(), err], [expected, ''], `${name} ${argv.join(' ')}`);
}

describe('xec on a real bus', { skip }, () => {
  test('methods, properties, listings', async () => {
    await using bus = await privateBus();
    await serveVms(await bus.connect());
    await says(bus, `${vmPath}\n${vmPath.slice(0, -1)}2\n`, 'xec', 'list-vms');
    await says(bus, '/storage/100.vhd\n', 'xec', 'create_vhd', '100');
    await says(bus, '[{"a":1},["x",true]]\n{\n"a"    = 1\n"long" = 2\n}\n', 'xec', 'describe', "{'a' : 1}", "['x', 1]");
    await says(bus, 'list_vms\nfind_vm_by_domid\ncreate_vhd\ndescribe\n', 'xec', '-i', xenmgr, '--list-methods');
    await says(bus, 'win\n', 'xec', '-o', vmPath, 'get', 'name');
    await says(bus, '', 'xec', '-o', vmPath, 'set', 'name', 'won');
    await says(
      bus,
      `${xenmgr}.vm\n{\n"name"              = won\n"uuid"              = ${uuid}\n"domid"             = -1\n"state"             = stopped\n"memory-static-max" = 1099511627776\n}\n`,
      'xec',
      '-o',
      vmPath,
      'getall',
    );
    await says(
      bus,
      `${xenmgr}\n  method list_vms() -> paths:ao\n  method find_vm_by_domid(domid:i) -> path:o\n  method create_vhd(size_mb:i) -> path:s\n  method describe(of:a{si}, more:(sb)) -> text:s, all:a{ss}\n  signal vm_created(uuid:s, obj_path:o)\n`,
      'xec',
      '-i',
      xenmgr,
    );
  });
  test('one VM among others', async () => {
    await using bus = await privateBus();
    await serveVms(await bus.connect());
    await says(
      bus,
      `ID | Name | UUID                                 | State\n3  | lin  | ${uuid.replace(/1$/, '2')} | running\n   | win  | ${uuid} | stopped\n`,
      'xec-vm',
    );
    await says(bus, 'running\n', 'xec-vm', '-n', 'lin', 'get', 'state');
    await says(bus, 'stopped\n', 'xec-vm', '-u', uuid, '-g', 'state');
    await says(bus, 'lin\n', 'xec-vm', '-d', '3', 'get', 'name');
    await says(bus, `${vmPath}/disk/0\n`, 'xec-vm', '-n', 'win', '--list-disks');
  });
  test('what goes wrong is said, with status 1', async () => {
    await using bus = await privateBus();
    await serveVms(await bus.connect());
    for (const [argv, why] of [
      [['xec', 'find_vm_by_domid', '9'], /^org\.freedesktop\.DBus\.Error\.Failed: no vm with domid 9\n$/],
      [['xec', '-s', 'a.b', 'x'], /^org\.freedesktop\.DBus\.Error\.ServiceUnknown: /],
      [['xec', 'create_vhd'], /^xec: create_vhd takes 1 arguments \(size_mb: i\), not 0\n$/],
      [['xec', 'create_vhd', 'big'], /^xec: big: at character 1: a whole number is wanted\n$/],
      [['xec', 'nonsense'], /has no method nonsense/],
      [['xec', '-o', vmPath, 'set', 'uuid', 'x'], /PropertyReadOnly: uuid cannot be written/],
      [['xec', '--colour'], /no option --colour\nusage:/],
      [['xec-vm', '-n', 'mac', 'getall'], /no VM has the name "mac"/],
    ] as const) {
      const [name, ...rest] = argv;
      const { code, err } = await run(join(root, 'bin', name), rest, { env: { DBUS_SYSTEM_BUS_ADDRESS: bus.address } });
      assert.equal(code, 1);
      assert.match(err, why);
    }
  });
  test('through the broker', async () => {
    await using bus = await privateBus();
    await serveVms(await bus.connect());
    const [rules, socket] = [join(bus.folder, 'rules'), join(bus.folder, 'guest')];
    writeFileSync(
      rules,
      `deny all\nallow interface org.freedesktop.DBus.Introspectable\nallow destination ${xenmgr} interface ${xenmgr} member list_vms\n`,
    );
    await bus.daemon('rpc-broker', [
      '--xenstore',
      'none',
      '--vm-facts',
      'none',
      '-r',
      rules,
      '-l',
      `unix:${socket},domid=5`,
    ]);
    await says(bus, `${vmPath}\n${vmPath.slice(0, -1)}2\n`, 'xec', '--bus', `unix:path=${socket}`, 'list_vms');
    const { code, err } = await run(join(root, 'bin/xec'), ['--bus', `unix:path=${socket}`, 'create_vhd', '5']);
    assert.deepEqual(
      [code, err],
      [1, 'org.freedesktop.DBus.Error.AccessDenied: the rules of this host do not allow it\n'],
    );
  });
  test('busctl reads and writes the same properties', { skip: without({ systemd: 'busctl' }) }, async () => {
    await using bus = await privateBus();
    await serveVms(await bus.connect());
    const busctl = async (...argv: string[]) =>
      (await run('busctl', [`--address=${bus.address}`, ...argv])).out.toString();
    const at = [xenmgr, vmPath, `${xenmgr}.vm`];
    assert.equal(await busctl('get-property', ...at, 'memory-static-max', 'name'), 'x 1099511627776\ns "win"\n');
    await busctl('set-property', ...at, 'name', 's', 'won');
    assert.match(await busctl('introspect', ...at), /\.name +property +s +"won" +writable/);
  });
});
