/** How large a disk is that a file holds, from the file's first bytes. */
import { FormatError } from './format-error.ts';
import { readQcow2Header } from './qcow2.ts';
import { isFooter, readFooter, vhdSector } from './vhd.ts';
import { isVmdkText, readVmdkHeader } from './vmdk.ts';

/** Bytes of a file that are enough to tell. */
export const diskHeadSize = 512;
export type DiskFormat = 'raw' | 'vhd' | 'qcow2' | 'vmdk';

/** Bytes of the disk. `length` is that of the file, where it is known: plain files and fixed VHDs need it. */
export function diskSizeOf(format: DiskFormat, head: Buffer, length: number | undefined): number {
  if (format === 'qcow2') return readQcow2Header(head).size;
  if (format === 'vmdk') return readVmdkHeader(head).size;
  if (format === 'vhd' && isFooter(head)) {
    const footer = readFooter(head);
    if (footer.kind !== 'fixed') return footer.size;
  }
  if (length === undefined) throw new FormatError('its length is not announced: send a Content-Length');
  const size = format === 'vhd' ? length - vhdSector : length;
  if (size <= 0) throw new FormatError(`it has ${length} bytes only`);
  return size;
}

/** The format by a file's first bytes, else by the ending of its name; undefined when neither tells. */
export function sniffDisk(head: Buffer, name = ''): DiskFormat | undefined {
  const magic = head.length >= 4 ? head.readUInt32BE(0) : 0;
  if (magic === 0x514649fb) return 'qcow2';
  if (magic === 0x4b444d56 || isVmdkText(head)) return 'vmdk';
  if (isFooter(head)) return 'vhd';
  const ending = /\.(vhd|vmdk|qcow2|raw|img)(?:\.gz)?$/i.exec(name)?.[1]?.toLowerCase();
  return ending === 'img' ? 'raw' : (ending as DiskFormat | undefined);
}
