/** `get` and `set`: a VM's settings under xenvm's names. What the description says now stands over what a file once said. */
import type { VmSpec } from '../../contracts/xenops.ts';
import { readXenvm } from '../../wire/xenvm-config.ts';
import { canonical, xenvmKeys } from '../../wire/xenvm-keys.ts';
import { parseInteger } from '../../wire/xenvm-syntax.ts';
import { describe, type Ground, listsText, note } from './describe.ts';

const mib = 1 << 20;
/** KiB that a domain takes beside its memory. */
const overheadKib = 1024;

/** What the description says by itself, as lines of a file would: memory in MiB. */
function described(spec: VmSpec): Record<string, string> {
  const { boot, memory } = spec;
  const kernel: Record<string, string> =
    boot.kind === 'kernel' ? { kernel: boot.kernel, cmdline: boot.cmdline, initrd: boot.ramdisk ?? '' } : {};
  return {
    name: spec.name,
    hvm: String(spec.domainType === 'hvm'),
    memory: String(Math.ceil(memory.dynamicMax / mib)),
    'memory-max': String(Math.ceil(memory.staticMax / mib)),
    vcpus: String(spec.vcpus.current),
    ...kernel,
    ...('order' in boot ? { boot: boot.order } : ({} as Record<string, string>)),
    ...{ on_halt: spec.onPoweroff, on_restart: spec.onReboot, on_crash: spec.onCrash },
  };
}
const noted = (spec: VmSpec) => readXenvm('the notes of the VM', spec.notes?.[note] ?? '');
function settingsOf(spec: VmSpec): Map<string, string> {
  const settings = new Map([...noted(spec).scalars].map(([key, { value }]) => [key, value]));
  for (const [key, value] of Object.entries(described(spec))) settings.set(key, value);
  return settings;
}
function known(field: string): string {
  const key = canonical(field);
  const declared = xenvmKeys.get(key);
  if (!declared || declared.fileOnly) throw new Error(`field: there is no field "${field}" to read or change`);
  return key;
}

/** Memory is told in KiB. An Error for a field that is not there. */
export function getField(spec: VmSpec, field: string): string {
  if (field === 'required-to-boot-kib') return String(Math.ceil(spec.memory.dynamicMax / 1024) + overheadKib);
  const key = known(field);
  if (key === 'memory') return String(spec.memory.dynamicMax / 1024);
  if (key === 'memory-max') return String(spec.memory.staticMax / 1024);
  return settingsOf(spec).get(key) ?? xenvmKeys.get(key)?.otherwise ?? '';
}
/** The description with the field changed and all else as it is; memory is given in KiB. XenvmError. */
export function setField(spec: VmSpec, field: string, value: string, ground: Ground): VmSpec {
  const key = known(field);
  const before = settingsOf(spec);
  const after = new Map(before).set(key, inMib(key, value));
  // A VM whose most is its memory keeps it so.
  if (key === 'memory' && before.get('memory') === before.get('memory-max')) after.set('memory-max', inMib(key, value));
  const read = (settings: ReadonlyMap<string, string>) => {
    const text = [...settings].map(([k, v]) => `${k} = ${v.replaceAll('\n', '\0')}\n`).join('');
    return describe(readXenvm('set', text + listsText(noted(spec))), spec.id, ground, spec);
  };
  const [was, is] = [read(before), read(after)];
  const changed = (Object.keys(is) as (keyof VmSpec)[]).filter(
    (part) => part !== 'vbds' && part !== 'vifs' && JSON.stringify(was[part]) !== JSON.stringify(is[part]),
  );
  const parts = Object.fromEntries(changed.map((part) => [part, is[part]]));
  return {
    ...spec,
    ...parts,
    platform: merged(spec.platform, was.platform, is.platform),
    notes: { ...spec.notes, ...is.notes },
  };
}
function inMib(key: string, value: string): string {
  if (key !== 'memory' && key !== 'memory-max') return value;
  const kib = parseInteger(value);
  return kib === undefined ? value : String(Math.ceil(kib / 1024));
}
/** What `is` has other than `was`, put into `now`. */
function merged(
  now: Readonly<Record<string, string>>,
  was: VmSpec['platform'],
  is: VmSpec['platform'],
): VmSpec['platform'] {
  const kept = Object.entries(now).filter(([key]) => !(key in was) || key in is || was[key] !== now[key]);
  const changed = Object.entries(is).filter(([key, value]) => was[key] !== value);
  return Object.fromEntries([...kept, ...changed]);
}
