/**
 * Storage repositories and their disks. Bytes never cross: a disk is opened for a guest as a path or an NBD socket, and
 * uploads and downloads go through a unix socket that the answer names.
 */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { type Shape, s } from './schema.ts';

const srId = s.object({ sr: s.string });
const vdiId = s.object({ sr: s.string, vdi: s.string });
/** `type` names a driver (`file`, `iso`); `config` is its device configuration (`location`: an absolute folder). */
const srSpec = s.object({ sr: s.string, type: s.string, config: s.record(s.string) });
const srStat = s.object({
  sr: s.string,
  type: s.string,
  /** Bytes of the medium. */ total: s.size,
  /** Bytes taken on it. */ used: s.size,
  /** Sum of virtual sizes. */ allocated: s.size,
});
const vdiInfo = s.object({
  vdi: s.string,
  name: s.string,
  description: s.string,
  /** `raw`, `qcow2`, `vhd`, `iso`. */
  format: s.string,
  /** Bytes that the guest sees. */
  virtualSize: s.size,
  /** Bytes on the medium. */
  physicalUtilisation: s.size,
  readOnly: s.boolean,
  /** The disk that this one was snapshotted from, when it is a snapshot. */
  snapshotOf: s.nullable(s.string),
  /** Of disks in layers: how many there are, the one below the top, and the disks beside it whose tops lie on that too. */
  chain: s.optional(s.object({ depth: s.size, base: s.nullable(s.string), sharedWith: s.list(s.string) })),
});
/** A disk as a hypervisor opens it; `format` as QEMU calls it (`vpc`: VHD). */
const disk = s.object({ path: s.string, format: s.oneOf('raw', 'qcow2', 'vpc'), readOnly: s.boolean });

