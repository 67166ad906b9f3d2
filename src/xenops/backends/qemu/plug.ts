/** Drives and interfaces: noted before the guest is built, plugged into QEMU after. */
import { stat } from 'node:fs/promises';
import { bestEffort } from '../../../base/best-effort.ts';
import { Unwind } from '../../../base/unwind.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { VbdAttachment, VifAttachment } from '../../backend.ts';
import {
  blockNode,
  controllerDevice,
  controllerOf,
  cutNode,
  driveDevice,
  netdev,
  nicDevice,
  nodeOf,
} from './devices.ts';
import type { Domain } from './domain.ts';
import { placeDrive, placeNic } from './placement.ts';
import { type Json, QmpError } from './qmp.ts';
import type { Drive, Nic } from './record.ts';
import { unplug } from './requests.ts';
import { tellThrottle, throttled, throttleOf } from './throttle.ts';

async function isBlockDevice(disk: OpenDisk | null): Promise<boolean> {
  if (!disk) return false;
  const found = await stat(disk.path).catch((error: unknown) => {
    throw xenopsErrors.make('Storage_error', { reason: `${disk.path} cannot be opened: ${String(error)}` });
  });
  return found.isBlockDevice();
}
const refuseHotPlug = (domain: Domain, what: string) =>
  xenopsErrors.make('Unimplemented', {
    function: `plugging ${what} into a running ${domain.record.machine.type} machine`,
    backend: 'qemu',
  });
const missing = (error: unknown): boolean =>
  error instanceof QmpError &&
  (error.class === 'DeviceNotFound' || /not found|Cannot find|Failed to find/i.test(error.message));

/** Undoes part of a plug that failed; why that failed is what counts. */
const undoing = (domain: Domain, command: string, args: Json) => () =>
  bestEffort('part of a device that could not be plugged', domain.needs.log, () => domain.execute(command, args));

/** Removes something of QEMU's that may be gone already. */
async function remove(domain: Domain, command: string, args: Json): Promise<void> {
  try {
    await domain.execute(command, args);
  } catch (error) {
    if (!missing(error)) throw error;
  }
}

export async function attachDrive(domain: Domain, { spec, disk }: VbdAttachment): Promise<void> {
  if (domain.record.drives.some((d) => d.spec.id === spec.id)) return;
  throttleOf(spec); // refused before anything is made
  // Asked first: devices are attached side by side, and the record must not be read before the wait and used after it.
  const block = await isBlockDevice(disk);
  const drive = placeDrive(domain.record, spec, disk, { block, running: domain.built });
  if (domain.built) await plugDrive(domain, drive);
  await domain.update({ drives: [...domain.record.drives, drive] });
  domain.changed();
}
async function plugDrive(domain: Domain, drive: Drive): Promise<void> {
  if (drive.connector >= 0) throw refuseHotPlug(domain, `the ${drive.spec.type} drive ${drive.spec.id}`);
  if (domain.record.machine.type === 'microvm') throw refuseHotPlug(domain, `the drive ${drive.spec.id}`);
  const node = blockNode(drive);
  await using undo = new Unwind();
  if (node) {
    await asStorage(() => domain.execute('blockdev-add', node));
    undo.add(undoing(domain, 'blockdev-del', { 'node-name': nodeOf(drive.device) }));
  }
  const controller = controllerDevice(domain.record.machine, drive);
  if (controller) {
    await domain.execute('device_add', controller);
    undo.add(undoing(domain, 'device_del', { id: controller['id'] }));
  }
  await domain.execute('device_add', driveDevice(domain.record.machine, drive));
  // Its device goes first: then the limit is of nothing.
  undo.add(undoing(domain, 'device_del', { id: drive.device }));
  if (throttled(drive)) await tellThrottle(domain, drive);
  undo.keep();
}
export async function asStorage<T>(f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    throw xenopsErrors.make('Storage_error', { reason: error.message }, { cause: error });
  }
}

