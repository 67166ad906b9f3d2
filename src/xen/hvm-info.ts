/** What `hvmloader`, the first program of an HVM machine, is told of it: a table in the last page below the screen's memory. */
import { withForeignPage } from './libxenforeignmemory.ts';

const infoFrame = 0x9f;
const infoOffset = 0x800;
const field = { length: 8, checksum: 12, apicMode: 13, vcpus: 16, online: 32 };

/** Fills in what the domain builder left open: the processors, and the sum. */
export function writeHvmInfo(domid: number, maxVcpus: number, vcpus: number): void {
  withForeignPage(domid, infoFrame, (page) => fillHvmInfo(page.subarray(infoOffset), maxVcpus, vcpus));
}
export function fillHvmInfo(table: Buffer, maxVcpus: number, vcpus: number): void {
  if (table.toString('latin1', 0, 8) !== 'HVM INFO')
    throw new Error('the domain builder left no table for hvmloader: its layout is not that of Xen 4.17');
  table[field.apicMode] = 1;
  table.writeUInt32LE(maxVcpus, field.vcpus);
  for (let cpu = 0; cpu < vcpus; cpu++) {
    const at = field.online + (cpu >> 3);
    table[at] = (table[at] as number) | (1 << (cpu & 7));
  }
  table[field.checksum] = 0;
  const length = table.readUInt32LE(field.length);
  table[field.checksum] = -table.subarray(0, length).reduce((sum, byte) => sum + byte, 0) & 255;
}
