/** Names of devices and files as configurations write them, `(hd0,msdos1)/vmlinuz`, and where they are on the guest's disk. Pure. */
import type { FileRef, Volume } from './menu.ts';

/** The reader's own devices beside the guest's disk (`host`, `proc`) must never be reached. */
const ofTheDisk = /^(loop0|lvm|lvmid|md|mduuid|ldm)([,/][\w.+:-]+)*$/;
const longestPath = 4096;

/** The devices in the reader's list that are of the disk. */
export function diskDevices(listing: string): readonly string[] {
  const all = [...listing.matchAll(/\(([^()\s]{1,255})\)/g)].map(([, name = '']) => name);
  return [...new Set(all)].filter((name) => ofTheDisk.test(name));
}

/** What the reader says of one device; undefined when there is no file system on it. */
export function volumeOf(device: string, description: string): Volume | undefined {
  if (!/Filesystem type /.test(description)) return undefined;
  // The label is the guest's choice and may hold anything: the UUID is looked for behind it.
  const label = /- Label `([\s\S]*)'(?:, UUID | - )/.exec(description)?.[1] ?? '';
  const uuid = /.*, UUID ([0-9A-Za-z-]{4,64})(?: - |\s*$)/s.exec(description)?.[1] ?? '';
  return { device, label, uuid };
}

/** The number of a partition, from 1: of `loop0,gpt2` it is 2. */
const partition = (device: string): number | undefined => {
  const digits = /^loop0,[a-z]*(\d+)$/.exec(device)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/**
 * The volume that a device's name leads to. All disks are the one that is read. `firstPartition` is the number that the writer
 * gives the first partition: 1, or 0 in GRUB's first version.
 */
export function findVolume(volumes: readonly Volume[], name: string, firstPartition: 0 | 1 = 1): Volume | undefined {
  const exact = volumes.find((v) => v.device === name);
  if (exact) return exact;
  const parts = /^(?:[hfcs]d\d*|cdrom|cd|xen\/[a-z]+|loop0|ahci\d+|ata\d+|usb\d+|vd\d+)(?:,(.*))?$/.exec(name);
  if (!parts) return undefined;
  const [, rest] = parts;
  if (rest === undefined || rest === '') return volumes.find((v) => v.device === 'loop0');
  const typed = volumes.find((v) => v.device === `loop0,${rest}`);
  if (typed) return typed;
  // Whichever partition table it was written for, and BSD slices left aside: the number tells.
  const number = /^[a-z]*(\d{1,4})/.exec(rest)?.[1];
  if (number === undefined) return undefined;
  const wanted = Number(number) + 1 - firstPartition;
  return volumes.find((v) => partition(v.device) === wanted);
}

/** A file by its name in a configuration: with a device, or on the volume `here`. Undefined: no such device, or no such path. */
export function fileRef(
  volumes: readonly Volume[],
  name: string,
  here: string,
  firstPartition: 0 | 1 = 1,
): FileRef | undefined {
  const parts = /^(?:\(([^()]*)\))?(\/.*)$/s.exec(name);
  const [, device, path = ''] = parts ?? [];
  if (!parts || !isPath(path)) return undefined;
  if (device === undefined) return { volume: here, path };
  const volume = findVolume(volumes, device, firstPartition);
  return volume && { volume: volume.device, path };
}

/** Absolute, without control characters, of a sensible length. */
export const isPath = (path: string): boolean =>
  path.startsWith('/') && path.length <= longestPath && !/[\x00-\x1f\x7f]/.test(path);

/** `../a` as seen from the folder of a file. */
export function beside(file: FileRef, name: string): FileRef | undefined {
  const joined = name.startsWith('/') ? name : `${file.path.slice(0, file.path.lastIndexOf('/'))}/${name}`;
  const clean: string[] = [];
  for (const part of joined.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') clean.pop();
    else clean.push(part);
  }
  const path = `/${clean.join('/')}`;
  return isPath(path) ? { volume: file.volume, path } : undefined;
}
