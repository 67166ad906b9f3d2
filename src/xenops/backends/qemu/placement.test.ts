import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../../contracts/contract.ts';
import { qemuArguments } from './arguments.ts';
import { controllerDevice, driveDevice } from './devices.ts';
import { checkSpec, slotsOf } from './machine.ts';
import { placeDrive } from './placement.ts';
import { restoredRecord } from './restored.ts';
import { recordOf, specOf, withDrive, withNic } from './testing.ts';

test('drives and interfaces get places of their own, and a freed one is used again', () => {
  let record = recordOf(specOf());
  for (const id of ['a', 'b']) record = withDrive(record, id, 'Disk', `/${id}`);
  record = withNic(withDrive(record, 'cd', 'CD', null), 'n');
  assert.deepEqual(
    record.drives.map((d) => [d.device, d.slot, d.connector]),
    [
      ['drive0', 0, -1],
      ['drive1', 1, -1],
      ['drive2', -1, 0],
    ],
  );
  assert.equal(record.nics[0]?.slot, 2);
  const without = { ...record, drives: record.drives.slice(1) };
  assert.equal(withDrive(without, 'c', 'Disk', '/c').drives.at(-1)?.slot, 0);
});
test('a machine that is full refuses, and says how much it takes', () => {
  let record = recordOf(specOf());
  for (let i = 0; i < slotsOf.pc; i++) record = withDrive(record, `d${i}`, 'Disk', '/d');
  assert.throws(() => withNic(record, 'n'), /26 places/);
  for (let i = 0; i < 4; i++) record = withDrive(record, `cd${i}`, 'CD', null);
  assert.throws(() => withDrive(record, 'cd4', 'CD', null), /4 connectors/);
});
test('a CD drive of a running guest brings a controller along; on the command line of a resumed one they come in order', () => {
  const record = recordOf(specOf());
  const spec = { id: 'cd', position: 3, type: 'CD', mode: 'RO', media: null } as const;
  const late = placeDrive(record, spec, null, { block: false, running: true });
  assert.deepEqual([late.connector, late.slot], [-1, 0]);
  const { machine } = record;
  assert.deepEqual(controllerDevice(machine, late), {
    driver: 'virtio-scsi-pci',
    id: 'drive3-scsi',
    num_queues: 1,
    bus: 'pci.0',
    addr: '0x6',
  });
  assert.deepEqual(driveDevice(machine, late), { driver: 'scsi-cd', id: 'drive3', bus: 'drive3-scsi.0' });
  assert.equal(controllerDevice(machine, placeDrive(record, spec, null, { block: false })), undefined);
  const paths = { qmp: '/q', serial: '/s', agent: '/a', vnc: '/v', consoleLog: '/c' };
  const args = qemuArguments({ qemu: '/qemu', record: { ...record, drives: [late] }, paths, incoming: true });
  const at = (text: string) => args.findIndex((a) => a.includes(text));
  assert.ok(at('virtio-scsi-pci') > 0 && at('virtio-scsi-pci') < at('scsi-cd'));
});
test('a resumed guest finds its devices where they were, with the disks of now', () => {
  const spec = specOf();
  const saved = withNic(withDrive(withDrive(recordOf(spec), 'a', 'Disk', '/old/a'), 'b', 'Disk', '/old/b'), 'n');
  const now = withDrive(withDrive(withNic(recordOf(spec), 'n'), 'b', 'Disk', '/b'), 'a', 'Disk', '/a');
  const { record, late } = restoredRecord(now, saved, 'tcg');
  assert.deepEqual(
    record.drives.map((d) => [d.spec.id, d.disk?.path, d.slot]),
    [
      ['a', '/a', 0],
      ['b', '/b', 1],
    ],
  );
  assert.deepEqual(late, { drives: [], nics: [] });
  assert.throws(() => restoredRecord(recordOf(spec), saved, 'tcg'), /drive a is not attached/);
  assert.throws(() => restoredRecord(now, saved, 'kvm'), /ran with tcg/);
  const more = restoredRecord(withDrive(now, 'c', 'Disk', '/c'), saved, 'tcg');
  assert.deepEqual(
    more.late.drives.map((d) => d.spec.id),
    ['c'],
  );
});
test('descriptions that QEMU cannot run are refused', () => {
  const refused = (kind: string, changes: Parameters<typeof specOf>[0]) =>
    assert.throws(
      () => checkSpec(specOf(changes)),
      (e) => isKind(e, kind),
    );
  checkSpec(specOf());
  refused('Unimplemented', { domainType: 'pv' });
  refused('Bad_spec', { platform: { machine: 'sparc' } });
  refused('Bad_spec', { platform: { machine: 'microvm' } });
  refused('Bad_spec', { memory: { staticMax: 10, dynamicMax: 10, dynamicMin: 10 } });
  refused('Invalid_vcpus', { vcpus: { max: 1, current: 2 } });
  refused('Bad_spec', { boot: { kind: 'kernel', kernel: '/k', cmdline: 'x'.repeat(1 << 20) } });
});
