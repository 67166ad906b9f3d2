/** Domains as the hypervisor knows them (libxenctrl): what is there, and the quick calls that change it. */
import { isUuid } from '../base/ids.ts';
import { CallFailed, checked, checkedPointer, koffi, type Library, loadLibrary, type Pointer } from './koffi.ts';
import { layout } from './layout.ts';
import type { XenLog } from './libxentoollog.ts';

/** Why a domain that is `shutdown` has stopped. */
export type ShutdownReason = 'poweroff' | 'reboot' | 'suspend' | 'crash' | 'watchdog' | 'soft-reset';
const reasons: readonly ShutdownReason[] = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft-reset'];

export interface DomainInfo {
  readonly domid: number;
  /** Its handle: the VM's UUID. */
  readonly uuid: string;
  readonly hvm: boolean;
  readonly paused: boolean;
  /** It is being destroyed. */
  readonly dying: boolean;
  /** It has stopped by itself, or is saved. */
  readonly shutdown: ShutdownReason | undefined;
  /** Bytes. */
  readonly memory: number;
  /** Seconds of processor time that it has used. */
  readonly cpuTime: number;
  /** Virtual CPUs that are on. */
  readonly vcpus: number;
}
export interface HostInfo {
  readonly cpus: number;
  /** Bytes. */
  readonly memoryTotal: number;
  readonly memoryFree: number;
  /** It can run guests with hardware virtualisation: HVM and PVH. */
  readonly hvm: boolean;
  readonly pv: boolean;
  /** Its processors have nested page tables. */
  readonly hap: boolean;
}
export interface NewDomain {
  readonly domid: number;
  readonly uuid: string;
  /** `hvm` has a device model; `pvh` is hardware-virtualised without one. */
  readonly type: 'pv' | 'pvh' | 'hvm';
  readonly maxVcpus: number;
}

const page = 4096;
const flag = { dying: 1, hvm: 2, shutdown: 4, paused: 8 };
const capability = { hvm: 1, pv: 2, hap: 8 };
const create = { hvm: 1, hap: 2 };
/** The local interrupt controller; with a device model, all but virtual PCI. */
const emulation = { pvh: 0x001, hvm: 0x3ff };

/** The open library: what `domain-builder` and `migration` use too. */
export interface Control {
  readonly library: Library;
  /** `xc_interface *`. */
  readonly handle: bigint;
}
/** Opens a connection to the hypervisor. Its errors go to `log`. Throws `CallFailed`, `LibraryMissing`. */
export function openControl(log: XenLog): Control & { close(): void } {
  const library = loadLibrary('libxenctrl.so.4.17', 'libxenmisc4.17');
  const open = library.func('void *xc_interface_open(void *logger, void *builderLogger, unsigned int flags)');
  const close = library.func('int xc_interface_close(void *xch)');
  const opened: Pointer = open(log.logger, log.logger, 0);
  const handle = checkedPointer('xc_interface_open', opened, 'is this the control domain of a Xen host?');
  return { library, handle, close: () => void close(handle) };
}

/** Calls that come back at once. All throw `CallFailed`. */
export class Domains {
  readonly #xch: bigint;
  readonly #log: XenLog;
  readonly #f: Bound;

