/**
 * The boot loader of guests that carry their own kernel: reads kernel, ramdisk and command line out of a guest's disk, or
 * fetches an installer's from a repository. What it reads was written by the guest, and is treated so.
 */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { type Shape, s } from './schema.ts';

/**
 * The names that a VM may give. `pygrub` reads the disk only. `eliloader` and `guesthouse` read the disk too, and boot the
 * installer of the repository when nothing on the disk boots.
 */
export const loaderNames = ['pygrub', 'eliloader', 'guesthouse'] as const;

const disk = s.object({ path: s.string, format: s.oneOf('raw', 'qcow2', 'vpc') });
const request = s.object({
  /** One of `loaderNames`, or a path that ends in one. */
  loader: s.string,
  /** Words as `pygrub` takes them: `--entry=`, `--kernel=`, `--ramdisk=`, `--args=`, `--offset=`, `--install`. */
  args: s.string,
  /** Put after the command line that was found. */
  cmdline: s.string,
  /** What the VM boots from; nothing but `extract` uses it meanwhile. */
  disk: s.nullable(disk),
  /** What is in its CD drive. */
  disc: s.nullable(disk),
  /** `http://…`, `https://…`, or `cdrom`: the disc. */
  installRepository: s.optional(s.string),
  /** `release` (bookworm), `arch` (amd64): where several lie side by side. */
  installHints: s.optional(s.record(s.string)),
  /** An absolute folder of the caller's, which removes what is put into it, also after a failure. */
  folder: s.string,
});
const boot = s.object({
  /** Absolute paths in `folder`, readable by this process' user only. */
  kernel: s.string,
  ramdisk: s.nullable(s.string),
  cmdline: s.string,
  /** What was booted, for people: the entry's title, or the installer's address. */
  title: s.string,
});

export const bootloaderContract = contract({
  name: 'bootloader',
  methods: {
    kernel: {
      extract: method('Take the kernel that a VM is to boot out of its disk or its installer.', request, boot),
    },
  },
  event: s.nothing,
});
export type Bootloader = Api<typeof bootloaderContract>;
export type BootRequest = Shape<typeof request>;
export type Boot = Shape<typeof boot>;

export const bootloaderErrors = errorsOf({
  Unknown_bootloader: '{loader} is no boot loader of this host; there are {known}',
  Bad_arguments: 'the boot loader arguments {value}: {reason}',
  /** The disk or the repository does not lead to a kernel. */
  Nothing_to_boot: '{reason}',
  /** A program or a right that this host lacks. */
  Not_possible: '{reason}',
  Cancelled: 'cancelled',
});
