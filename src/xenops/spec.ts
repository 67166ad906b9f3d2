/** What a description must fulfil on any ground. */
import { isIPv4, isIPv6 } from 'node:net';
import { pciAddress, usbPath } from '../contracts/devices.ts';
import { biosStringProblem } from '../contracts/guest.ts';
import { type VbdSpec, type VifSpec, type VmSpec, xenopsErrors } from '../contracts/xenops.ts';

const bad = (key: string, value: unknown, reason: string) =>
  xenopsErrors.make('Bad_spec', { key, value: String(value), reason });
const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** Ids become names of files, sockets and devices. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Bad_spec. */
export function checkSpec(spec: VmSpec): void {
  checkId('id', spec.id);
  const { staticMax, dynamicMax, dynamicMin } = spec.memory;
  if (!(dynamicMin > 0)) throw bad('memory.dynamicMin', dynamicMin, `${dynamicMin} is not greater than 0`);
  if (dynamicMin > dynamicMax)
    throw bad('memory.dynamicMin', dynamicMin, `${dynamicMin} is greater than dynamicMax, ${dynamicMax}`);
  if (dynamicMax > staticMax)
    throw bad('memory.dynamicMax', dynamicMax, `${dynamicMax} is greater than staticMax, ${staticMax}`);
  const { max, current } = spec.vcpus;
  if (max < 1) throw bad('vcpus.max', max, `${max} is not greater than 0`);
  if (current < 1 || current > max) throw bad('vcpus.current', current, `${current} is not between 1 and ${max}`);
  for (const address of spec.pcis ?? [])
    if (!pciAddress.test(address)) throw bad('pcis', address, 'it is no address of a PCI device, such as 0000:03:00.0');
  for (const { id, path } of spec.usbs ?? []) {
    checkId('usbs.id', id);
    if (!usbPath.test(path)) throw bad('usbs', path, 'it is no place of a USB device, such as 1-1.2');
  }
  for (const [key, text] of Object.entries(spec.biosStrings ?? {})) checkBiosString(key, text);
  checkDistinct('vbds', spec.vbds);
  checkDistinct('vifs', spec.vifs);
  spec.vbds.forEach(checkVbd);
  spec.vifs.forEach(checkVif);
}
function checkBiosString(key: string, text: string): void {
  const problem = biosStringProblem(key, text);
  if (problem !== undefined) throw bad(`biosStrings.${key}`, text, problem);
}
/** Bad_spec. */
export function checkVbd(vbd: VbdSpec): void {
  checkId('vbd.id', vbd.id);
  if (vbd.type === 'Disk' && vbd.media === null)
    throw bad(`vbd.${vbd.id}.media`, '', 'only a CD or floppy drive may be empty');
  if (vbd.media?.kind === 'path' && !vbd.media.path.startsWith('/')) {
    throw bad(`vbd.${vbd.id}.media.path`, vbd.media.path, `${vbd.media.path} is not an absolute path`);
  }
}
/** Bad_spec. */
export function checkVif(vif: VifSpec): void {
  checkId('vif.id', vif.id);
  if (!macPattern.test(vif.mac)) throw bad(`vif.${vif.id}.mac`, vif.mac, `${vif.mac} is not a MAC address`);
  const wrong = (family: string, address: string) =>
    bad(`vif.${vif.id}.lock.${family}`, address, `${JSON.stringify(address)} is not one ${family} address`);
  for (const address of vif.lock?.ipv4 ?? []) if (!isIPv4(address)) throw wrong('ipv4', address);
  for (const address of vif.lock?.ipv6 ?? [])
    if (!isIPv6(address) || address.includes('%')) throw wrong('ipv6', address);
}
/** The list with `device` in the place of the one with its id, or added. Bad_spec when its position is taken. */
export function withDevice<D extends VbdSpec | VifSpec>(key: string, list: readonly D[], device: D): readonly D[] {
  const next = [...list.filter((d) => d.id !== device.id), device];
  checkDistinct(key, next);
  return next;
}

function checkId(key: string, id: string): void {
  if (!idPattern.test(id)) {
    throw bad(
      key,
      id,
      `${JSON.stringify(id)} must be 1 to 64 letters, digits, "_", "." or "-", and begin with a letter or digit`,
    );
  }
}
function checkDistinct(key: string, devices: readonly { readonly id: string; readonly position: number }[]): void {
  const ids = new Set<string>();
  const positions = new Set<number>();
  for (const { id, position } of devices) {
    if (ids.has(id)) throw bad(key, id, `the id ${id} is there twice`);
    if (positions.has(position)) throw bad(key, position, `the position ${position} is there twice`);
    ids.add(id);
    positions.add(position);
  }
}
