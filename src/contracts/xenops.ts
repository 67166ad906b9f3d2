/**
 * The domain manager of one host: VMs described by value, run on one kind of ground. Every door and the API use this.
 * Operations on one VM run one after another, in the order of the calls; a call answers when its operation has ended.
 */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { hostDevices } from './devices.ts';
import { firmwareParts, firmwareState, guestReport } from './guest.ts';
import { portCounters } from './network.ts';
import { type Shape, s } from './schema.ts';

const power = s.oneOf('Halted', 'Running', 'Paused', 'Suspended');
/** A disk of a repository, or a file or device named by path (xl files). */
const stored = {
  vdi: s.object({ kind: s.literal('vdi'), sr: s.string, vdi: s.string }),
  path: s.object({ kind: s.literal('path'), path: s.string, format: s.oneOf('raw', 'qcow2') }),
};
const media = s.union('kind', stored);
/** What a drive holds: such, or a read-only volume of a few files, made when it is attached: file name → text. */
const content = s.union('kind', {
  ...stored,
  files: s.object({ kind: s.literal('files'), label: s.string, files: s.record(s.string) }),
});
const vbdSpec = s.object({
  /** Unique in the VM; XenAPI's VBD uuid, or a device name of another door. */
  id: s.string,
  /** Number of the drive: 0 is the first (xvda, hda, vda). */
  position: s.size,
  type: s.oneOf('Disk', 'CD', 'Floppy'),
  mode: s.oneOf('RO', 'RW'),
  /** Null: an empty CD drive. */
  media: s.nullable(content),
  bootable: s.optional(s.boolean),
  unpluggable: s.optional(s.boolean),
  qos: s.optional(s.record(s.string)),
  /** Kept for the doors, as the VM's. */
  notes: s.optional(s.record(s.string)),
});
const vifLock = s.object({
  mode: s.oneOf('disabled', 'locked'),
  ipv4: s.list(s.string),
  ipv6: s.list(s.string),
});
const vifSpec = s.object({
  id: s.string,
  position: s.size,
  mac: s.string,
  mtu: s.optional(s.size),
  bridge: s.string,
  /** False: the guest sees no link. */
  carrier: s.optional(s.boolean),
  /** KiB/s, 0 for no limit. */
  rateKib: s.optional(s.size),
  /** `disabled`: nothing passes. `locked`: only packets of its MAC address with these IP addresses. Absent: everything. */
  lock: s.optional(vifLock),
  /** Kept for the doors, as the VM's. */
  notes: s.optional(s.record(s.string)),
});
/** How it boots: firmware of the machine (BIOS, UEFI) with an order of `c` disk, `d` CD, `n` network; or a kernel by path. */
const boot = s.union('kind', {
  bios: s.object({ kind: s.literal('bios'), order: s.string }),
  uefi: s.object({ kind: s.literal('uefi'), order: s.string, secureBoot: s.boolean }),
  kernel: s.object({ kind: s.literal('kernel'), kernel: s.string, ramdisk: s.optional(s.string), cmdline: s.string }),
  bootloader: s.object({
    kind: s.literal('bootloader'),
    bootloader: s.string,
    args: s.string,
    cmdline: s.string,
    /** Where the installer is when nothing on the disk boots: `http://…`, or `cdrom`. */
    installRepository: s.optional(s.string),
    /** `release`, `arch`: which of the installers there. */
    installHints: s.optional(s.record(s.string)),
  }),
});
const onEnd = s.oneOf('destroy', 'restart', 'preserve');
const memory = s.object({ staticMax: s.size, dynamicMax: s.size, dynamicMin: s.size });
const vcpus = s.object({ max: s.size, current: s.size });
const vmSpec = s.object({
  /** A UUID. */
  id: s.string,
  name: s.string,
  domainType: s.oneOf('hvm', 'pv', 'pvh'),
  boot,
  /** Bytes; 0 < dynamicMin ≤ dynamicMax ≤ staticMax. */
  memory,
  vcpus,
  /** What happens when the guest powers off, reboots or crashes by itself. */
  onPoweroff: onEnd,
  onReboot: onEnd,
  onCrash: onEnd,
  vbds: s.list(vbdSpec),
  vifs: s.list(vifSpec),
  /** Free settings of the machine: `vga`, `videoram`, `nx`, `timeoffset`, `machine` … A backend takes what it knows. */
  platform: s.record(s.string),
  xenstoreData: s.optional(s.record(s.string)),
  /** Addresses of PCI devices of the host that it is given (`0000:03:00.0`). */
  pcis: s.optional(s.list(s.string)),
  /** USB devices of the host that it is given, by where they are plugged in (`1-1.2`). */
  usbs: s.optional(s.list(s.object({ id: s.string, path: s.string }))),
  /** It has a TPM (2.0). */
  tpm: s.optional(s.boolean),
  /** What its BIOS says of it, by XenAPI's names: `bios-vendor`, `system-serial-number`, … */
  biosStrings: s.optional(s.record(s.string)),
  /** How much memory for shadow page tables, in parts of what is usual (1); at least 1. */
  shadowMultiplier: s.optional(s.number),
  /** Started with the host, in growing order, waiting `startDelayS` after each; shut down the other way round. */
  autostart: s.boolean,
  order: s.size,
  startDelayS: s.size,
  shutdownDelayS: s.size,
  /** Kept for the doors: what they need to show the VM as it was given. */
  notes: s.optional(s.record(s.string)),
});
const vmState = s.object({
  power,
  /** −1 when there is no domain. */
  domid: s.int,
  /** Seconds since the epoch of the last start; 0 for never. */
  startedAt: s.number,
  /** Bytes. */
  memoryTarget: s.size,
  memoryActual: s.size,
  vcpus: s.size,
  consoles: s.list(
    s.object({ protocol: s.oneOf('vt100', 'rfb'), /** A unix socket to connect to. */ socket: s.string }),
  ),
  /** By device id: those that are plugged. A CD drive shows what is in it. */
  vbds: s.record(s.object({ plugged: s.boolean, media: s.nullable(content) })),
  vifs: s.record(s.object({ plugged: s.boolean, addresses: s.list(s.string) })),
  /** Where the suspend image is, while Suspended. */
  suspendImage: s.nullable(media),
  /** Why the last run ended: null, or `poweroff`, `reboot`, `crash`, `killed`, `hung`, `suspend`, `host`, with a text. */
  lastEnd: s.nullable(
    s.object({
      reason: s.oneOf('poweroff', 'reboot', 'crash', 'killed', 'hung', 'suspend', 'host'),
      detail: s.string,
      at: s.number,
    }),
  ),
  /** How far its clock is from the host's, in seconds, since the guest has set it in this run; null before. */
  timeOffsetS: s.nullable(s.int),
  /** What its agent says; null while there is none that answers. */
  guest: s.nullable(guestReport),
  /** How it runs: `kvm`, `tcg`, `pv`, `pvh`, `simulator`; '' when halted. */
  accelerator: s.string,
});
const vm = s.object({
  spec: vmSpec,
  state: vmState,
  /** Grows with every change of spec or state of any VM. */ revision: s.int,
});
const id = s.object({ id: s.string });
const token = s.object({ token: s.string });
const device = s.object({ vm: s.string, id: s.string });

