/** Records for a VM that was added through another door: the VM, its drives and its interfaces. */
import type { Log } from '../base/log.ts';
import type { Content, VbdSpec, VifSpec, VmSpec } from '../contracts/xenops.ts';
import { nullRef, type Ref } from '../datamodel/dsl.ts';
import type { Rec } from '../datamodel/index.ts';
import type { Db, Patch, Writer } from '../db/db.ts';
import { movedFields } from './moved-record.ts';
import { driveName, fieldsOfSpec, vifLock } from './translate/vm.ts';

interface Parts {
  readonly db: Db;
  readonly host: Ref<'host'>;
  readonly log: Log;
}

/** Makes the records of a VM that has none. */
export function adoptVm(parts: Parts, w: Writer, spec: VmSpec): Ref<'VM'> {
  const metrics = w.create('VM_metrics', {});
  const vm = w.create('VM', {
    uuid: spec.id,
    is_a_template: false,
    metrics,
    affinity: nullRef,
    ...fieldsOfSpec(spec),
    ...movedFields(spec, parts.log).vm,
  });
  replaceDevices(parts, w, vm, spec);
  return vm;
}

/** Makes the device records equal to the description: by id, so that those that stay keep their references. */
export function replaceDevices(parts: Parts, w: Writer, vm: Ref<'VM'>, spec: VmSpec): void {
  const { db } = parts;
  const moved = movedFields(spec, parts.log);
  // Volumes of files have no records: the VM's own says what is in them.
  const vbds = new Map(spec.vbds.flatMap((v) => (v.media?.kind === 'files' ? [] : [[v.id, v] as const])));
  for (const r of db.get('VM', vm).VBDs) {
    const wanted = vbds.get(db.get('VBD', r).uuid);
    if (!wanted) w.destroy('VBD', r);
    else w.set('VBD', r, { ...vbdFields(parts, w, wanted), ...driveLimits(wanted, db.get('VBD', r)) });
    if (wanted) vbds.delete(wanted.id);
  }
  for (const v of vbds.values())
    w.create('VBD', {
      uuid: v.id,
      VM: vm,
      metrics: w.create('VBD_metrics', {}),
      ...moved.vbd(v.id),
      ...vbdFields(parts, w, v),
      ...driveLimits(v),
    });
  const vifs = new Map(spec.vifs.map((v) => [v.id, v]));
  for (const r of db.get('VM', vm).VIFs) {
    const wanted = vifs.get(db.get('VIF', r).uuid);
    if (!wanted) w.destroy('VIF', r);
    else {
      const known = db.get('VIF', r);
      w.set('VIF', r, { ...vifFields(parts, w, wanted), ...lockFields(wanted, known), ...rateFields(wanted, known) });
    }
    if (wanted) vifs.delete(wanted.id);
  }
  for (const v of vifs.values())
    w.create('VIF', {
      uuid: v.id,
      VM: vm,
      metrics: w.create('VIF_metrics', {}),
      ...lockFields(v),
      ...rateFields(v),
      ...moved.vif(v.id),
      ...vifFields(parts, w, v),
    });
}

function vbdFields(parts: Parts, w: Writer, v: VbdSpec) {
  return {
    userdevice: String(v.position),
    device: driveName(v.position),
    type: v.type,
    mode: v.mode,
    bootable: v.bootable ?? v.position === 0,
    unpluggable: v.unpluggable ?? true,
    empty: v.media === null,
    VDI: v.media === null ? (nullRef as Ref<'VDI'>) : vdiOf(parts, w, v.media),
  };
}

/** The disk of a repository, or a record in a hidden, unmanaged repository for a file or device that none holds. */
function vdiOf(parts: Parts, w: Writer, media: Content): Ref<'VDI'> {
  const { db } = parts;
  if (media.kind === 'files') return nullRef as Ref<'VDI'>;
  if (media.kind === 'vdi') return db.findByUuid('VDI', media.vdi) ?? (nullRef as Ref<'VDI'>);
  const sr = unmanagedSr(parts, w);
  const there = db.where('VDI', 'SR', sr).find((r) => db.get('VDI', r).location === media.path);
  if (there) return there;
  return w.create('VDI', {
    name_label: media.path.slice(media.path.lastIndexOf('/') + 1),
    location: media.path,
    SR: sr,
    type: 'user',
    managed: false,
    other_config: { path: media.path, format: media.format },
  });
}

function unmanagedSr({ db, host }: Parts, w: Writer): Ref<'SR'> {
  for (const [ref, sr] of db.rows('SR')) if (sr.type === 'unmanaged') return ref;
  const sr = w.create('SR', {
    name_label: 'Disks outside storage repositories',
    type: 'unmanaged',
    content_type: 'user',
    other_config: { 'hide-from-clients': 'true', indestructible: 'true' },
  });
  w.create('PBD', { SR: sr, host, currently_attached: true });
  return sr;
}

function vifFields({ db }: Parts, w: Writer, v: VifSpec) {
  let network: Ref<'network'> | undefined;
  for (const [ref, n] of db.rows('network')) if (n.bridge === v.bridge) network = ref;
  network ??= w.create('network', { name_label: v.bridge, bridge: v.bridge, managed: false });
  return { device: String(v.position), MAC: v.mac, MTU: v.mtu ?? 1500, network };
}
/** How it is limited, where the record says otherwise. */
function rateFields({ rateKib = 0 }: VifSpec, known?: Rec<'VIF'>): Patch<'VIF'> {
  if ((limitsOf(known)?.['kbps'] ?? '0') === String(rateKib)) return {};
  return rateKib === 0 ? { qos_algorithm_type: '' } : limitedTo({ kbps: String(rateKib) });
}
function driveLimits({ qos }: VbdSpec, known?: Rec<'VBD'>): Patch<'VBD'> {
  if (JSON.stringify(limitsOf(known)) === JSON.stringify(qos)) return {};
  return qos === undefined ? { qos_algorithm_type: '' } : limitedTo(qos);
}
/** As they stand there, right or wrong. */
const limitsOf = (known: Rec<'VBD'> | Rec<'VIF'> | undefined) =>
  known?.qos_algorithm_type === 'ratelimit' ? known.qos_algorithm_params : undefined;
const limitedTo = (params: Readonly<Record<string, string>>) => ({
  qos_algorithm_type: 'ratelimit',
  qos_algorithm_params: params,
});
/** How it is locked, where the record says otherwise: a record can leave that to its network. */
function lockFields({ lock }: VifSpec, known?: Rec<'VIF'>): Patch<'VIF'> {
  const before = known && vifLock(known, 'unlocked');
  if (JSON.stringify(before) === JSON.stringify(lock)) return {};
  if (lock?.mode !== 'locked') return { locking_mode: lock?.mode ?? 'unlocked' };
  return { locking_mode: 'locked', ipv4_allowed: lock.ipv4, ipv6_allowed: lock.ipv6 };
}
