/** VMs with disks whose bytes are looked at, for tests of snapshots: real disks below the simulator. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Rec } from '../../src/datamodel/index.ts';
import type { DiskHouse } from './disk-house.ts';

export const nullRef = 'OpaqueRef:NULL';
const mib = 1 << 20;

export const vmOf = (h: DiskHouse, vm: string) => h.root<Rec<'VM'>>('VM.get_record', vm);
export async function makeVm(h: DiskHouse): Promise<string> {
  const [template] = await h.root<string[]>('VM.get_by_name_label', 'Tiny Linux');
  const vm = await h.root('VM.clone', template, 'one');
  await h.root('VM.provision', vm);
  return vm;
}
export async function addDisk(h: DiskHouse, vm: string, userdevice: string, virtual_size = 8 * mib): Promise<string> {
  const [pool] = await h.root<string[]>('pool.get_all');
  const common = { name_label: `disk ${userdevice}`, name_description: '', sharable: false, read_only: false };
  const SR = await h.root('pool.get_default_SR', pool);
  const VDI = await h.root('VDI.create', { ...common, SR, virtual_size, type: 'user', other_config: {} });
  const drive = { userdevice, bootable: false, mode: 'RW', type: 'Disk', unpluggable: true, empty: false };
  const qos = { qos_algorithm_type: '', qos_algorithm_params: {}, other_config: {} };
  await h.root('VBD.create', { VM: vm, VDI, ...drive, ...qos });
  return VDI;
}
/** The disk in that drive of the VM. */
export async function diskAt(h: DiskHouse, vm: string, userdevice: string): Promise<string> {
  for (const ref of (await vmOf(h, vm)).VBDs) {
    const vbd = await h.root<Rec<'VBD'>>('VBD.get_record', ref);
    if (vbd.userdevice === userdevice) return vbd.VDI;
  }
  return nullRef;
}
/** What the disk is in now; a guest that has it open may know it by an older name. */
export function newestFile(files: readonly string[], vdi: string): string {
  const generation = (name: string) => Number(name.slice(vdi.length + 1).split('.')[0]) || 0;
  const own = files.filter((name) => name.startsWith(vdi) && !name.endsWith('.json'));
  return own.sort((a, b) => generation(b) - generation(a))[0] ?? assert.fail(`no file of ${vdi}`);
}
export async function fileOf(h: DiskHouse, vdi: string): Promise<string> {
  const { uuid, SR } = await h.root<Rec<'VDI'>>('VDI.get_record', vdi);
  const [pbd] = await h.root<string[]>('SR.get_PBDs', SR);
  const { location = '' } = await h.root<Record<string, string>>('PBD.get_device_config', pbd);
  return join(location, newestFile(readdirSync(location), uuid));
}
const io = (file: string, command: string) => execFileSync('qemu-io', ['-c', command, file], { encoding: 'utf8' });
export const write = async (h: DiskHouse, vdi: string, byte: number) =>
  io(await fileOf(h, vdi), `write -P ${byte} 0 1M`);
export const holds = async (h: DiskHouse, vdi: string, byte: number) =>
  assert.doesNotMatch(io(await fileOf(h, vdi), `read -P ${byte} 0 1M`), /verification failed/i);
export const code = (expected: string) => (error: Error & { wire?: readonly string[] }) => {
  assert.equal(error.wire?.[0], expected, error.message);
  return true;
};
export const countDisks = async (h: DiskHouse) => (await h.root<string[]>('VDI.get_all')).length;
