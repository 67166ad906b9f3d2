/** The records of imported VMs. Their disks are there already, or the drives stay away. */
import { never, nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Patch, Writer } from '../../db/db.ts';
import type { Working } from '../context.ts';
import { refreshVm } from '../guards.ts';
import { randomMac } from '../handlers/vif-mac.ts';
import { ownFields } from '../handlers/vm-copy.ts';
import { checkMemory, checkVcpus } from '../handlers/vm-limits.ts';
import { removeRecords } from '../sync.ts';
import type { Objects, Told } from './objects.ts';
import { imageFor, networkFor } from './surroundings.ts';

export interface NewVms {
  readonly objects: Objects;
  /** Name in the stream → disk here. */
  readonly disks: ReadonlyMap<string, Ref<'VDI'>>;
  /** Keeps UUIDs and MAC addresses. */
  readonly restore: boolean;
}
/** Fields that speak of the pool where the VM was. */
const foreign = new Set([
  ...ownFields,
  ...[
    'affinity',
    'appliance',
    'protection_policy',
    'snapshot_schedule',
    'suspend_SR',
    'ha_always_run',
    'is_control_domain',
  ],
]);

/** Makes them all in one write, and registers those that are no templates. All or none. Answers name in the stream → VM. */
export async function createVms(working: Working, a: NewVms): Promise<ReadonlyMap<string, Ref<'VM'>>> {
  const { db, registrar } = working;
  const vms = a.objects.all('VM').filter(({ told }) => !told.is_control_domain);
  for (const { told } of vms) checkVm(working, told, a.restore);
  const made = db.write((w) => {
    const refs = new Map<string, Ref<'VM'>>();
    for (const { id, told } of vms) refs.set(id, createVm(working, w, told, a));
    for (const { id, told } of vms) link(w, refs.get(id) as Ref<'VM'>, told, refs);
    for (const ref of refs.values()) refreshVm(db, w, ref);
    return refs;
  });
  try {
    for (const ref of made.values()) await registrar.push(ref);
    return made;
  } catch (error) {
    await removeVms(working, [...made.values()]);
    throw error;
  }
}
/** Takes VMs away again; their disks stay. */
export async function removeVms({ db, registrar }: Working, refs: readonly Ref<'VM'>[]): Promise<void> {
  for (const ref of refs) {
    if (!db.has('VM', ref)) continue;
    await registrar.remove(db.get('VM', ref).uuid);
    db.write((w) => {
      if (db.has('VM', ref)) removeRecords(db, w, ref);
    });
  }
}
function checkVm({ db }: Working, told: Told<'VM'>, restore: boolean): void {
  const there = restore && told.uuid !== undefined ? db.findByUuid('VM', told.uuid) : undefined;
  if (there) throw fail('DUPLICATE_VM', { vm: there });
  const draft = { memory_static_min: 0, ...told } as Rec<'VM'>;
  checkMemory(draft);
  checkVcpus(draft);
}
function createVm(working: Working, w: Writer, told: Told<'VM'>, a: NewVms): Ref<'VM'> {
  const carried = Object.fromEntries(Object.entries(told).filter(([name]) => !foreign.has(name))) as Patch<'VM'>;
  const { default_template: _, ...other_config } = told.other_config ?? {};
  const metrics = a.objects.find('VM_metrics', told.metrics);
  const vm = w.create('VM', {
    ...carried,
    ...(a.restore && told.uuid ? { uuid: told.uuid } : {}),
    ...{
      is_a_template: told.is_a_template ?? false,
      blocked_operations: {},
      power_state: 'Halted',
      suspend_VDI: nullRef,
    },
    other_config: a.restore ? other_config : { ...other_config, mac_seed: working.ids.uuid() },
    metrics: w.create('VM_metrics', metrics?.install_time ? { install_time: metrics.install_time } : {}),
    domid: -1,
  });
  for (const vbd of told.VBDs ?? []) createVbd(working, w, vm, a.objects.find('VBD', vbd), a);
  for (const vif of told.VIFs ?? []) createVif(working, w, vm, a.objects.find('VIF', vif), a);
  return vm;
}
/** A snapshot whose VM comes too stays one; any other is a template by itself. */
function link(w: Writer, ref: Ref<'VM'>, told: Told<'VM'>, refs: ReadonlyMap<string, Ref<'VM'>>): void {
  const here = (name: string | undefined) => (name === undefined ? undefined : refs.get(name)) ?? nullRef;
  const of = here(told.snapshot_of);
  const isSnapshot = told.is_a_snapshot === true && of !== nullRef;
  w.set('VM', ref, { parent: here(told.parent) });
  if (!isSnapshot) return;
  const { snapshot_time = never, snapshot_info = {}, snapshot_metadata = '' } = told;
  w.set('VM', ref, { is_a_snapshot: true, snapshot_of: of, snapshot_time, snapshot_info, snapshot_metadata });
}
function createVbd(working: Working, w: Writer, vm: Ref<'VM'>, told: Told<'VBD'> | undefined, a: NewVms): void {
  if (!told) return;
  const { userdevice = 'autodetect', bootable = false, mode = 'RW', type = 'Disk', unpluggable = true } = told;
  const { device = '', qos_algorithm_type = '', qos_algorithm_params = {}, other_config = {} } = told;
  const VDI =
    type === 'CD' ? imageFor(working, a.objects.find('VDI', told.VDI)) : (a.disks.get(told.VDI ?? '') ?? nullRef);
  if (type !== 'CD' && VDI === nullRef) return;
  w.create('VBD', {
    ...{
      userdevice,
      bootable,
      mode,
      type,
      unpluggable,
      device,
      qos_algorithm_type,
      qos_algorithm_params,
      other_config,
    },
    ...{ VM: vm, VDI, empty: VDI === nullRef },
    metrics: w.create('VBD_metrics', {}),
  });
}
function createVif(working: Working, w: Writer, vm: Ref<'VM'>, told: Told<'VIF'> | undefined, a: NewVms): void {
  if (!told) return;
  const { device = '0', MTU = 1500, other_config = {}, qos_algorithm_type = '', qos_algorithm_params = {} } = told;
  const { locking_mode = 'network_default', ipv4_allowed = [], ipv6_allowed = [] } = told;
  const keep = a.restore && told.MAC !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(told.MAC);
  w.create('VIF', {
    ...{ device, MTU, other_config, qos_algorithm_type, qos_algorithm_params },
    ...{ locking_mode, ipv4_allowed, ipv6_allowed },
    ...{ VM: vm, network: networkFor(working, a.objects.find('network', told.network)) },
    MAC: keep ? (told.MAC as string).toLowerCase() : randomMac(working.ids),
    MAC_autogenerated: keep ? (told.MAC_autogenerated ?? false) : true,
    metrics: w.create('VIF_metrics', {}),
  });
}
