/** Descriptions and records for this folder's tests. */
import type { VmSpec } from '../../../contracts/xenops.ts';
import { machineFor } from './machine.ts';
import { placeDrive, placeNic } from './placement.ts';
import type { DomainRecord } from './record.ts';

const mib = 1 << 20;
export const vmId = '0f3c9a10-0000-4000-8000-000000000001';
export function specOf(changes: Partial<VmSpec> = {}): VmSpec {
  return {
    id: vmId,
    name: 'guest',
    domainType: 'hvm',
    boot: { kind: 'bios', order: 'cd' },
    memory: { staticMax: 256 * mib, dynamicMax: 256 * mib, dynamicMin: 128 * mib },
    vcpus: { max: 4, current: 2 },
    onPoweroff: 'destroy',
    onReboot: 'restart',
    onCrash: 'destroy',
    vbds: [],
    vifs: [],
    platform: {},
    autostart: false,
    order: 0,
    startDelayS: 0,
    shutdownDelayS: 0,
    ...changes,
  };
}
export function recordOf(spec: VmSpec): DomainRecord {
  return {
    version: 1,
    spec,
    domid: 1,
    phase: 'created',
    startedAt: 0,
    machine: machineFor(spec, '7.2', 'tcg'),
    drives: [],
    nics: [],
    vcpus: spec.vcpus.current,
    memoryTarget: spec.memory.staticMax,
    discs: {},
  };
}
export function withDrive(record: DomainRecord, id: string, type: 'Disk' | 'CD', path: string | null): DomainRecord {
  const spec = { id, position: record.drives.length, type, mode: 'RW', media: null } as const;
  const disk = path === null ? null : ({ path, format: type === 'CD' ? 'raw' : 'qcow2', readOnly: false } as const);
  return { ...record, drives: [...record.drives, placeDrive(record, spec, disk, { block: false })] };
}
export function withNic(record: DomainRecord, id: string): DomainRecord {
  const spec = { id, position: record.nics.length, mac: '52:54:00:00:00:01', bridge: 'br', mtu: 1400 };
  const forwards = [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 2222, guestPort: 22 }] as const;
  return { ...record, nics: [...record.nics, placeNic(record, spec, { kind: 'user', forwards })] };
}
