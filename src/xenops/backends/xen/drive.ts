/** A guest's drives: plugged in and taken out, and discs changed, on blkback or QEMU's qdisk. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import { type VbdSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { VbdAttachment } from '../../backend.ts';
import { backendOf } from './backend-domain.ts';
import { attachLoop, blockNumber, detachLoop } from './block-device.ts';
import type { Domain } from './domain.ts';
import { ensureEmulator, whileEmulated } from './emulator.ts';
import type { Drive } from './record.ts';
import { awaitBackend, cut, type DeviceAddress, deviceNodes, isOffered, offer, withdraw } from './xenbus.ts';

/** `xvda` for 0, and on to `xvdz`, `xvdaa`. */
export function diskName(position: number): string {
  let letters = '';
  for (let n = position; n >= 0; n = Math.floor(n / 26) - 1) letters = String.fromCharCode(97 + (n % 26)) + letters;
  return `xvd${letters}`;
}
/** The number that a guest knows a drive by: 16 partitions each, in the wide form from the 17th drive on. */
export const diskNumber = (position: number): number =>
  position < 16 ? (202 << 8) | (position << 4) : (1 << 28) | (position << 8);

/** Noted, and not put there: a toolstack was killed in between. */
export const isHalfMade = async (domain: Domain, drive: Drive): Promise<boolean> =>
  drive.kind !== 'emulated' && drive.disk !== null && !(await isOffered(domain.needs, addressOf(domain, drive)));
const addressOf = (domain: Domain, d: Drive): DeviceAddress => ({
  front: 'vbd',
  back: d.kind === 'qdisk' ? 'qdisk' : 'vbd',
  domid: domain.domid,
  backendDomid: d.backendDomid,
  device: d.device,
});
const find = (domain: Domain, id: string): Drive | undefined => domain.record.drives.find((d) => d.spec.id === id);

export async function attachDrive(domain: Domain, { spec, disk }: VbdAttachment): Promise<void> {
  if (find(domain, spec.id)) return;
  if (domain.record.spec.domainType === 'hvm') return addToMachine(domain, { spec, disk });
  const backendDomid = await backendOf(domain, spec.id);
  const drive: Drive = { spec, disk, device: diskNumber(spec.position), backendDomid, kind: await kindOf(disk) };
  const device = drive.device;
  if (domain.record.drives.some((d) => d.device === device))
    throw xenopsErrors.make('Already_exists', { what: 'drive at', id: diskName(spec.position) });
  // Noted before anything is made, so that whoever comes next finds it.
  await domain.update((now) => ({ drives: [...now.drives, drive] }));
  try {
    if (disk) await plug(domain, drive, disk);
  } catch (error) {
    await bestEffort('a drive that could not be plugged', domain.needs.log, () => remove(domain, drive));
    throw error;
  }
  domain.changed();
}
/** The machine of an HVM guest is put together before it starts. */
async function addToMachine(domain: Domain, { spec, disk }: VbdAttachment): Promise<void> {
  refuseLate(domain, 'plugging drives into a running HVM guest');
  const drive: Drive = { spec, disk, device: spec.position, backendDomid: 0, kind: 'emulated' };
  await domain.update((now) => ({ drives: [...now.drives, drive] }));
  domain.changed();
}
export function refuseLate(domain: Domain, what: string): void {
  if (domain.record.spec.domainType === 'hvm' && domain.built && domain.power(domain.info()) !== 'ended')
    throw xenopsErrors.make('Unimplemented', { function: what, backend: 'xen' });
}
/** Without `force`, the guest is asked. */
export async function detachDrive(domain: Domain, id: string, force: boolean): Promise<void> {
  const drive = find(domain, id);
  if (!drive) return;
  refuseLate(domain, 'taking drives out of a running HVM guest');
  await unplug(domain, drive, force);
  await forgetDrive(domain, drive);
  domain.changed();
}
/** Guests of Xen have no trays: a disc comes and goes with its drive, which stays described. */
export async function changeDisc(domain: Domain, id: string, disk: OpenDisk | null): Promise<void> {
  const drive = find(domain, id);
  if (!drive) throw xenopsErrors.make('Device_not_connected', { id });
  if (drive.spec.type === 'Disk') throw xenopsErrors.make('Media_not_ejectable', { id });
  if (drive.disk?.path === disk?.path) return;
  refuseLate(domain, 'changing discs of an HVM guest');
  if (drive.disk) await unplug(domain, drive, false);
  const { loop: _, ...rest } = drive;
  const next: Drive = { ...rest, disk, kind: await kindOf(disk) };
  await replace(domain, next);
  if (disk) await plug(domain, next, disk);
  await domain.update((now) => ({ discs: { ...now.discs, [id]: disk !== null } }));
  domain.changed();
}
/** Takes a drive away from a domain that is gone, or did not get it. */
export async function remove(domain: Domain, drive: Drive): Promise<void> {
  await unplug(domain, find(domain, drive.spec.id) ?? drive, true);
  await forgetDrive(domain, drive);
}
const forgetDrive = (domain: Domain, { spec }: Drive) =>
  domain.update((now) => ({ drives: now.drives.filter((d) => d.spec.id !== spec.id) }));
