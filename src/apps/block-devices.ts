/** The disks and partitions of this host, as the kernel lists them under /sys/class/block. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { BlockDevices, Extent } from '../doors/xen12/extents.ts';

/** `folder`: where the kernel lists them. */
export function blockDevices(folder = '/sys/class/block', dev = '/dev'): BlockDevices {
  const text = (...path: string[]): string | undefined => {
    try {
      return readFileSync(join(folder, ...path), 'utf8').trim();
    } catch {
      return undefined; // not there: the caller says so
    }
  };
  const number = (name: string): number | undefined => {
    const [major, minor] = text(name, 'dev')?.split(':').map(Number) ?? [];
    return major === undefined || minor === undefined || major > 255 || minor > 255 ? undefined : (major << 8) + minor;
  };
  const extent = (name: string): Extent | undefined => {
    const partition = text(name, 'partition') !== undefined;
    const device = number(partition ? basename(dirname(realpathSync(join(folder, name)))) : name);
    const size = text(name, 'size');
    if (device === undefined || size === undefined) return undefined;
    return { device, start_sector: partition ? Number(text(name, 'start')) : 0, nr_sectors: Number(size) };
  };
  return {
    extentOf(path) {
      const found = statSync(path, { throwIfNoEntry: false });
      if (!found) return undefined;
      if (found.isBlockDevice()) return extent(basename(realpathSync(path)));
      return { device: 0, start_sector: 0, nr_sectors: Math.floor(found.size / 512) };
    },
    pathOf({ device, start_sector, nr_sectors }) {
      const name = readdirSync(folder).find((each) => {
        const e = extent(each);
        return e?.device === device && e.start_sector === start_sector && e.nr_sectors === nr_sectors;
      });
      return name === undefined ? undefined : join(dev, name);
    },
  };
}