export const xenopsContract = contract({
  name: 'xenops',
  methods: {
    vm: {
      add: method(
        'Register a VM, or replace its description; takes effect at its next start. Answers its id.',
        vmSpec,
        s.string,
      ),
      update: method(
        'Change parts of a description, the others stay; takes effect at its next start. Of `notes` only those that are given ' +
          'change, null takes one out.',
        s.object({
          id: s.string,
          name: s.optional(s.string),
          memory: s.optional(memory),
          vcpus: s.optional(vcpus),
          platform: s.optional(s.record(s.string)),
          xenstoreData: s.optional(s.record(s.string)),
          notes: s.optional(s.record(s.nullable(s.string))),
        }),
        s.nothing,
      ),
      remove: method('Forget a VM that is Halted (or Suspended: its image is left).', id, s.nothing),
      list: method('Every registered VM.', s.object({}), s.list(vm)),
      stat: method('One VM.', id, vm),
      start: method('Halted → Running, or Paused.', s.object({ id: s.string, paused: s.boolean }), s.nothing),
      create: method(
        'Halted → Paused: a domain without devices, in which nothing is built yet (Domain_not_built until `build`).',
        id,
        s.nothing,
      ),
      build: method(
        'Puts the devices and the guest into a domain that `create` made, as they are described now: the drives, the ' +
          'interfaces and the kernel may have come since. It stays Paused.',
        id,
        s.nothing,
      ),
      pause: method('Running → Paused.', id, s.nothing),
      unpause: method('Paused → Running.', id, s.nothing),
      shutdown: method(
        '→ Halted. With a timeout (seconds) the guest is asked, and Failed_to_shutdown when it does not; null: at once.',
        s.object({ id: s.string, timeoutS: s.nullable(s.number) }),
        s.nothing,
      ),
      reboot: method(
        '→ Running. As shutdown, then start.',
        s.object({ id: s.string, timeoutS: s.nullable(s.number) }),
        s.nothing,
      ),
      suspend: method(
        'Running → Suspended, its memory saved in `image`.',
        s.object({ id: s.string, image: media }),
        s.nothing,
      ),
      resume: method(
        'Suspended → Running, or Paused. The image is left for the caller to delete.',
        s.object({ id: s.string, paused: s.boolean }),
        s.nothing,
      ),
      takeSuspended: method(
        'Halted → Suspended: the guest that was saved in `image`, by this VM or a copy of it, is the one to resume. The image is ' +
          'read when it is resumed.',
        s.object({ id: s.string, image: media }),
        s.nothing,
      ),
      resetPower: method(
        '→ Halted, whatever was found: destroys what is left of the domain and discards a suspended state.',
        id,
        s.nothing,
      ),
      migrate: method(
        'Running → Running, in another domain: `to` is the address of the domain manager that takes it, or null for this one. ' +
          'Live: the guest runs on until the last moment. A VM that has moved to another host is forgotten here. Until its ' +
          'guest is given away, a failure or a cancel lets it run on here.',
        s.object({
          id: s.string,
          to: s.nullable(s.string),
          live: s.boolean,
          /** What is different of its description there: bridges by interface, and notes. */
          there: s.optional(
            s.object({ bridges: s.optional(s.record(s.string)), notes: s.optional(s.record(s.string)) }),
          ),
        }),
        s.nothing,
      ),
      snapshotDisks: method(
        'What these disks hold at one moment becomes the disks `to`, in the same repositories. The guest, which has them plugged and ' +
          'writable, runs on. None is made when one cannot be. `quiesce`: its agent holds its filesystems still at that moment, if it ' +
          'can (`try`), or Failed_to_freeze (`must`). Answers whether it did.',
        s.object({
          id: s.string,
          disks: s.list(s.object({ sr: s.string, vdi: s.string, to: s.string, name: s.optional(s.string) })),
          quiesce: s.optional(s.oneOf('try', 'must')),
        }),
        s.object({ quiesced: s.boolean }),
      ),
      setVcpus: method('Plug virtual CPUs of a running VM.', s.object({ id: s.string, count: s.size }), s.nothing),
      setMemoryTarget: method(
        'Ask a running guest to use this many bytes (balloon).',
        s.object({ id: s.string, bytes: s.size }),
        s.nothing,
      ),
      sendKeys: method(
        'Magic SysRq key or an NMI trigger.',
        s.object({ id: s.string, kind: s.oneOf('sysrq', 'trigger'), value: s.string }),
        s.nothing,
      ),
      sleep: method('Ask the guest to go to sleep (ACPI S3); it stays Running. Answers when it sleeps.', id, s.nothing),
      wake: method('Wake a guest that sleeps; one that does not is no error.', id, s.nothing),
      setShadowMultiplier: method(
        'Change the memory for shadow page tables, of a VM that runs at once.',
        s.object({ id: s.string, multiplier: s.number }),
        s.nothing,
      ),
      firmware: method(
        'What its machine remembers while it is off; of one that runs, as it is now.',
        id,
        firmwareState,
      ),
      setFirmware: method(
        'Make its machine remember this instead. Halted.',
        s.object({ id: s.string, ...firmwareParts }),
        s.nothing,
      ),
      endGuest: method(
        'For trying out what follows: the guest of a running VM ends as if by itself.',
        s.object({ id: s.string, how: s.oneOf('poweroff', 'reboot') }),
        s.nothing,
      ),
      runScript: method(
        "Have the guest's agent run a script (a batch file, at most 3,072 bytes). Failed_to_run_script.",
        s.object({ id: s.string, script: s.string }),
        s.object({ status: s.int, out: s.string, err: s.string }),
      ),
      requestRdp: method(
        "Ask the guest's agent to allow remote desktops, or to stop that.",
        s.object({ id: s.string, enabled: s.boolean }),
        s.nothing,
      ),
    },
    vbd: {
      add: method(
        'Add a drive to the description, or replace it; does not plug it.',
        s.object({ vm: s.string, vbd: vbdSpec }),
        s.nothing,
      ),
      remove: method('Take it out of the description. Plugged: Device_is_connected.', device, s.nothing),
      plug: method('Plug into a running VM.', device, s.nothing),
      unplug: method(
        'Unplug; `force` does not wait for the guest.',
        s.object({ vm: s.string, id: s.string, force: s.boolean }),
        s.nothing,
      ),
      insert: method('Put a disc into an empty CD drive.', s.object({ vm: s.string, id: s.string, media }), s.nothing),
      eject: method('Take the disc out.', device, s.nothing),
    },
    vif: {
      add: method(
        'Add an interface to the description, or replace it; does not plug it.',
        s.object({ vm: s.string, vif: vifSpec }),
        s.nothing,
      ),
      remove: method('Take it out of the description. Plugged: Device_is_connected.', device, s.nothing),
      plug: method('Plug into a running VM.', device, s.nothing),
      unplug: method(
        'Unplug; `force` does not wait for the guest.',
        s.object({ vm: s.string, id: s.string, force: s.boolean }),
        s.nothing,
      ),
      counters: method(
        'What the guest has sent (`tx`) and got (`rx`) through a plugged interface since it was plugged. Network_error where ' +
          'nothing counts it.',
        device,
        portCounters,
      ),
      setLock: method(
        'Change which packets pass (`VifSpec.lock`; null: all), of an interface that is plugged at once.',
        s.object({ vm: s.string, id: s.string, lock: s.nullable(vifLock) }),
        s.nothing,
      ),
    },
    host: {
      stat: method(
        'The ground: what it is, and what is free.',
        s.object({}),
        s.object({
          backend: s.string,
          version: s.string,
          accelerator: s.string,
          capabilities: s.list(s.string),
          cpus: s.size,
          cpuModel: s.string,
          /** Bytes. */ memoryTotal: s.size,
          memoryFree: s.size,
          /** Bytes promised to VMs that run or start. */ memoryCommitted: s.size,
        }),
      ),
      domains: method(
        'Every domain of the ground, registered or not.',
        s.object({}),
        s.list(
          s.object({ domid: s.int, vm: s.nullable(s.string), name: s.string, power, memory: s.size, vcpus: s.size }),
        ),
      ),
      devices: method('Devices of the host that a guest may be given, and why one may not.', s.object({}), hostDevices),
      messages: method(
        "The hypervisor's messages, the oldest first; `clear` forgets them afterwards.",
        s.object({ clear: s.boolean }),
        s.string,
      ),
      sendDebugKeys: method(
        'The hypervisor writes to its messages what each of these letters and digits stands for.',
        s.object({ keys: s.string }),
        s.nothing,
      ),
      setWorkers: method(
        'How many operations run at once; those that run already end first. Until the domain manager is restarted.',
        s.object({ count: s.size }),
        s.nothing,
      ),
      startAll: method('Start what is to be started with the host, in order.', s.object({}), s.nothing),
      shutdownAll: method(
        'Shut down every running VM in order; by force after `timeoutS` each.',
        s.object({ timeoutS: s.number }),
        s.nothing,
      ),
    },
    /**
     * What a domain manager asks of the one that takes a VM. `token` names one attempt, and is used once:
     *
     *     prepare ──▶ receiving ──receive──▶ ready ──commit──▶ committed ──forget──▶ (unknown)
     *                     └───────abort────────┴──▶ (unknown)
     *
     * The copy stays paused until `commit`, which only the sender calls, once it will never let the guest run again itself.
     */
    incoming: {
      prepare: method(
        'Make an empty domain with the devices of the VM. Done twice it changes nothing.',
        s.object({
          token: s.string,
          spec: vmSpec,
          /** Seconds since the epoch. */
          startedAt: s.number,
          /** What the sender's ground says of the guest to one of its kind. */
          about: s.string,
        }),
        s.nothing,
      ),
      stat: method(
        'How far an attempt is; `address` is where the ground reads the guest from while it is receiving, else "".',
        token,
        s.object({ phase: s.oneOf('unknown', 'receiving', 'ready', 'committed'), address: s.string }),
      ),
      receive: method('Answers when the whole guest is in the new domain, paused.', token, s.nothing),
      commit: method('The guest is given away: it goes on here. Done twice it changes nothing.', token, s.nothing),
      abort: method(
        'Destroy the copy. One that is not known is no error; one that was committed is refused.',
        token,
        s.nothing,
      ),
      forget: method('The sender is done: nobody will ask after this attempt again.', token, s.nothing),
    },
    barrier: {
      wait: method(
        'Answer when every operation that was called before has ended and its events were delivered.',
        s.object({ vm: s.optional(s.string) }),
        s.nothing,
      ),
    },
  },
  /** A VM was added, changed (spec or state) or removed. `vm` is null when removed. */
  event: s.object({ id: s.string, vm: s.nullable(vm) }),
});
export type Xenops = Api<typeof xenopsContract>;
/** What a domain manager of another host may ask. */
export const incomingContract = contract({
  name: 'incoming',
  methods: { incoming: xenopsContract.methods.incoming },
  event: s.nothing,
});
export type IncomingApi = Api<typeof incomingContract>;
export type VmSpec = Shape<typeof vmSpec>;
export type VbdSpec = Shape<typeof vbdSpec>;
export type VifSpec = Shape<typeof vifSpec>;
export type VmState = Shape<typeof vmState>;
export type VmEntry = Shape<typeof vm>;
export type Media = Shape<typeof media>;
export type Content = Shape<typeof content>;
export type PowerState = Shape<typeof power>;
export type XenopsEvent = Shape<typeof xenopsContract.event>;
export { media as mediaSchema, vmSpec as vmSpecSchema };