export async function detachDrive(domain: Domain, id: string, force: boolean): Promise<void> {
  const drive = domain.record.drives.find((d) => d.spec.id === id && !d.cut);
  if (!drive) return;
  const gone = domain.built && domain.power !== 'ended' ? await unplugDrive(domain, drive, force) : true;
  const others = domain.record.drives.filter((d) => d !== drive);
  await domain.update({ drives: gone ? others : [...others, ghostOf(drive)] });
  domain.changed();
}
/** What is left of a device that was taken away by force keeps its place, under a name that no drive has. */
const ghostOf = <T extends Drive | Nic>(it: T): T => ({ ...it, cut: true, spec: { ...it.spec, id: `\0${it.device}` } });

/** Answers false when the guest still has the device, without a disk. */
async function unplugDrive(domain: Domain, drive: Drive, force: boolean): Promise<boolean> {
  const { id } = drive.spec;
  const fixed = drive.connector >= 0 || domain.record.machine.type === 'microvm';
  try {
    if (fixed)
      throw xenopsErrors.make('Device_detach_rejected', {
        id,
        reason: `a ${drive.spec.type} drive of this machine (${domain.record.machine.type}) cannot be unplugged while it runs`,
      });
    const controller = controllerDevice(domain.record.machine, drive);
    // A controller takes its drive along.
    const device = controller ? controllerOf(drive.device) : drive.device;
    const go = () => unplug(domain, device, (data) => data['device'] === device, id, force);
    await (controller && drive.disk ? withoutDisc(domain, drive, go) : go());
  } catch (error) {
    if (!force) throw error;
    domain.needs.log.warn('a drive was taken away from a guest that held on to it', { vm: domain.vm, id });
    await cutOff(domain, drive);
    return false;
  }
  await remove(domain, 'blockdev-del', { 'node-name': nodeOf(drive.device) });
  await removeLayers(domain, drive);
  return true;
}
/** Those that the guest went over to while it ran are not gone with the drive's node. */
async function removeLayers(domain: Domain, { layers = [] }: Drive): Promise<void> {
  for (const node of layers.toReversed()) await remove(domain, 'blockdev-del', { 'node-name': node });
}
/**
 * Unplugs a CD drive without its disc: QEMU never lets go of a disc that was put into a drive that was plugged empty. The disc is
 * put back when the guest keeps the drive.
 */
async function withoutDisc(domain: Domain, drive: Drive, unplugging: () => Promise<void>): Promise<void> {
  const id = drive.device;
  await domain.execute('blockdev-open-tray', { id, force: true });
  await domain.execute('blockdev-remove-medium', { id });
  try {
    await unplugging();
  } catch (error) {
    await bestEffort('the disc of a drive that the guest keeps', domain.needs.log, async () => {
      await domain.execute('blockdev-insert-medium', { id, 'node-name': nodeOf(id) });
      await domain.execute('blockdev-close-tray', { id });
    });
    throw error;
  }
}
/** Leaves the guest its device, but nothing behind it: every access fails and the disk is closed. */
async function cutOff(domain: Domain, drive: Drive): Promise<void> {
  if (!drive.disk) return;
  const { add, reopen } = cutNode(drive);
  await using undo = new Unwind();
  await domain.execute('blockdev-add', add);
  undo.add(undoing(domain, 'blockdev-del', { 'node-name': add['node-name'] }));
  await domain.execute('blockdev-reopen', { options: [reopen] });
  undo.keep();
  await removeLayers(domain, drive);
}

