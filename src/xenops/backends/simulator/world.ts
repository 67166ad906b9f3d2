/** The simulator's hypervisor: what outlives the toolstack, as plain data. */
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import type { FirmwareState } from '../../../contracts/guest.ts';
import type { VbdSpec, VifSpec, VmSpec } from '../../../contracts/xenops.ts';
import type { DomainEnd } from '../../backend.ts';

export interface SimDomain {
  vm: string;
  readonly domid: number;
  spec: VmSpec;
  built: boolean;
  power: 'paused' | 'running' | 'ended';
  end?: DomainEnd;
  /** Seconds since the epoch; 0 before it ran. */
  startedAt: number;
  memoryTarget: number;
  vcpus: number;
  /** Its guest sleeps (S3). */
  asleep?: boolean;
  /** The guest's filesystems are held still. */
  frozen?: boolean;
  /** Memory for shadow page tables, in parts of what is usual. */
  shadow?: number;
  /** The path of the image that it was restored from. */
  image?: string;
  /** What moved its guest here, or away. */
  moved?: SimTransfer;
  readonly vbds: Map<string, { spec: VbdSpec; path: string | null; changed?: boolean }>;
  readonly vifs: Map<string, { spec: VifSpec; port: string }>;
}
/** The positions of its drives: what a saved guest must find again. */
export const drivesOf = (d: SimDomain): readonly number[] =>
  [...d.vbds.values()].map(({ spec }) => spec.position).sort((a, b) => a - b);

/** A guest in a suspend image. */
export interface SimImage {
  readonly vm: string;
  readonly memoryTarget: number;
  readonly vcpus: number;
  /** Positions, in their order. */
  readonly drives: readonly number[];
  /** Its guest has gone on from here: resuming it again would run the guest a second time. */
  spent: boolean;
}

/** A guest on its way from one domain to another. */
export interface SimTransfer {
  readonly address: string;
  readonly vm: string;
  readonly startedAt: number;
  readonly memoryTarget: number;
  readonly vcpus: number;
  readonly vbds: readonly string[];
  /** The host and domain that it went on in, on either side: in another it would run a second time. */
  wentOnIn?: string;
}

/** Domains by VM and suspend images by path. Handed to a second simulator, it is the same host after a restart of the toolstack. */
export class SimWorld {
  /** Tells hosts that guests move between from each other. */
  readonly name: string;
  readonly domains = new Map<string, SimDomain>();
  readonly images = new Map<string, SimImage>();
  /** What machines remember while they are off, by VM. */
  readonly firmware = new Map<string, FirmwareState>();
  /** What no toolstack may ever do, and did: an image resumed after its guest had gone on. */
  readonly violations: string[] = [];

  constructor(name = '') {
    this.name = name;
  }
  /** Something of this domain has changed. */
  changed(_vm: string): void {
    // Kept in memory only.
  }
  /** An image was written. */
  saved(_path: string): void {
    // Kept in memory only.
  }
  /** What the machine of this VM remembers. */
  remember(vm: string, state: FirmwareState | undefined): void {
    if (state) this.firmware.set(vm, state);
    else this.firmware.delete(vm);
  }
  /** No more changes are written. */
  close(): void {
    // Nothing to let go of.
  }
  /** The host loses power: domains are gone, images stay. */
  reboot(): void {
    for (const vm of [...this.domains.keys()]) {
      this.domains.delete(vm);
      this.changed(vm);
    }
  }
}

type Line =
  | { vm: string; domain: unknown }
  | { path: string; image: SimImage }
  | { firmware: string; state: FirmwareState | null };

/** A world in a file, so that it outlives its process: a journal of changes, rewritten when it has grown. */
export class FileWorld extends SimWorld {
  readonly #file: string;
  #lines = 0;
  #journal = -1;

  constructor(file: string) {
    super();
    this.#file = file;
    if (existsSync(file)) {
      // A kill may have cut the last line short.
      for (const text of readFileSync(file, 'utf8').split('\n').slice(0, -1)) this.#read(JSON.parse(text) as Line);
    }
    this.#rewrite();
  }
  override changed(vm: string): void {
    this.#write({ vm, domain: encodeDomain(this.domains.get(vm)) });
  }
  override saved(path: string): void {
    const image = this.images.get(path);
    if (image) this.#write({ path, image });
  }

  override remember(vm: string, state: FirmwareState | undefined): void {
    super.remember(vm, state);
    this.#write({ firmware: vm, state: state ?? null });
  }
  override close(): void {
    if (this.#journal >= 0) closeSync(this.#journal);
    this.#journal = -1;
  }
  #read(line: Line): void {
    if ('firmware' in line) super.remember(line.firmware, line.state ?? undefined);
    else if ('path' in line) this.images.set(line.path, line.image);
    else if (line.domain === null) this.domains.delete(line.vm);
    else this.domains.set(line.vm, decodeDomain(line.domain));
  }
  #write(line: Line): void {
    if (this.#journal < 0) return;
    if (this.#lines > 10_000 + 4 * this.domains.size) this.#rewrite();
    writeSync(this.#journal, `${JSON.stringify(line)}\n`);
    this.#lines++;
  }
  #rewrite(): void {
    const lines: Line[] = [...this.domains].map(([vm, domain]) => ({ vm, domain: encodeDomain(domain) }));
    for (const [path, image] of this.images) lines.push({ path, image });
    for (const [vm, state] of this.firmware) lines.push({ firmware: vm, state });
    writeFileSync(`${this.#file}.new`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    if (this.#journal >= 0) closeSync(this.#journal);
    this.#journal = openSync(this.#file, 'a');
    this.#lines = lines.length;
  }
}

function encodeDomain(domain: SimDomain | undefined): unknown {
  return domain ? { ...domain, vbds: [...domain.vbds], vifs: [...domain.vifs] } : null;
}
function decodeDomain(text: unknown): SimDomain {
  // Written by `encodeDomain` of the same version: the file is the simulator's own.
  const d = text as Omit<SimDomain, 'vbds' | 'vifs'> & { vbds: []; vifs: [] };
  return { ...d, vbds: new Map(d.vbds), vifs: new Map(d.vifs) };
}