const replace = (domain: Domain, drive: Drive) =>
  domain.update((now) => ({ drives: now.drives.map((d) => (d.spec.id === drive.spec.id ? drive : d)) }));

/** Images need QEMU to be read; all else the kernel serves. */
const kindOf = async (disk: OpenDisk | null): Promise<Drive['kind']> =>
  disk !== null && disk.format !== 'raw' ? 'qdisk' : 'vbd';

async function plug(domain: Domain, drive: Drive, disk: OpenDisk): Promise<void> {
  const { needs } = domain;
  const address = addressOf(domain, drive);
  const readOnly = disk.readOnly || drive.spec.mode === 'RO';
  const served = drive.kind === 'qdisk' ? await byEmulator(domain, drive, disk) : await byKernel(domain, drive, disk);
  await offer(
    needs,
    address,
    deviceNodes(address, frontOf(drive.spec), { ...backOf(drive.spec, readOnly), ...served }),
  );
  const ready = (driver: string) => awaitBackend(needs, address, needs.patience.backendMs, driver);
  if (drive.kind === 'vbd') await ready('the kernel (module xen-blkback)');
  else if (drive.backendDomid !== 0) await ready('QEMU');
  else await whileEmulated(domain, () => ready('QEMU'));
}
const kindName = ({ type }: VbdSpec) => (type === 'CD' ? 'cdrom' : 'disk');
const frontOf = (spec: VbdSpec) => ({
  'virtual-device': String(diskNumber(spec.position)),
  'device-type': kindName(spec),
});
const backOf = (spec: VbdSpec, readOnly: boolean) => ({
  dev: diskName(spec.position),
  mode: readOnly ? 'r' : 'w',
  'device-type': kindName(spec),
  removable: spec.type === 'CD' ? '1' : '0',
  bootable: spec.bootable ? '1' : '0',
});
async function byKernel(domain: Domain, drive: Drive, disk: OpenDisk): Promise<Record<string, string>> {
  const path = disk.path;
  // A driver domain finds its own device by that path.
  if (drive.backendDomid !== 0) return { type: 'phy', params: path, script: '/etc/xen/scripts/block' };
  const own = await blockNumber(path);
  if (own !== undefined) return { type: 'phy', params: path, 'physical-device': own, 'physical-device-path': path };
  const loop = await attachLoop(path, disk.readOnly || drive.spec.mode === 'RO');
  await replace(domain, { ...drive, loop });
  return {
    type: 'phy',
    params: loop,
    'physical-device': (await blockNumber(loop)) ?? '',
    'physical-device-path': loop,
  };
}
async function byEmulator(domain: Domain, drive: Drive, disk: OpenDisk): Promise<Record<string, string>> {
  if (drive.backendDomid === 0) await ensureEmulator(domain);
  return { type: 'qdisk', params: `${disk.format}:${disk.path}`, 'direct-io-safe': '0', 'discard-enable': '1' };
}
async function unplug(domain: Domain, drive: Drive, force: boolean): Promise<void> {
  const { needs } = domain;
  if (drive.kind === 'emulated') return;
  const address = addressOf(domain, drive);
  if (drive.disk) {
    const gone = force || domain.power(domain.info()) !== 'running';
    if (gone) await cut(needs, address, needs.patience.teardownMs);
    else await withdraw(needs, address, drive.spec.id, needs.patience.unplugMs);
    if (drive.loop) await detachLoop(drive.loop, drive.disk.path);
  }
}