/** Puts a disc in, or takes it out. Putting the same disc in again changes nothing. */
export async function changeDisc(domain: Domain, id: string, disk: OpenDisk | null): Promise<void> {
  const drive = domain.record.drives.find((d) => d.spec.id === id);
  if (!drive) throw xenopsErrors.make('Device_not_connected', { id });
  if (drive.spec.type !== 'CD') throw xenopsErrors.make('Media_not_ejectable', { id });
  if (drive.disk?.path === disk?.path) return;
  const next: Drive = { ...drive, disk, block: await isBlockDevice(disk) };
  if (domain.built) await changeMedium(domain, drive, next);
  await domain.update({
    drives: domain.record.drives.map((d) => (d.spec.id === id ? next : d)),
    discs: { ...domain.record.discs, [id]: disk !== null },
  });
  domain.changed();
}
async function changeMedium(domain: Domain, before: Drive, after: Drive): Promise<void> {
  const id = before.device;
  const nodeName = { 'node-name': nodeOf(id) };
  await domain.execute('blockdev-open-tray', { id, force: true });
  await domain.execute('blockdev-remove-medium', { id });
  await remove(domain, 'blockdev-del', nodeName);
  const node = blockNode(after);
  try {
    if (node) {
      await asStorage(() => domain.execute('blockdev-add', node));
      await domain.execute('blockdev-insert-medium', { id, ...nodeName });
      if (throttled(after)) await tellThrottle(domain, after);
    }
  } catch (error) {
    const old = blockNode(before);
    await bestEffort('the disc that was in the drive before', domain.needs.log, async () => {
      await remove(domain, 'blockdev-del', nodeName);
      if (!old) return;
      await domain.execute('blockdev-add', old);
      await domain.execute('blockdev-insert-medium', { id, ...nodeName });
    });
    throw error;
  } finally {
    await bestEffort('the tray', domain.needs.log, () => domain.execute('blockdev-close-tray', { id }));
  }
}

export async function attachNic(domain: Domain, { spec, port }: VifAttachment): Promise<void> {
  if (domain.record.nics.some((n) => n.spec.id === spec.id)) return;
  const nic = placeNic(domain.record, spec, port);
  if (domain.built) await plugNic(domain, nic);
  await domain.update({ nics: [...domain.record.nics, nic] });
  domain.changed();
}
async function plugNic(domain: Domain, nic: Nic): Promise<void> {
  if (domain.record.machine.type === 'microvm') throw refuseHotPlug(domain, `the interface ${nic.spec.id}`);
  await using undo = new Unwind();
  const end = netdev(nic);
  await domain.execute('netdev_add', end).catch((error: unknown) => {
    if (!(error instanceof QmpError)) throw error;
    throw xenopsErrors.make('Network_error', { reason: error.message }, { cause: error });
  });
  undo.add(undoing(domain, 'netdev_del', { id: end['id'] }));
  await domain.execute('device_add', nicDevice(domain.record.machine, nic));
  if (nic.spec.carrier === false) await domain.execute('set_link', { name: nic.device, up: false });
  undo.keep();
}
export async function detachNic(domain: Domain, id: string, force: boolean): Promise<void> {
  const nic = domain.record.nics.find((n) => n.spec.id === id && !n.cut);
  if (!nic) return;
  const gone = domain.built && domain.power !== 'ended' ? await unplugNic(domain, nic, force) : true;
  const others = domain.record.nics.filter((n) => n !== nic);
  await domain.update({ nics: gone ? others : [...others, ghostOf(nic)] });
  domain.changed();
}
/** Answers false when the guest still has the device, without a network. */
async function unplugNic(domain: Domain, nic: Nic, force: boolean): Promise<boolean> {
  let gone = true;
  try {
    if (domain.record.machine.type === 'microvm')
      throw xenopsErrors.make('Device_detach_rejected', { id: nic.spec.id, reason: 'a microvm cannot unplug' });
    await unplug(domain, nic.device, (data) => data['device'] === nic.device, nic.spec.id, force);
  } catch (error) {
    if (!force) throw error;
    const { id } = nic.spec;
    domain.needs.log.warn('an interface was cut off from a guest that held on to it', { vm: domain.vm, id });
    gone = false;
  }
  await remove(domain, 'netdev_del', { id: `${nic.device}-net` });
  return gone;
}
