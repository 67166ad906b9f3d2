/** Bounds what a guest says of itself. A guest may say anything; what it says too much of is left out. */
import { isIP } from 'node:net';
import type { GuestReport } from '../contracts/guest.ts';

const longestText = 200;
const mostInterfaces = 16;
const mostAddresses = 16;
const mostDisks = 32;

/** One line of at most 200 characters; '' for what is no text. */
export function plainText(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value.slice(0, longestText).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}
/** A number of bytes; null for anything else. */
export const bytesOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;

/** The report with every list, text and number inside its bounds. */
export function bounded(report: GuestReport): GuestReport {
  const texts = (map: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(map)
        .map(([key, value]) => [key, plainText(value)] as const)
        .filter(([, value]) => value !== ''),
    );
  const { name, uname, distro, major, minor } = report.os;
  const known = { name, uname, distro, major, minor };
  const os = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) as GuestReport['os'];
  const interfaces = Object.entries(report.addresses).filter(([mac]) => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac));
  return {
    agent: report.agent,
    version: plainText(report.version),
    hostName: plainText(report.hostName),
    os: texts(os),
    addresses: Object.fromEntries(
      interfaces.slice(0, mostInterfaces).map(([mac, all]) => [mac, usable(all).slice(0, mostAddresses)]),
    ),
    memory: report.memory,
    disks: report.disks.slice(0, mostDisks).map((disk) => ({
      ...disk,
      mount: plainText(disk.mount),
      device: plainText(disk.device),
      type: plainText(disk.type),
    })),
    can: report.can,
  };
}
/** Addresses, each once. */
const usable = (all: readonly string[]) => [...new Set(all)].filter((a) => isIP(a) !== 0 && !a.includes('%'));