  constructor({ library, handle }: Control, log: XenLog) {
    this.#xch = handle;
    this.#log = log;
    this.#f = bind(library);
  }
  /** `4.17.7`. */
  version(): string {
    const number = checked('xc_version', this.#f.version(this.#xch, 0, null));
    const extra = Buffer.alloc(16);
    checked('xc_version', this.#f.version(this.#xch, 1, extra));
    return `${number >> 16}.${number & 0xffff}${extra.toString('latin1').replace(/\0.*$/, '')}`;
  }
  host(): HostInfo {
    const at = layout.xen_sysctl_physinfo;
    const info = Buffer.alloc(at.size);
    this.#check('xc_physinfo', this.#f.physinfo(this.#xch, info));
    const has = info.readUInt32LE(at.capabilities);
    const pages = (offset: number) => Number(info.readBigUInt64LE(offset)) * page;
    return {
      cpus: info.readUInt32LE(at.nr_cpus),
      memoryTotal: pages(at.total_pages),
      memoryFree: pages(at.free_pages) + pages(at.scrub_pages),
      hvm: (has & capability.hvm) !== 0,
      pv: (has & capability.pv) !== 0,
      hap: (has & capability.hap) !== 0,
    };
  }
  /** Every domain, also those that are not ours. */
  list(): DomainInfo[] {
    const found: DomainInfo[] = [];
    for (let first = 0; ; ) {
      const some = this.#from(first, 64);
      found.push(...some);
      const last = some.at(-1);
      if (!last || some.length < 64) return found;
      first = last.domid + 1;
    }
  }
  find(domid: number): DomainInfo | undefined {
    const info = this.#from(domid, 1)[0];
    return info?.domid === domid ? info : undefined;
  }
  #from(first: number, most: number): DomainInfo[] {
    const { size } = layout.xen_domctl_getdomaininfo;
    const buffer = Buffer.alloc(size * most);
    const count = this.#check('xc_domain_getinfolist', this.#f.getinfolist(this.#xch, first, most, buffer));
    return Array.from({ length: count }, (_, i) => domainInfo(buffer.subarray(i * size, (i + 1) * size)));
  }
  /** EEXIST when the number is taken. */
  create({ domid, uuid, type, maxVcpus }: NewDomain, hap: boolean): void {
    const at = layout.xen_domctl_createdomain;
    const config = Buffer.alloc(at.size);
    uuidBytes(uuid).copy(config, at.handle);
    config.writeUInt32LE(type === 'pv' ? 0 : create.hvm | (hap ? create.hap : 0), at.flags);
    config.writeUInt32LE(maxVcpus, at.max_vcpus);
    config.writeUInt32LE(1023, at.max_evtchn_port);
    // The hypervisor's own limits.
    config.writeInt32LE(-1, at.max_grant_frames);
    config.writeInt32LE(-1, at.max_maptrack_frames);
    config.writeUInt32LE(2, at.grant_opts);
    config.writeUInt32LE(type === 'pv' ? 0 : emulation[type], at.arch);
    const number = Buffer.alloc(4);
    number.writeUInt32LE(domid);
    this.#check('xc_domain_create', this.#f.create(this.#xch, number, config), `domain ${domid}`);
    this.#check('xc_domain_max_vcpus', this.#f.maxVcpus(this.#xch, domid, maxVcpus), `${maxVcpus} CPUs`);
  }
  /** The most that the domain may ever have, in bytes. */
  setMaxMemory(domid: number, bytes: number): void {
    this.#check('xc_domain_setmaxmem', this.#f.setMaxMem(this.#xch, domid, Math.ceil(bytes / 1024)));
  }
  /** How far a PV guest's memory map reaches, in bytes. */
  setMemoryMapLimit(domid: number, bytes: number): void {
    this.#check('xc_domain_set_memmap_limit', this.#f.setMapLimit(this.#xch, domid, Math.ceil(bytes / 1024)));
  }
  /** Memory for the page tables of a hardware-virtualised domain, in MiB. */
  setPagingMemory(domid: number, mib: number): void {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(mib);
    const setAllocation = 31;
    this.#check('xc_shadow_control', this.#f.shadow(this.#xch, domid, setAllocation, size, 0), `${mib} MiB`);
  }
  /** What `cpuid` tells the guest: what this host can do. */
  applyCpuPolicy(domid: number, restored: boolean): void {
    this.#check(
      'xc_cpuid_apply_policy',
      this.#f.cpuid(this.#xch, domid, restored, null, 0, true, false, false, null, null),
    );
  }
  /** A port of `domid` that `remote` will bind. */
  allocateChannel(domid: number, remote: number): number {
    return this.#check('xc_evtchn_alloc_unbound', this.#f.allocate(this.#xch, domid, remote));
  }
  getParameter(domid: number, parameter: number): bigint {
    const value = Buffer.alloc(8);
    this.#check('xc_hvm_param_get', this.#f.paramGet(this.#xch, domid, parameter, value), `parameter ${parameter}`);
    return value.readBigUInt64LE();
  }
  setParameter(domid: number, parameter: number, value: number | bigint): void {
    this.#check('xc_hvm_param_set', this.#f.paramSet(this.#xch, domid, parameter, value), `parameter ${parameter}`);
  }
  setTimeOffset(domid: number, seconds: number): void {
    this.#check('xc_domain_set_time_offset', this.#f.timeOffset(this.#xch, domid, seconds));
  }
  /** Another UUID for a domain. */
  setHandle(domid: number, uuid: string): void {
    this.#check('xc_domain_sethandle', this.#f.setHandle(this.#xch, domid, uuidBytes(uuid)), uuid);
  }
  unpause(domid: number): void {
    this.#check('xc_domain_unpause', this.#f.unpause(this.#xch, domid));
  }
  pause(domid: number): void {
    this.#check('xc_domain_pause', this.#f.pause(this.#xch, domid));
  }
  /** Stops the domain as if its guest had. */
  stop(domid: number, reason: ShutdownReason): void {
    this.#check('xc_domain_shutdown', this.#f.shutdown(this.#xch, domid, reasons.indexOf(reason)));
  }
  /** 0: an NMI; 1: reset; 3: power button; 4: sleep button. */
  sendTrigger(domid: number, trigger: number): void {
    this.#check('xc_domain_send_trigger', this.#f.trigger(this.#xch, domid, trigger, 0));
  }
  /** The hypervisor's messages, up to 1 MiB; `clear` empties its buffer. */
  messages(clear: boolean): string {
    const buffer = Buffer.alloc(1 << 20);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(buffer.length);
    const index = Buffer.alloc(4);
    this.#check('xc_readconsolering', this.#f.readRing(this.#xch, buffer, length, clear ? 1 : 0, 0, index));
    return buffer.toString('latin1', 0, length.readUInt32LE());
  }
  /** As if typed at the hypervisor's console. */
  sendDebugKeys(keys: string): void {
    this.#check('xc_send_debug_keys', this.#f.debugKeys(this.#xch, keys), keys);
  }
  /** Share of the processors against other domains (256 is usual) and limit in percent of one (0: none). */
  setSchedule(domid: number, weight: number, cap: number): void {
    const share = Buffer.alloc(layout.xen_domctl_sched_credit.size);
    share.writeUInt16LE(weight, layout.xen_domctl_sched_credit.weight);
    share.writeUInt16LE(cap, layout.xen_domctl_sched_credit.cap);
    const { set } = this.#scheduler();
    this.#check('xc_sched_credit_domain_set', set(this.#xch, domid, share), `weight ${weight}, cap ${cap}`);
  }
  /** As `setSchedule` sets them. */
  schedule(domid: number): { readonly weight: number; readonly cap: number } {
    const share = Buffer.alloc(layout.xen_domctl_sched_credit.size);
    this.#check('xc_sched_credit_domain_get', this.#scheduler().get(this.#xch, domid, share));
    const { weight, cap } = layout.xen_domctl_sched_credit;
    return { weight: share.readUInt16LE(weight), cap: share.readUInt16LE(cap) };
  }
  /** The calls of the scheduler that the hypervisor uses. */
  #scheduler(): Bound['credit'] {
    const id = Buffer.alloc(4);
    this.#check('xc_sched_id', this.#f.schedId(this.#xch, id));
    const calls = { 5: this.#f.credit, 6: this.#f.credit2 }[id.readInt32LE()];
    if (calls) return calls;
    throw new Error(`the hypervisor's scheduler (number ${id.readInt32LE()}) knows no weight and cap`);
  }
  /** Binds a virtual CPU to processors of the host. */
  setAffinity(domid: number, vcpu: number, cpus: readonly number[]): void {
    const size = this.#check('xc_get_cpumap_size', this.#f.cpumapSize(this.#xch));
    const map = Buffer.alloc(size);
    for (const cpu of cpus) if (cpu >> 3 < size) map[cpu >> 3] = (map[cpu >> 3] as number) | (1 << (cpu & 7));
    const hard = 1;
    this.#check('xc_vcpu_setaffinity', this.#f.affinity(this.#xch, domid, vcpu, map, null, hard), cpus.join(','));
  }
  #check(call: string, result: number, about = ''): number {
    if (result >= 0) return result;
    const errno = koffi().errno();
    const words = this.#log.lastWords();
    this.#log.clear();
    throw new CallFailed(call, errno, [about, words].filter(Boolean).join('; '));
  }
}

