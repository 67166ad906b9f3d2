/** Drives by name, as files and the store of a Xen host write them: `xvda1`, `sdb`, `hdc`, `fda`, `d3p1`, plain numbers. */

export type XlBus = 'xvd' | 'hd' | 'sd' | 'fd' | 'd';
export interface DeviceNumber {
  /** `d`: any bus, the disk's number alone counts. */
  readonly bus: XlBus;
  readonly disk: number;
  /** 0: the whole disk. */
  readonly partition: number;
}
const limits: Readonly<Record<XlBus, { disk: number; partition: number }>> = {
  xvd: { disk: (1 << 20) - 1, partition: 15 },
  d: { disk: (1 << 20) - 1, partition: 15 },
  hd: { disk: 19, partition: 63 },
  sd: { disk: 15, partition: 15 },
  fd: { disk: 2, partition: 0 },
};

/** Undefined for what is no drive, or has a number that its bus does not have. */
export function parseDeviceNumber(name: string): DeviceNumber | undefined {
  const [, bus, letters, tail] = /^(xvd|hd|sd|fd)([a-z]{1,5})(0|[1-9][0-9]{0,2})?$/.exec(name) ?? [];
  if (bus !== undefined && letters !== undefined)
    return within({ bus: bus as XlBus, disk: diskOf(letters), partition: Number(tail ?? 0) });
  const [, disk, partition] = /^d([0-9]{1,7})(?:p([0-9]{1,3}))?$/.exec(name) ?? [];
  if (disk !== undefined) return within({ bus: 'd', disk: Number(disk), partition: Number(partition ?? 0) });
  return /^[0-9]{1,7}$/.test(name) ? within({ bus: 'd', disk: Number(name), partition: 0 }) : undefined;
}
/** The inverse: `d` names are written `d3` or `d3p1`. */
export function deviceName({ bus, disk, partition }: DeviceNumber): string {
  if (bus === 'd') return partition === 0 ? `d${disk}` : `d${disk}p${partition}`;
  return `${bus}${lettersOf(disk)}${partition === 0 ? '' : partition}`;
}
const within = (n: DeviceNumber): DeviceNumber | undefined =>
  n.disk <= limits[n.bus].disk && n.partition <= limits[n.bus].partition ? n : undefined;
/** a is 0, z is 25, aa is 26. */
function diskOf(letters: string): number {
  let disk = 0;
  for (const c of letters) disk = disk * 26 + c.charCodeAt(0) - 96;
  return disk - 1;
}
function lettersOf(disk: number): string {
  let text = '';
  for (let n = disk + 1; n > 0; n = Math.floor((n - 1) / 26)) text = String.fromCharCode(97 + ((n - 1) % 26)) + text;
  return text;
}
