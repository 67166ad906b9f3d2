/** Parts of disks as Xen 1.2 told them: the disk's device number, and a range of sectors of 512 bytes. */
export interface Extent {
  /** Of the whole disk: major and minor number in 16 bits. */
  readonly device: number;
  readonly start_sector: number;
  readonly nr_sectors: number;
}
/** The host's disks and partitions. */
export interface BlockDevices {
  /** What a disk, a partition or a file is; a file's device is 0. Undefined: it is not there. */
  extentOf(path: string): Extent | undefined;
  /** The whole disk or the partition that is exactly this. */
  pathOf(extent: Extent): string | undefined;
}
