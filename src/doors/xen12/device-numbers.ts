/** Drives as Linux 2.4 numbered them: major and minor number in 16 bits (`sda1` is 0x0801). */
import { deviceName, parseDeviceNumber, type XlBus } from '../../wire/xl-device-number.ts';

interface Row {
  readonly major: number;
  readonly bus: XlBus;
  /** The first disk of this major number, how many there are, and the minors of each. */
  readonly first: number;
  readonly disks: number;
  readonly minors: number;
}
const ide = (major: number, first: number): Row => ({ major, bus: 'hd', first, disks: 2, minors: 64 });
const rows: readonly Row[] = [
  ide(3, 0),
  ide(22, 2),
  ide(33, 4),
  ide(34, 6),
  { major: 8, bus: 'sd', first: 0, disks: 16, minors: 16 },
  { major: 202, bus: 'xvd', first: 0, disks: 16, minors: 16 },
  // Xen 1.2's own.
  { major: 125, bus: 'xvd', first: 0, disks: 16, minors: 16 },
];
/** Of `sda1`; undefined for a name that had no number. */
export function deviceNumber(name: string): number | undefined {
  const found = parseDeviceNumber(name);
  const row = found && rows.find((r) => r.bus === found.bus && within(r, found.disk));
  if (!found || !row || found.partition >= row.minors) return undefined;
  return (row.major << 8) + (found.disk - row.first) * row.minors + found.partition;
}
/** The inverse. */
export function deviceOfNumber(number: number): string | undefined {
  const [major, minor] = [number >> 8, number & 0xff];
  const row = rows.find((r) => r.major === major);
  const disk = row && Math.floor(minor / row.minors);
  if (!row || disk === undefined || disk >= row.disks) return undefined;
  return deviceName({ bus: row.bus, disk: row.first + disk, partition: minor % row.minors });
}
const within = (r: Row, disk: number): boolean => disk >= r.first && disk < r.first + r.disks;
