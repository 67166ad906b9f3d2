/** The objects that an export tells of, and their names in it: references become `Ref:0`, `Ref:1`, …; others become null. */
import { nullRef, type Ref, type Type } from '../../datamodel/dsl.ts';
import { type ClassName, classes, type Rec } from '../../datamodel/index.ts';
import type { Reader } from '../../db/db.ts';
import { xmlValue } from '../../wire/xmlrpc.ts';
import { writeOva, xvaVersion } from '../../wire/xva.ts';
import { timeText } from '../decode.ts';

/** In this order they come. */
const order = [
  ...([
    'host',
    'VM',
    'VM_metrics',
    'VM_guest_metrics',
    'VBD',
    'VIF',
    'network',
    'VDI',
    'SR',
    'VGPU_type',
    'VGPU',
  ] as const),
  ...(['GPU_group', 'PVS_proxy', 'PVS_site', 'VTPM'] as const),
] as const satisfies readonly ClassName[];
type Kind = (typeof order)[number];
/** What `excluded_device_types` may name. */
export type DeviceType = 'vif' | 'vbd' | 'vgpu' | 'vtpm';

export interface Wanted {
  readonly vms: readonly Ref<'VM'>[];
  /** Their snapshots too. */
  readonly snapshots: boolean;
  readonly without: ReadonlySet<DeviceType>;
  /** VMs that are Suspended stay so; else they are told of as Halted. */
  readonly keepPower: boolean;
}
export interface Collected {
  readonly objects: readonly { readonly cls: Kind; readonly ref: string }[];
  /** Reference → name in the stream. */
  readonly names: ReadonlyMap<string, string>;
  readonly wanted: Wanted;
}

export function collect(db: Reader, wanted: Wanted): Collected {
  const found = new Map<Kind, Set<string>>(order.map((cls) => [cls, new Set<string>()]));
  const add = (cls: Kind, ref: string): boolean => {
    if (ref === nullRef || !db.has(cls, ref)) return false;
    found.get(cls)?.add(ref);
    return true;
  };
  for (const ref of wanted.vms) {
    const vm = db.get('VM', ref);
    for (const each of wanted.snapshots ? [ref, ...vm.snapshots] : [ref]) addVm(db, each as Ref<'VM'>, wanted, add);
  }
  const objects = order.flatMap((cls) => [...(found.get(cls) ?? [])].map((ref) => ({ cls, ref })));
  return { objects, names: new Map(objects.map(({ ref }, i) => [ref, `Ref:${i}`])), wanted };
}
type Add = (cls: Kind, ref: string) => boolean;
function addVm(db: Reader, ref: Ref<'VM'>, { without, keepPower }: Wanted, add: Add): void {
  const vm = db.get('VM', ref);
  add('VM', ref);
  add('VM_metrics', vm.metrics);
  add('VM_guest_metrics', vm.guest_metrics);
  for (const host of [vm.affinity, vm.resident_on]) add('host', host);
  if (!without.has('vbd')) for (const vbd of vm.VBDs) if (add('VBD', vbd)) addDisk(db, db.get('VBD', vbd).VDI, add);
  if (!without.has('vif')) for (const vif of vm.VIFs) if (add('VIF', vif)) add('network', db.get('VIF', vif).network);
  if (!without.has('vtpm')) for (const vtpm of vm.VTPMs) add('VTPM', vtpm);
  if (keepPower && vm.power_state === 'Suspended') addDisk(db, vm.suspend_VDI, add);
}
function addDisk(db: Reader, ref: string, add: Add): void {
  if (add('VDI', ref)) add('SR', db.get('VDI', ref).SR);
}

/** The disks whose content goes with the VMs, sorted by their names in the stream: those of drives that are no CD drives. */
export function disksOf(
  db: Reader,
  { objects, names }: Collected,
): readonly { readonly ref: Ref<'VDI'>; readonly id: string }[] {
  const content = new Set<string>();
  for (const { cls, ref } of objects) {
    const vbd = cls === 'VBD' ? db.get('VBD', ref) : undefined;
    if (vbd && vbd.type !== 'CD') content.add(vbd.VDI);
    if (cls === 'VM') content.add(db.get('VM', ref).suspend_VDI);
  }
  const isImage = (ref: string) => db.get('SR', db.get('VDI', ref).SR).content_type === 'iso';
  return objects
    .filter(({ cls, ref }) => cls === 'VDI' && content.has(ref) && !isImage(ref))
    .map(({ ref }) => ({ ref: ref as Ref<'VDI'>, id: names.get(ref) as string }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

export interface About {
  readonly hostname: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly software: Readonly<Record<string, string>>;
}
/** `ova.xml`. */
export function describe(
  db: Reader,
  { objects, names, wanted }: Collected,
  { hostname, now, software }: About,
): string {
  const version = {
    hostname,
    date: timeText(now),
    product_version: software['product_version'] ?? '',
    product_brand: software['product_brand'] ?? '',
    build_number: software['build_number'] ?? '',
    xapi_major: 1,
    xapi_minor: 20,
    export_vsn: xvaVersion,
  };
  return writeOva(
    version,
    objects.map(({ cls, ref }) => {
      const record = db.get(cls, ref) as unknown as Readonly<Record<string, unknown>>;
      const told = cls === 'VM' ? vmAsTold(record as unknown as Rec<'VM'>, wanted.keepPower) : record;
      return {
        cls,
        id: names.get(ref) as string,
        snapshot: xmlValue({ kind: 'record', cls }, renamed(cls, told, names)),
      };
    }),
  );
}
function vmAsTold(vm: Rec<'VM'>, keepPower: boolean): Readonly<Record<string, unknown>> {
  const idle = { ...vm, current_operations: {}, allowed_operations: [] };
  return keepPower && vm.power_state === 'Suspended' ? idle : { ...idle, power_state: 'Halted', suspend_VDI: nullRef };
}
function renamed(
  cls: Kind,
  record: Readonly<Record<string, unknown>>,
  names: ReadonlyMap<string, string>,
): Readonly<Record<string, unknown>> {
  const fields = Object.entries(
    classes[cls]?.fields as Readonly<Record<string, { type: Type<unknown>; internal?: boolean }>>,
  );
  const told = fields.filter(([name, f]) => !f.internal && record[name] !== undefined);
  return Object.fromEntries(told.map(([name, f]) => [name, rename(f.type, record[name], names)]));
}
function rename(type: Type<unknown>, value: unknown, names: ReadonlyMap<string, string>): unknown {
  const of = type.of ?? { kind: 'string' as const };
  switch (type.kind) {
    case 'ref':
      return names.get(value as string) ?? nullRef;
    case 'set':
      return (value as readonly unknown[])
        .map((v) => rename(of, v, names))
        .filter((v) => of.kind !== 'ref' || v !== nullRef);
    case 'map': {
      const isRef = type.key?.kind === 'ref';
      const entries = Object.entries(value as object);
      return Object.fromEntries(entries.map(([k, v]) => [isRef ? (names.get(k) ?? nullRef) : k, rename(of, v, names)]));
    }
    default:
      return value;
  }
}
