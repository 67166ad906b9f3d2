/** PCI, virtual GPU and USB devices: described in the VM's notes until a ground can plug them; a VM with one does not start. */
import type { VmSpec } from '../../contracts/xenops.ts';
import { missing } from './errors.ts';
import type { CallContext } from './parts.ts';
import type { Decoded, WireType } from './shape.ts';
import { type Metadata, pciT, vgpuT, vusbT } from './types.ts';

const kinds = { pci: pciT, vgpu: vgpuT, vusb: vusbT } as const;
export type OtherKind = keyof typeof kinds;
export type OtherDevice<K extends OtherKind> = Decoded<(typeof kinds)[K]>;
type AnyDevice = { readonly id: readonly [string, string] };

const prefix = (kind: OtherKind): string => `xenopsd:${kind}:`;
const typeOf = (kind: OtherKind) => kinds[kind] as WireType<unknown>;

/** Those that a description notes. */
export function otherDevices<K extends OtherKind>({ id, notes = {} }: VmSpec, kind: K): OtherDevice<K>[] {
  const rows = Object.entries(notes).filter(([key]) => key.startsWith(prefix(kind)));
  return rows.map(([key, text]) => {
    const device = typeOf(kind).decode(JSON.parse(text), key) as AnyDevice;
    return { ...device, id: [id, key.slice(prefix(kind).length)] } as unknown as OtherDevice<K>;
  });
}
/** The notes for the devices of a VM that is brought in whole. */
export function notesOf({ pcis, vgpus, vusbs }: Metadata): Record<string, string> {
  const rows = (kind: OtherKind, list: readonly AnyDevice[]) =>
    list.map((d) => [prefix(kind) + d.id[1], JSON.stringify(typeOf(kind).encode(d))] as const);
  return Object.fromEntries([...rows('pci', pcis), ...rows('vgpu', vgpus), ...rows('vusb', vusbs)]);
}
/** Does_not_exist when there is no such VM. */
export async function addOther(c: CallContext, kind: OtherKind, device: AnyDevice): Promise<readonly [string, string]> {
  const [vm, name] = device.id;
  const text = JSON.stringify(typeOf(kind).encode(device));
  await c.parts.xenops.vm.update({ id: vm, notes: { [prefix(kind) + name]: text } });
  c.parts.updates.touch({ kind, vm, id: name });
  return device.id;
}
/** Does_not_exist. */
export async function statOther<K extends OtherKind>(c: CallContext, kind: K, [vm, name]: readonly [string, string]) {
  const { spec } = await c.parts.xenops.vm.stat({ id: vm });
  const found = otherDevices(spec, kind).find((d) => d.id[1] === name);
  if (!found) throw missing(kind.toUpperCase(), `${vm}.${name}`);
  return found;
}
export async function listOther<K extends OtherKind>(c: CallContext, kind: K, vm: string): Promise<OtherDevice<K>[]> {
  return otherDevices((await c.parts.xenops.vm.stat({ id: vm })).spec, kind);
}
export async function removeOther(c: CallContext, kind: OtherKind, id: readonly [string, string]): Promise<null> {
  await statOther(c, kind, id);
  await c.parts.xenops.vm.update({ id: id[0], notes: { [prefix(kind) + id[1]]: null } });
  c.parts.updates.drop({ kind, vm: id[0], id: id[1] });
  return null;
}
