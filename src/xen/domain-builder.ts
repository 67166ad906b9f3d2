/**
 * A guest's first memory, from its kernel (libxenguest's domain builder).
 *
 *     allocate ─▶ kernel, ramdisk ─▶ parse ─▶ memory ─▶ load ─▶ boot image ─▶ grants ─▶ release
 *
 * PV: the builder lays out page tables and the start-info page. PVH: a flat machine with ACPI tables, entered at the
 * kernel's PVH entry. HVM: the same machine with `hvmloader` as its kernel and holes for devices.
 */
import type { Blocking } from './blocking.ts';
import type { MemoryRange } from './core-file.ts';
import { writeHvmInfo } from './hvm-info.ts';
import { koffi } from './koffi.ts';
import { layout } from './layout.ts';
import type { Domains } from './libxenctrl.ts';
import { NativeMemory } from './native-memory.ts';
import { openSession, type Session, XenFailed } from './session.ts';

export interface BuildRequest {
  readonly domid: number;
  readonly type: 'pv' | 'pvh' | 'hvm';
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  readonly cmdline: string;
  /** Bytes: the most that it may have, and what it has at first. */
  readonly memoryMax: number;
  readonly memory: number;
  readonly maxVcpus: number;
  /** An HVM guest's BIOS, and how many of its processors are on at first. */
  readonly firmware?: Uint8Array;
  readonly vcpus?: number;
  /** Event channels of its store and console. */
  readonly storePort: number;
  readonly consolePort: number;
  /** Tables of a PVH guest's firmware and where they lie; the first holds the root pointer. */
  readonly tables?: readonly { readonly data: Uint8Array; readonly address: number }[];
}
/** Frames of the shared pages. */
export interface GuestPages {
  readonly store: bigint;
  readonly console: bigint;
}

const mib = 1 << 20;
const page = 4096;
const fourGib = 2 ** 32;
/** Where devices of an HVM machine begin, and where the tables of a PVH machine lie. */
const holes = { hvm: 0xf000_0000, pvh: 0xfc00_0000 } as const;
const vgaHolePages = 0x20;
const hvmContainer = 1;
const parameter = { storePage: 1, storePort: 2, consolePage: 17, consolePort: 18, timerMode: 10 };
/** Kinds of memory in the map that a PVH guest is given. */
const kind = { ram: 1, reserved: 2, acpi: 3 } as const;
const at = layout.xc_dom_image;

/** Throws `XenFailed` with the builder's words; the domain is then only good for being destroyed. */
export async function buildGuest(blocking: Blocking, domains: Domains, request: BuildRequest): Promise<GuestPages> {
  using session = openSession(blocking);
  using memory = new NativeMemory();
  const builder = new Builder(session, request);
  try {
    return await builder.run(domains, memory);
  } finally {
    builder.release();
  }
}

class Builder {
  readonly #session: Session;
  readonly #r: BuildRequest;
  readonly #image: bigint;
  readonly #view: DataView;