type Bound = ReturnType<typeof bind>;
function bind(library: Library) {
  const f = (declaration: string) => library.func(declaration);
  return {
    version: f('int xc_version(void *xch, int command, void *into)'),
    physinfo: f('int xc_physinfo(void *xch, void *info)'),
    getinfolist: f('int xc_domain_getinfolist(void *xch, uint32_t first, unsigned int most, void *info)'),
    create: f('int xc_domain_create(void *xch, void *domid, void *config)'),
    maxVcpus: f('int xc_domain_max_vcpus(void *xch, uint32_t domid, unsigned int most)'),
    setMaxMem: f('int xc_domain_setmaxmem(void *xch, uint32_t domid, uint64_t kib)'),
    setMapLimit: f('int xc_domain_set_memmap_limit(void *xch, uint32_t domid, unsigned long kib)'),
    shadow: f('int xc_shadow_control(void *xch, uint32_t domid, unsigned int op, void *mib, unsigned int mode)'),
    cpuid: loadLibrary('libxenguest.so.4.17', 'libxenmisc4.17').func(
      'int xc_cpuid_apply_policy(void *xch, uint32_t domid, bool restore, void *features, unsigned int count, bool pae, bool itsc, bool nested, void *cpuid, void *msr)',
    ),
    allocate: f('int xc_evtchn_alloc_unbound(void *xch, uint32_t domid, uint32_t remote)'),
    paramGet: f('int xc_hvm_param_get(void *xch, uint32_t domid, uint32_t parameter, void *value)'),
    paramSet: f('int xc_hvm_param_set(void *xch, uint32_t domid, uint32_t parameter, uint64_t value)'),
    timeOffset: f('int xc_domain_set_time_offset(void *xch, uint32_t domid, int32_t seconds)'),
    setHandle: f('int xc_domain_sethandle(void *xch, uint32_t domid, void *handle)'),
    pause: f('int xc_domain_pause(void *xch, uint32_t domid)'),
    unpause: f('int xc_domain_unpause(void *xch, uint32_t domid)'),
    shutdown: f('int xc_domain_shutdown(void *xch, uint32_t domid, int reason)'),
    trigger: f('int xc_domain_send_trigger(void *xch, uint32_t domid, uint32_t trigger, uint32_t vcpu)'),
    schedId: f('int xc_sched_id(void *xch, void *id)'),
    credit: {
      set: f('int xc_sched_credit_domain_set(void *xch, uint32_t domid, void *share)'),
      get: f('int xc_sched_credit_domain_get(void *xch, uint32_t domid, void *share)'),
    },
    credit2: {
      set: f('int xc_sched_credit2_domain_set(void *xch, uint32_t domid, void *share)'),
      get: f('int xc_sched_credit2_domain_get(void *xch, uint32_t domid, void *share)'),
    },
    readRing: f(
      'int xc_readconsolering(void *xch, void *buffer, void *length, int clear, int incremental, void *index)',
    ),
    debugKeys: f('int xc_send_debug_keys(void *xch, const char *keys)'),
    cpumapSize: f('int xc_get_cpumap_size(void *xch)'),
    affinity: f('int xc_vcpu_setaffinity(void *xch, uint32_t domid, int vcpu, void *hard, void *soft, uint32_t flags)'),
  };
}

/** Reads one `xen_domctl_getdomaininfo`. */
export function domainInfo(bytes: Buffer): DomainInfo {
  const at = layout.xen_domctl_getdomaininfo;
  const flags = bytes.readUInt32LE(at.flags);
  return {
    domid: bytes.readUInt16LE(at.domain),
    uuid: uuidText(bytes.subarray(at.handle, at.handle + 16)),
    hvm: (flags & flag.hvm) !== 0,
    paused: (flags & flag.paused) !== 0,
    dying: (flags & flag.dying) !== 0,
    shutdown: flags & flag.shutdown ? (reasons[(flags >>> 16) & 255] ?? 'crash') : undefined,
    memory: Number(bytes.readBigUInt64LE(at.tot_pages)) * page,
    cpuTime: Number(bytes.readBigUInt64LE(at.cpu_time)) / 1e9,
    vcpus: bytes.readUInt32LE(at.nr_online_vcpus),
  };
}
function uuidBytes(uuid: string): Buffer {
  if (!isUuid(uuid)) throw new Error(`${uuid} is no UUID, which a domain's handle must be`);
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
function uuidText(bytes: Buffer): string {
  const h = bytes.toString('hex');
  return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join('-');
}
