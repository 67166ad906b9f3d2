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
export type GuestReport = Shape<typeof guestReport>;
