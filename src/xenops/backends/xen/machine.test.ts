import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../../contracts/contract.ts';
import { testSpec } from '../../testing/house.ts';
import { machineCommand } from './machine.ts';
import type { DomainRecord } from './record.ts';

const paths = {
  folder: '/d',
  console: '/d/console',
  line: '/d/line',
  vnc: '/d/vnc',
  qmp: '/d/qmp',
  consoleLog: '/l/c.log',
  emulatorLog: '/l/q.log',
  coreDump: '/l/core',
};
const spec = testSpec(1, { boot: { kind: 'bios', order: 'dxc;' }, vbds: [], vifs: [] });
const record: DomainRecord = {
  version: 1,
  spec,
  domid: 4,
  boot: 'b',
  phase: 'created',
  startedAt: 0,
  drives: [],
  nics: [],
  discs: {},
  vcpus: 2,
  memoryTarget: spec.memory.dynamicMax,
  ports: { store: 1, console: 2 },
};
const after = (command: readonly string[], option: string) =>
  command.flatMap((word, i) => (word === option ? [command[i + 1]] : []));

test('an HVM machine has the drives and interfaces of its description, whatever their names hold', () => {
  const disk = { path: '/images/a,b=c', format: 'qcow2', readOnly: false } as const;
  const media = null;
  const command = machineCommand(
    '/qemu',
    {
      ...record,
      drives: [
        {
          spec: { id: 'a', position: 0, type: 'Disk', mode: 'RW', media },
          disk,
          device: 0,
          backendDomid: 0,
          kind: 'emulated',
        },
        {
          spec: { id: 'b', position: 3, type: 'CD', mode: 'RO', media },
          disk: null,
          device: 3,
          backendDomid: 0,
          kind: 'emulated',
        },
      ],
      nics: [
        {
          spec: { id: 'n', position: 0, mac: '52:54:00:00:00:01', bridge: 'br' },
          device: 0,
          backendDomid: 0,
          bridge: 'br',
          tap: 'tap7',
        },
      ],
    },
    paths,
    '/roms/e1000.rom',
  );
  assert.deepEqual(after(command, '-drive'), [
    'id=drive0,if=none,media=disk,format=qcow2,file=/images/a,,b=c,readonly=off',
    'id=drive3,if=none,media=cdrom',
  ]);
  assert.deepEqual(after(command, '-device').slice(1), [
    'ide-hd,drive=drive0,bus=ide.0,unit=0',
    'ide-cd,drive=drive3,bus=ide.1,unit=1',
    'e1000,netdev=nic0,mac=52:54:00:00:00:01,romfile=/roms/e1000.rom',
  ]);
  assert.deepEqual(after(command, '-netdev'), ['tap,id=nic0,ifname=tap7,script=no,downscript=no']);
  assert.deepEqual(after(command, '-boot'), ['order=dc']);
  assert.deepEqual(after(command, '-xen-domid'), ['4']);
});

test('a machine has the screen that its platform names, or none and no viewer', () => {
  const withVga = (vga: string) => {
    const platform = { ...spec.platform, vga };
    return machineCommand('/qemu', { ...record, spec: { ...spec, platform } }, paths, '');
  };
  assert.deepEqual(after(withVga('cirrus'), '-device'), ['cirrus-vga,vgamem_mb=16']);
  assert.deepEqual(after(withVga(''), '-vnc'), ['unix:/d/vnc,share=force-shared']);
  assert.deepEqual([after(withVga('none'), '-device'), after(withVga('none'), '-vnc')], [[], []]);
  assert.throws(
    () => withVga('qxl'),
    (e) => isKind(e, 'Bad_spec'),
  );
});