export const storageContract = contract({
  name: 'storage',
  methods: {
    sr: {
      types: method(
        'The drivers: their names and the configuration keys that they take.',
        s.object({}),
        s.list(
          s.object({
            type: s.string,
            label: s.string,
            description: s.string,
            config: s.record(s.string),
            capabilities: s.list(s.string),
            /** Of disks that it can make, the one that it makes unasked first. */ formats: s.list(
              s.oneOf('raw', 'qcow2', 'vhd'),
            ),
          }),
        ),
      ),
      create: method('Make a repository (its folder) and attach it. Refused when one is there.', srSpec, s.nothing),
      attach: method('Make an existing repository usable. Repeating it changes nothing.', srSpec, s.nothing),
      detach: method('Stop using it. Refused while a disk is open.', srId, s.nothing),
      destroy: method('Delete a repository that holds no disks, and its folder.', srId, s.nothing),
      probe: method(
        'The repositories that a configuration leads to.',
        s.object({ type: s.string, config: s.record(s.string) }),
        s.list(s.object({ sr: s.string, vdis: s.size })),
      ),
      stat: method('Its sizes.', srId, srStat),
      coalesce: method(
        'Make layers one that no two disks need any more, of disks that nobody has open; what is opened meanwhile is let go of. ' +
          'Answers how many were made one. Reports progress once there is something to do; aborting it stops it.',
        srId,
        s.object({ merged: s.size }),
      ),
      scan: method('Its disks as they are on the medium now.', srId, s.list(vdiInfo)),
    },
    vdi: {
      create: method(
        'Make an empty disk with the id `vdi` (a UUID).',
        s.object({
          sr: s.string,
          vdi: s.string,
          name: s.string,
          description: s.optional(s.string),
          virtualSize: s.size,
          /** The repository's own when it is left out. */ format: s.optional(s.oneOf('raw', 'qcow2', 'vhd')),
        }),
        vdiInfo,
      ),
      destroy: method('Delete a disk. An absent one is no error; an open one is refused.', vdiId, s.nothing),
      stat: method('One disk as it is now.', vdiId, vdiInfo),
      resize: method(
        'Grow a disk; shrinking is refused.',
        s.object({ sr: s.string, vdi: s.string, virtualSize: s.size }),
        vdiInfo,
      ),
      snapshot: method(
        'Freeze the present content as the disk `to`; the disk itself goes on. Refused while somebody writes to it, unless it was ' +
          'frozen for `to`: then what it held when its writer went over. Repeating it changes nothing.',
        s.object({ sr: s.string, vdi: s.string, to: s.string, name: s.optional(s.string) }),
        vdiInfo,
      ),
      freeze: method(
        'Prepare the snapshot `to` of a disk that `user` writes to (Not_open when it does not). What is written goes below the ' +
          'layer that the answer names until the user goes over to it; either way the disk holds all of it. Repeating it changes ' +
          'nothing. Ends with `snapshot`, with `close`, or with a freeze for another.',
        s.object({ sr: s.string, vdi: s.string, user: s.string, to: s.string }),
        disk,
      ),
      clone: method(
        'A fast writable copy in the same repository.',
        s.object({ sr: s.string, vdi: s.string, to: s.string, name: s.optional(s.string) }),
        vdiInfo,
      ),
      copy: method(
        'A full, independent copy, in this or another repository; reports progress.',
        s.object({ sr: s.string, vdi: s.string, toSr: s.string, to: s.string, name: s.optional(s.string) }),
        vdiInfo,
      ),
      rename: method(
        'Set name and description.',
        s.object({ sr: s.string, vdi: s.string, name: s.optional(s.string), description: s.optional(s.string) }),
        s.nothing,
      ),
      /** `user` names who has it open (a VM); one user may open it again with the same mode: same answer. `uid`/`gid`: who must be able to open the files. */
      open: method(
        'Open a disk for a guest. A second writer is refused (Vdi_in_use).',
        s.object({
          sr: s.string,
          vdi: s.string,
          user: s.string,
          mode: s.oneOf('RO', 'RW'),
          uid: s.optional(s.size),
          gid: s.optional(s.size),
        }),
        disk,
      ),
      close: method(
        'The user is done with it. Not open is no error.',
        s.object({
          sr: s.string,
          vdi: s.string,
          user: s.string,
          /** Its guest is another host's, which has the disk open: its files stay that host's. */
          elsewhere: s.optional(s.boolean),
        }),
        s.nothing,
      ),
      users: method(
        'Who has disks open, for reconciling.',
        s.object({}),
        s.list(s.object({ sr: s.string, vdi: s.string, user: s.string, mode: s.oneOf('RO', 'RW') })),
      ),
    },
    changes: {
      between: method(
        'Which blocks of 64 KiB differ from one moment of a disk to a later one: a bit each, the highest of a byte first, in base64.',
        s.object({ sr: s.string, from: s.string, to: s.string }),
        s.object({ bitmap: s.string }),
      ),
      note: method(
        'Note what differs between the two, so that `between` knows it when the content of `from` is gone. Repeating it changes nothing.',
        s.object({ sr: s.string, from: s.string, to: s.string }),
        s.nothing,
      ),
      forget: method(
        'Forget what was noted of a disk. Nothing noted is no error.',
        s.object({ vdi: s.string }),
        s.nothing,
      ),
    },
    disc: {
      open: method(
        'A read-only volume (ISO 9660) of a few files for a guest, in no repository. Opened again with the same files: same answer.',
        s.object({
          /** Who has it open (a VM). */
          user: s.string,
          /** At most 16 characters. */
          label: s.string,
          files: s.record(s.string),
          uid: s.optional(s.size),
          gid: s.optional(s.size),
        }),
        disk,
      ),
      close: method(
        'The user is done with all its volumes. None is no error.',
        s.object({ user: s.string }),
        s.nothing,
      ),
      users: method('Who has volumes open, for reconciling.', s.object({}), s.list(s.string)),
    },
    transfer: {
      /**
       * `length` is the announced number of bytes, for progress. An import ends when the sender closes the socket.
       * `framed`: pieces with their places (a little-endian u64, a u32 length; twelve zero bytes end it), what is zero left out.
       * `vmdk-stored`: VMDK whose grains are not packed, so that its length is known.
       * `base`: only differences to that disk of the same repository are given (vhd, framed).
       * `offset`: where to begin: of an export, the byte of the file; of a raw import, the byte that an earlier one was `kept` at.
       */
      begin: method(
        'Open a unix socket (mode 0600) that takes the content of a disk, or gives it.',
        s.object({
          sr: s.string,
          vdi: s.string,
          direction: s.oneOf('import', 'export'),
          format: s.oneOf('raw', 'framed', 'qcow2', 'vhd', 'vmdk', 'vmdk-stored'),
          length: s.optional(s.size),
          base: s.optional(s.string),
          offset: s.optional(s.size),
        }),
        s.object({
          transfer: s.string,
          socket: s.string,
          /** Bytes of the whole file that an export gives, when known beforehand. */ length: s.nullable(s.size),
        }),
      ),
      serve: method(
        'Serve a disk, read-only, as the NBD export without a name on a unix socket (mode 0600) for one client; `wait` answers when that is gone.',
        vdiId,
        s.object({ transfer: s.string, socket: s.string }),
      ),
      wait: method(
        'Answer when the transfer is complete and durable; reports progress; aborting it cancels the transfer.',
        s.object({ transfer: s.string }),
        s.object({ bytes: s.size }),
      ),
      cancel: method(
        'Stop a transfer and remove its socket. With `keep`, what a raw import has written is kept for an hour. An unknown one is no error.',
        s.object({ transfer: s.string, keep: s.optional(s.boolean) }),
        s.object({ /** Bytes that are kept, from the start of the disk. */ kept: s.size }),
      ),
    },
  },
  event: s.object({ event: s.oneOf('sr', 'vdi'), sr: s.string, vdi: s.optional(s.string) }),
});
export type Storage = Api<typeof storageContract>;
export type VdiInfo = Shape<typeof vdiInfo>;
export type SrStat = Shape<typeof srStat>;
/** A disk as a hypervisor opens it. */
export type OpenDisk = Shape<typeof disk>;

export const storageErrors = errorsOf({
  Does_not_exist: 'there is no {what} {id}',
  Already_exists: 'there is a {what} {id} already',
  Unknown_type: 'no storage driver is called {type}; there are {known}',
  Bad_config: 'device-config:{key}: {reason}',
  Sr_not_attached: 'the repository {sr} is not attached',
  Sr_in_use: 'the repository {sr} has open disks: {users}',
  Sr_not_empty: 'the repository {sr} still holds {count} disks',
  Sr_full: 'the repository {sr} has {free} bytes free, {needed} are needed',
  Vdi_in_use: 'the disk {vdi} is in use by {user}',
  Chain_too_long:
    'the disk {vdi} lies on {depth} layers, and {most} are allowed: delete snapshots of it (and shut down the VM that has it open, so ' +
    'that layers are made one), or make a full copy',
  Not_open: 'the disk {vdi} is not open for writing by {user}',
  Vdi_read_only: 'the disk {vdi} is read-only',
  Bad_size: 'the size {size} is not possible: {reason}',
  Not_supported: '{operation} is not supported by {type} repositories',
  Bad_data: 'the data sent is not acceptable: {reason}',
  Cancelled: 'cancelled',
  Tool_failed: '{tool} failed: {reason}',
});
