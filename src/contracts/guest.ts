/** What the agent in a guest says of it. It is the guest's word: bounded in size, shown, and never relied on. */
import { type Shape, s } from './schema.ts';

export const guestReport = s.object({
  /** How it speaks: `qemu` (QEMU's guest agent), `xen` (the store), `simulator`. */
  agent: s.oneOf('qemu', 'xen', 'simulator'),
  /** The agent's own, or that of the drivers that it came with; '' when it does not say. */
  version: s.string,
  hostName: s.string,
  /** `name`, `uname`, `distro`, `major`, `minor`: those that it says. */
  os: s.record(s.string),
  /** IP addresses by the MAC address, in lower case, of the interface that has them. */
  addresses: s.record(s.list(s.string)),
  /** Bytes. */
  memory: s.nullable(s.object({ total: s.size, free: s.size })),
  /** Its filesystems: where they are mounted, on what, of which type; bytes, null when it does not say. */
  disks: s.list(
    s.object({
      mount: s.string,
      device: s.string,
      type: s.string,
      total: s.nullable(s.size),
      used: s.nullable(s.size),
    }),
  ),
  /** What it can be asked for. */
  can: s.list(s.oneOf('shutdown', 'freeze', 'vcpus')),
});
/** What a machine remembers while it is off, as text that another ground of the same kind reads; null: nothing, as when it is new. */
export const firmwareParts = {
  /** UEFI's variables. */
  efi: s.nullable(s.string),
  /** The state of its TPM. */
  tpm: s.nullable(s.string),
};
export const firmwareState = s.object(firmwareParts);
export type FirmwareState = Shape<typeof firmwareState>;
export type GuestReport = Shape<typeof guestReport>;

const biosNames =
  /^(bios-(vendor|version)|system-(manufacturer|product-name|version|serial-number)|enclosure-asset-tag|hp-rombios|oem-[1-9]\d?)$/;
const boardNames = /^baseboard-(manufacturer|product-name|version|serial-number|asset-tag|location-in-chassis)$/;
/** Why a machine's BIOS cannot say this; undefined when it can. Names are XenAPI's. */
export function biosStringProblem(name: string, text: string): string | undefined {
  if (!biosNames.test(name) && !boardNames.test(name)) return 'there is no such string';
  return /^[ -~]{0,512}$/.test(text) ? undefined : 'it has at most 512 printable ASCII characters';
}
