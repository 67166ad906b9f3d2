/** What is remembered of one VM: a row in the store, and what is seen of it now. */
import {
  type Media,
  type PowerState,
  type VmEntry,
  type VmSpec,
  type VmState,
  vmSpecSchema,
} from '../contracts/xenops.ts';
import type { Observed } from './backend.ts';
import type { How } from './verdict.ts';

/** A domain that is there, or is being made or destroyed. */
export interface Run {
  readonly domid: number;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** As it runs: the devices that are plugged, with what is in the drives. */
  readonly spec: VmSpec;
  /** The host's boot that it runs in; '' when unknown. */
  readonly boot: string;
  /** Its guest has ended and the domain is kept to be looked at. */
  readonly preserved?: boolean;
  /** It was made from this description and is not built yet: it has no devices. */
  readonly unbuilt?: VmSpec;
}
export type LastEnd = NonNullable<VmState['lastEnd']>;
/** Operations that leave a mark while they run, for whoever finds it after a restart. */
export type Marked = 'start' | 'resume' | 'resumePaused' | 'suspend' | 'reboot' | 'shutdown' | 'migrate';
/** A guest that is being moved away. */
export interface Leaving {
  /** Names the attempt at the receiver. */
  readonly token: string;
  /** The receiver's address; null: this domain manager. */
  readonly to: string | null;
  /** What the domain is called while another takes the VM's name. */
  readonly domain: string;
  /** The guest is the receiver's: it never runs in this domain again, unless the receiver says that it did not take it. */
  readonly given: boolean;
}

/** For people: where a guest goes, without what is secret in its address. */
export function placeOf(to: string | null): string {
  if (to === null) return 'this host';
  return URL.canParse(to) ? new URL(to).host || to : to;
}
/** A disk of which a snapshot is taken while a guest writes to it. */
export interface DiskToFreeze {
  /** The drive that it is in. */
  readonly vbd: string;
  readonly sr: string;
  readonly vdi: string;
  /** The snapshot. */
  readonly to: string;
  readonly name?: string | undefined;
}
/** A snapshot that is being taken. */
export interface Freezing {
  /** The domain that writes to the disks. */
  readonly domid: number;
  readonly disks: readonly DiskToFreeze[];
  /** The guest's filesystems may stand still. */
  readonly quiesce?: boolean;
}

/** The row in the store. */
export interface Durable {
  spec: VmSpec;
  run: Run | null;
  suspended: { readonly image: Media; readonly spec: VmSpec } | null;
  startedAt: number;
  lastEnd: LastEnd | null;
  operation: Marked | null;
  leaving: Leaving | null;
  freezing: Freezing | null;
}
export interface VmRecord extends Durable {
  readonly id: string;
  power: PowerState;
  /** What was last seen of its domain. */
  live: Observed | undefined;
  revision: number;
  /** The revision that watchers were told of. */
  told: number;
  entry: VmEntry | undefined;
  /** The world may hold more or less than the record says, since this: reconcile before the next operation. */
  dirty: How | null;
  /** A look at its domain is wanted, and queued. */
  looking: boolean;
}

const format = 1;
/** The row as text. */
export function encode(r: VmRecord): string {
  const { spec, run, suspended, startedAt, lastEnd, operation, leaving, freezing } = r;
  // What runs is mostly what is described: not written twice.
  const running = run && run.spec === spec ? { ...run, spec: null } : run;
  return JSON.stringify({
    format,
    spec,
    run: running,
    suspended,
    startedAt,
    lastEnd,
    operation,
    ...(leaving ? { leaving } : {}),
    ...(freezing ? { freezing } : {}),
  });
}
/** A record from its row; an Error that says what is wrong with it. */
export function decode(id: string, text: string): VmRecord {
  const row = JSON.parse(text) as Durable & { format: number };
  if (row.format !== format)
    throw new Error(`VM ${id}: its row has format ${row.format}; this version reads ${format}`);
  vmSpecSchema.check(row.spec, `VM ${id}: spec`);
  const { spec, suspended, startedAt, lastEnd, operation } = row;
  const run = row.run && { ...row.run, spec: row.run.spec ?? spec };
  const underway = { leaving: row.leaving ?? null, freezing: row.freezing ?? null };
  return { ...newRecord(spec), run, suspended, startedAt, lastEnd, operation, ...underway };
}
export function newRecord(spec: VmSpec): VmRecord {
  return {
    id: spec.id,
    spec,
    run: null,
    suspended: null,
    startedAt: 0,
    lastEnd: null,
    operation: null,
    leaving: null,
    freezing: null,
    power: 'Halted',
    live: undefined,
    revision: 0,
    told: 0,
    entry: undefined,
    dirty: null,
    looking: false,
  };
}
/** What runs; there is one when the power state is Running or Paused. */
export function runOf(record: VmRecord): Run {
  if (!record.run) throw new Error(`${record.id} is ${record.power} without a domain`);
  return record.run;
}
/** What is in a drive that is plugged, now and after the guest's next reboot. */
export function setDisc(r: VmRecord, id: string, media: Media | null): void {
  const change = (spec: VmSpec): VmSpec => ({
    ...spec,
    vbds: spec.vbds.map((vbd) => (vbd.id === id ? { ...vbd, media } : vbd)),
  });
  const same = r.run?.spec === r.spec;
  r.spec = change(r.spec);
  if (r.run) r.run = { ...r.run, spec: same ? r.spec : change(r.run.spec) };
}
