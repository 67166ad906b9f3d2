/** Two drives and an interface that were attached side by side were given one PCI slot: the record was read before a wait. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Domain } from '../../src/xenops/backends/qemu/domain.ts';
import { attachDrive, attachNic } from '../../src/xenops/backends/qemu/plug.ts';
import type { DomainRecord } from '../../src/xenops/backends/qemu/record.ts';
import { recordOf, specOf } from '../../src/xenops/backends/qemu/testing.ts';

test('devices attached at once have places of their own', async () => {
  let record: DomainRecord = recordOf(specOf());
  const domain = {
    get record() {
      return record;
    },
    built: false,
    changed: () => undefined,
    async update(changes: Partial<DomainRecord>) {
      record = { ...record, ...changes };
    },
  } as unknown as Domain;
  const disk = { path: import.meta.filename, format: 'qcow2', readOnly: false } as const;
  const drive = (id: string, position: number) => ({
    spec: { id, position, type: 'Disk', mode: 'RW', media: null } as const,
    disk,
  });
  const nic = (id: string, position: number) => ({
    spec: { id, position, mac: '02:00:00:00:00:01', bridge: 'b' },
    port: { kind: 'user', forwards: [] } as const,
  });
  await Promise.all([
    attachDrive(domain, drive('a', 0)),
    attachNic(domain, nic('b', 0)),
    attachDrive(domain, drive('c', 1)),
    attachNic(domain, nic('d', 1)),
  ]);
  const slots = [...record.drives, ...record.nics].map((d) => d.slot);
  assert.equal(new Set(slots).size, 4, `slots: ${slots}`);
});