export const xenopsErrors = errorsOf({
  Already_exists: 'there is a {what} {id} already',
  Does_not_exist: 'there is no {what} {id}',
  Bad_power_state: 'the VM {vm} is {found}; it must be {expected}',
  Unimplemented: '{function} is not possible on {backend}',
  Bad_spec: '{key}: {reason}',
  Not_enough_memory: 'the VM {vm} needs {needed} bytes of memory; {free} of {total} are free',
  Invalid_vcpus: '{count} virtual CPUs are not possible; at most {max}',
  Failed_to_acknowledge_shutdown_request: 'the guest of {vm} did not react to the request to {what}',
  Failed_to_shutdown: 'the guest of {vm} did not shut down within {timeoutS} s',
  Failed_to_migrate: 'the VM {vm} was not moved: {reason}',
  Failed_to_suspend: 'the guest of {vm} did not suspend: {reason}',
  Failed_to_freeze: 'the filesystems of {vm} are not frozen: {reason}',
  Failed_to_run_script: 'the script was not run in {vm}: {reason}',
  Domain_not_built: 'the domain of {vm} was made and not built yet',
  Device_is_connected: 'the device {id} is plugged',
  Device_not_connected: 'the device {id} is not plugged',
  Device_detach_rejected: 'the guest keeps the device {id}: {reason}',
  Media_not_ejectable: 'the device {id} is no CD drive',
  Media_present: 'the drive {id} is not empty',
  Media_not_present: 'the drive {id} is empty',
  No_bootable_device: 'the VM {vm} has nothing to boot from: {reason}',
  Unknown_bootloader: 'the boot loader {loader} of {vm} is not known; there are {known}',
  Bootloader_error: 'the boot loader of {vm} failed: {reason}',
  Failed_to_start_emulator: 'the emulator of {vm} did not start: {reason}',
  Hook_failed: 'the hook {hook} refused ({reason}): it ended with {status}, saying: {output}',
  Storage_error: '{reason}',
  Network_error: '{reason}',
  Io_error: 'input/output error: {reason}',
  Timed_out: '{step} of {vm} took longer than {seconds} s',
  Cancelled: 'cancelled: {task}',
  Interrupted: 'the toolstack was restarted while {operation} of {vm} was running',
  Internal_error: '{reason}',
});