  constructor(session: Session, request: BuildRequest) {
    this.#session = session;
    this.#r = request;
    const allocate = session.guest.func('void *xc_dom_allocate(void *xch, const char *cmdline, const char *features)');
    const image: bigint | null = allocate(session.handle, request.cmdline, null);
    if (image === null) throw new XenFailed('xc_dom_allocate', session.lastWords());
    this.#image = image;
    this.#view = new DataView(koffi().view(image, at.size));
    checkLayout(this.#view, request.cmdline);
  }
  release(): void {
    this.#session.guest.func('void xc_dom_release(void *image)')(this.#image);
  }
  async run(domains: Domains, memory: NativeMemory): Promise<GuestPages> {
    const r = this.#r;
    this.#describe();
    await this.#step('xc_dom_kernel_file', 'const char *file', r.kernel);
    if (r.ramdisk !== undefined)
      await this.#step('xc_dom_module_file', 'const char *file, const char *cmdline', r.ramdisk, null);
    await this.#step('xc_dom_boot_xen_init', 'void *xch, uint32_t domid', this.#session.handle, r.domid);
    await this.#step('xc_dom_parse_image');
    const size = r.type === 'pv' ? r.memory : r.memoryMax;
    await this.#step('xc_dom_mem_init', 'unsigned int mib', Math.floor(size / mib));
    await this.#step('xc_dom_boot_mem_init');
    if (r.type !== 'pv') this.#giveTables(memory);
    if (r.firmware) this.#giveFirmware(memory, r.firmware);
    await this.#step('xc_dom_build_image');
    await this.#step('xc_dom_boot_image');
    await this.#step('xc_dom_gnttab_init');
    if (r.type === 'hvm') writeHvmInfo(r.domid, r.maxVcpus, r.vcpus ?? 1);
    return r.type === 'pv' ? this.#pvPages() : this.#hvmPages(domains);
  }
  /** Runs one function of the builder on the image. */
  async #step(name: string, more = '', ...args: readonly unknown[]): Promise<void> {
    const declaration = `int ${name}(${['void *image', more].filter(Boolean).join(', ')})`;
    await this.#session.run(name, this.#session.guest.func(declaration), this.#image, ...args);
  }
  #describe(): void {
    const { type, storePort, consolePort, maxVcpus, memory, memoryMax } = this.#r;
    const set32 = (offset: number, value: number) => this.#view.setUint32(offset, value, true);
    const set64 = (offset: number, value: number) => this.#view.setBigUint64(offset, BigInt(value), true);
    set32(at.console_evtchn, consolePort);
    set32(at.xenstore_evtchn, storePort);
    set32(at.console_domid, 0);
    set32(at.xenstore_domid, 0);
    set32(at.max_vcpus, maxVcpus);
    set32(at.container_type, type === 'pv' ? 0 : hvmContainer);
    if (type === 'pv') return;
    const hole = holes[type];
    set64(at.target_pages, Math.floor(memory / page));
    set64(at.mmio_start, hole);
    set64(at.mmio_size, fourGib - hole);
    set64(at.lowmem_end, Math.min(memoryMax, hole));
    set64(at.highmem_end, memoryMax > hole ? fourGib + memoryMax - hole : 0);
    set64(at.vga_hole_size, type === 'hvm' ? vgaHolePages : 0);
    this.#view.setUint8(at.device_model, type === 'hvm' ? 1 : 0);
  }
  #giveFirmware(memory: NativeMemory, firmware: Uint8Array): void {
    const module = layout.xc_hvm_firmware_module;
    this.#view.setBigUint64(at.system_firmware_module + module.data, memory.hold(firmware), true);
    this.#view.setUint32(at.system_firmware_module + module.length, firmware.length, true);
  }
  /** The tables of the firmware and the map of memory, which a machine without firmware is handed by the builder. */
  #giveTables(memory: NativeMemory): void {
    const module = layout.xc_hvm_firmware_module;
    const tables = this.#r.tables ?? [];
    for (const [i, { data, address }] of tables.entries()) {
      const offset = at.acpi_modules + i * module.size;
      this.#view.setBigUint64(offset + module.data, memory.hold(data), true);
      this.#view.setUint32(offset + module.length, data.length, true);
      this.#view.setBigUint64(offset + module.guest_addr_out, BigInt(address), true);
    }
    const map = this.#r.type === 'hvm' ? machineMemoryMap(this.#r.memoryMax) : memoryMap(this.#r.memoryMax, tables);
    const entries = memory.hold(map);
    const count = map.length / mapEntry;
    // A machine with a loader hands its map on itself.
    if (this.#r.type === 'pvh') {
      this.#view.setBigUint64(at.e820, entries, true);
      this.#view.setUint32(at.e820_entries, count, true);
    }
    const set = this.#session.ctrl.func(
      'int xc_domain_set_memory_map(void *xch, uint32_t domid, void *map, uint32_t n)',
    );
    if (set(this.#session.handle, this.#r.domid, entries, count) < 0)
      throw new XenFailed('xc_domain_set_memory_map', this.#session.lastWords());
  }
  #pvPages(): GuestPages {
    const table = this.#view.getBigUint64(at.pv_p2m, true);
    const frame = (field: number) => {
      const pfn = Number(this.#view.getBigUint64(field, true));
      return new DataView(koffi().view(table + BigInt(pfn * 8), 8)).getBigUint64(0, true);
    };
    return { store: frame(at.xenstore_pfn), console: frame(at.console_pfn) };
  }
  #hvmPages(domains: Domains): GuestPages {
    const { domid, storePort, consolePort, type } = this.#r;
    if (type === 'hvm') {
      domains.setParameter(domid, parameter.timerMode, 1);
    }
    domains.setParameter(domid, parameter.storePort, storePort);
    domains.setParameter(domid, parameter.consolePort, consolePort);
    const get = (which: number) => domains.getParameter(domid, which);
    return { store: get(parameter.storePage), console: get(parameter.consolePage) };
  }
}

/** The command line must be where the layout says: another library's structure would be written over. */
function checkLayout(view: DataView, cmdline: string): void {
  const pointer = view.getBigUint64(at.cmdline, true);
  if (pointer !== 0n && koffi().decode.string(pointer, cmdline.length) === cmdline) return;
  throw new XenFailed('xc_dom_allocate', 'its structure is not that of Xen 4.17, which this toolstack was made for');
}

/** Bytes of one entry of a memory map. */
const mapEntry = 20;
/** The map of a PVH machine (e820): its memory, its tables, and the pages that the hypervisor keeps for itself. */
export function memoryMap(
  memoryMax: number,
  tables: readonly { readonly data: Uint8Array; readonly address: number }[],
): Buffer {
  const [low, high] = memoryOf(memoryMax).map(({ start, length }): Range => [start, length, kind.ram]);
  const ranges = low ? [low] : [];
  for (const { data, address } of tables) ranges.push([address, Math.ceil(data.length / page) * page, kind.acpi]);
  const special = 8;
  ranges.push([0xff00_0000 - special * page, special * page, kind.reserved]);
  if (high) ranges.push(high);
  return encodeMap(ranges);
}
/** Where a PVH guest has its memory. */
export function memoryOf(memoryMax: number): MemoryRange[] {
  const low = { start: 0, length: Math.min(memoryMax, holes.pvh) };
  return memoryMax > holes.pvh ? [low, { start: fourGib, length: memoryMax - holes.pvh }] : [low];
}
/** The memory of an HVM machine above its first MiB, which its loader lays out. */
export function machineMemoryMap(memoryMax: number): Buffer {
  const low = Math.min(memoryMax, holes.hvm);
  const ranges: Range[] = [[mib, low - mib, kind.ram]];
  if (memoryMax > holes.hvm) ranges.push([fourGib, memoryMax - holes.hvm, kind.ram]);
  return encodeMap(ranges);
}
type Range = readonly [start: number, length: number, kind: number];
function encodeMap(ranges: readonly Range[]): Buffer {
  const map = Buffer.alloc(ranges.length * mapEntry);
  for (const [i, [start, length, what]] of ranges.entries()) {
    map.writeBigUInt64LE(BigInt(start), i * mapEntry);
    map.writeBigUInt64LE(BigInt(length), i * mapEntry + 8);
    map.writeUInt32LE(what, i * mapEntry + 16);
  }
  return map;
}
