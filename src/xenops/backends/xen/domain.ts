/**
 * One domain of ours: what is recorded of it, and what the hypervisor says.
 *
 *     created ──build──▶ paused ◀──▶ running ──▶ ended ──destroy──▶ gone
 *        │      restore     ▲           │          ▲
 *        └────────┘         └── suspended (by save; unpausing lets it go on)
 */
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Processes } from '../../../contracts/processes.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Store } from '../../../contracts/xenstore.ts';
import type { DomainInfo } from '../../../xen/libxenctrl.ts';
import type { Xen } from '../../../xen/xen.ts';
import type { BackendEvent, DomainEnd } from '../../backend.ts';
import type { GuestConsole } from './console.ts';
import type { Folders } from './folder.ts';
import type { DomainRecord } from './record.ts';

/** Milliseconds. */
export interface Patience {
  /** For a device's backend to come up. */
  readonly backendMs: number;
  /** For a guest to let a device go. */
  readonly unplugMs: number;
  /** For a backend whose guest is gone, or was not asked. */
  readonly teardownMs: number;
  /** For a guest to acknowledge a request. */
  readonly acknowledgeMs: number;
  /** For a guest to suspend. */
  readonly suspendMs: number;
  /** For a guest to go to sleep. */
  readonly sleepMs: number;
  /** For an agent in a guest to run a script. */
  readonly scriptMs: number;
  /** Between looks at what no watch tells of. */
  readonly lookMs: number;
}
export interface DomainNeeds {
  readonly xen: Xen;
  readonly store: Store;
  readonly processes: Processes;
  readonly folders: Folders;
  readonly clock: Clock;
  readonly log: Log;
  readonly patience: Patience;
  /** The emulator that serves disk images. */
  readonly qemu: string;
  emit(event: BackendEvent): void;
}

export class Domain {
  readonly needs: DomainNeeds;
  readonly vm: string;
  #record: DomainRecord;
  #writing: Promise<void> = Promise.resolve();
  /** Set while it is being destroyed: its end is nobody's news. */
  doomed = false;
  console: GuestConsole | undefined;

  constructor(needs: DomainNeeds, record: DomainRecord) {
    this.needs = needs;
    this.vm = record.spec.id;
    this.#record = record;
  }
  get record(): DomainRecord {
    return this.#record;
  }
  get domid(): number {
    return this.#record.domid;
  }
  get built(): boolean {
    return this.#record.phase === 'built';
  }
  /** What the hypervisor says of it; undefined when it is gone, or its number is another's now. */
  info(): DomainInfo | undefined {
    const info = this.needs.xen.domains.find(this.domid);
    const ours = info?.uuid === this.vm || (info !== undefined && info.uuid === this.#record.becoming);
    return ours && !info.dying ? info : undefined;
  }
  /** Changes the record, durably. Changes made at once are written in their order. */
  async update(change: Partial<DomainRecord> | ((now: DomainRecord) => Partial<DomainRecord>)): Promise<void> {
    const changes = typeof change === 'function' ? change(this.#record) : change;
    this.note(changes);
    const write = () => (this.doomed ? Promise.resolve() : this.needs.folders.write(this.#record));
    const next = this.#writing.then(write, write);
    this.#writing = next.catch(() => undefined);
    await next;
  }
  /** Changes what is known of it; written with the next `update`. */
  note(changes: Partial<DomainRecord>): void {
    this.#record = { ...this.#record, ...changes };
  }
  changed(): void {
    this.needs.emit({ event: 'changed', vm: this.vm });
  }
  /** How its guest has ended, if it has. */
  endOf(info: DomainInfo | undefined): DomainEnd | undefined {
    if (this.#record.end) return this.#record.end;
    if (!info) {
      const detail = 'its domain is gone, and this toolstack did not destroy it';
      return this.built ? { reason: 'killed', detail } : undefined;
    }
    if (info.shutdown === 'poweroff' && this.#record.rebooting) return endings.reboot;
    return info.shutdown === undefined ? undefined : endings[info.shutdown];
  }
  power(info: DomainInfo | undefined): 'paused' | 'running' | 'ended' {
    if (this.endOf(info)) return 'ended';
    if (!this.built || info?.shutdown === 'suspend') return 'paused';
    return info?.paused ? 'paused' : 'running';
  }
  /** Refuses what needs a guest. */
  live(): DomainInfo {
    const info = this.info();
    if (this.built && info && !this.endOf(info)) return info;
    const reason = this.built ? 'its guest has ended' : 'it is not built';
    throw xenopsErrors.make('Internal_error', { reason: `the domain of ${this.vm}: ${reason}` });
  }
}

/** What the hypervisor's reasons mean here; a suspended guest has not ended. */
const endings: Readonly<Record<NonNullable<DomainInfo['shutdown']>, DomainEnd | undefined>> = {
  poweroff: { reason: 'poweroff', detail: 'the guest powered off' },
  reboot: { reason: 'reboot', detail: 'the guest asked to be started again' },
  suspend: undefined,
  crash: { reason: 'crash', detail: 'the guest crashed' },
  watchdog: { reason: 'hung', detail: "the guest's watchdog was not fed" },
  'soft-reset': { reason: 'crash', detail: 'the guest asked for a soft reset, which is not possible here' },
};
