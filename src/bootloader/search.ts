/** Looks through a disk for the first configuration of a boot loader that has a menu. */
import { isKind } from '../contracts/contract.ts';
import { blsMenu } from './bls.ts';
import { grubMenu } from './grub/run.ts';
import { legacyMenu } from './legacy-grub.ts';
import { type FileRef, type Files, type Menu, nothing, type Volume } from './menu.ts';
import { isThere, syslinuxMenu } from './syslinux.ts';

type Reading = (files: Files, file: FileRef, text: string) => Menu | Promise<Menu>;
/** In the order of trying; a disk that changed its loader has the newer one's files too. */
const places: readonly (readonly [Reading, readonly string[]])[] = [
  [
    grubMenu,
    ['/boot/grub/grub.cfg', '/grub/grub.cfg', '/boot/grub2/grub.cfg', '/grub2/grub.cfg'].flatMap((path) => [
      path,
      // The root subvolumes of Ubuntu, openSUSE and Fedora.
      ...['/@', '/@/.snapshots/1/snapshot', '/root'].map((top) => `${top}${path}`),
    ]),
  ],
  [legacyMenu, ['/boot/grub/menu.lst', '/boot/grub/grub.conf', '/grub/menu.lst', '/grub/grub.conf', '/etc/grub.conf']],
  [
    syslinuxMenu,
    [
      ...['/boot/extlinux/extlinux.conf', '/extlinux/extlinux.conf', '/boot/extlinux.conf', '/extlinux.conf'],
      ...['/boot/syslinux/syslinux.cfg', '/syslinux/syslinux.cfg', '/syslinux.cfg'],
      ...['/isolinux/isolinux.cfg', '/boot/isolinux/isolinux.cfg', '/isolinux.cfg'],
    ],
  ],
];
/** Where a boot partition of UEFI has the file that leads to the real one. */
const efiFolder = '/EFI';

export interface Found {
  readonly menu: Menu;
  /** The configuration, for people: `(loop0,gpt1)/boot/grub/grub.cfg`. */
  readonly place: string;
}

/** Refuses with what was seen on the disk when no configuration has a menu. */
export async function searchMenu(files: Files): Promise<Found> {
  const complaints: string[] = [];
  for (const volume of files.volumes) {
    const found = await onVolume(files, volume, complaints);
    if (found) return found;
  }
  for (const volume of files.volumes) {
    const found = await onEfiVolume(files, volume, complaints);
    if (found) return found;
  }
  throw nothing(complaints.length > 0 ? complaints.join('; ') : emptyHanded(files.volumes));
}

async function onVolume(files: Files, { device }: Volume, complaints: string[]): Promise<Found | undefined> {
  for (const [read, paths] of places)
    for (const path of paths) {
      const found = await attempt(files, { volume: device, path }, read, complaints);
      if (found) return found;
    }
  const menu = await blsMenu(files, device);
  return menu && { menu, place: `(${device})/loader/entries` };
}
async function onEfiVolume(files: Files, { device }: Volume, complaints: string[]): Promise<Found | undefined> {
  const vendors = await files.list({ volume: device, path: efiFolder });
  for (const vendor of vendors.filter((name) => name.endsWith('/')).slice(0, 20)) {
    const path = `${efiFolder}/${vendor}grub.cfg`;
    const found = await attempt(files, { volume: device, path }, grubMenu, complaints);
    if (found) return found;
  }
  return undefined;
}
async function attempt(files: Files, file: FileRef, read: Reading, complaints: string[]): Promise<Found | undefined> {
  const place = `(${file.volume})${file.path}`;
  try {
    const text = (await isThere(files, file)) ? await files.text(file) : undefined;
    if (text === undefined) return undefined;
    const menu = await read(files, file, text);
    if (menu.items.length > 0) return { menu, place };
    complaints.push(`${place} has a menu without entries`);
  } catch (error) {
    if (!isKind(error, 'Nothing_to_boot')) throw error;
    // Another configuration may be sound; should none be, this is the reason.
    complaints.push(`${place}: ${error.message}`);
  }
  return undefined;
}
function emptyHanded(volumes: readonly Volume[]): string {
  if (volumes.length === 0)
    return 'there is no file system on the disk that can be read (is anything installed on it?)';
  const names = volumes.map((v) => `${v.device}${v.label === '' ? '' : ` ${JSON.stringify(v.label)}`}`);
  return `no configuration of GRUB, extlinux or systemd-boot was found on ${names.join(', ')}`;
}
