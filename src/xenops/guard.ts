/** Which operation is possible in which power state: one table, asked before anything is done. */
import { type PowerState, xenopsErrors } from '../contracts/xenops.ts';
import type { Backend, Capability } from './backend.ts';
import type { VmRecord } from './record.ts';

const live = ['Running', 'Paused'] as const;
const needs = {
  start: ['Halted'],
  create: ['Halted'],
  build: ['Paused'],
  pause: ['Running'],
  unpause: ['Paused'],
  shutdown: live,
  // A paused guest cannot react.
  cleanShutdown: ['Running'],
  reboot: live,
  cleanReboot: ['Running'],
  suspend: ['Running'],
  migrate: ['Running'],
  resume: ['Suspended'],
  takeSuspended: ['Halted'],
  remove: ['Halted', 'Suspended'],
  snapshotDisks: live,
  setFirmware: ['Halted'],
  setVcpus: live,
  setMemoryTarget: live,
  sendKeys: ['Running'],
  sleep: ['Running'],
  wake: ['Running'],
  endGuest: ['Running'],
  runScript: ['Running'],
  requestRdp: ['Running'],
  plug: live,
  unplug: live,
  insert: live,
  eject: live,
} as const satisfies Record<string, readonly PowerState[]>;
export type Guarded = keyof typeof needs;
/** Possible on a domain whose guest has ended and that was preserved. */
const fineWhenPreserved: ReadonlySet<Guarded> = new Set(['shutdown', 'reboot']);

/** Possible on a domain that is not built yet. */
const fineWhenUnbuilt: ReadonlySet<Guarded> = new Set(['build', 'shutdown']);

/** Bad_power_state, Domain_not_built. */
export function guard(what: Guarded, r: Pick<VmRecord, 'id' | 'power' | 'run'>): void {
  const allowed: readonly PowerState[] = needs[what];
  const expected = allowed.join(', ');
  if (!allowed.includes(r.power)) throw xenopsErrors.make('Bad_power_state', { vm: r.id, found: r.power, expected });
  if (r.run?.unbuilt && !fineWhenUnbuilt.has(what)) throw xenopsErrors.make('Domain_not_built', { vm: r.id });
  if (r.run?.preserved && !fineWhenPreserved.has(what)) {
    const reason = 'its guest has ended and the domain was preserved';
    throw xenopsErrors.make('Bad_power_state', { vm: r.id, found: r.power, expected: 'Running', reason });
  }
}
/** A guest may arrive only where its VM has none. Bad_power_state. */
export function guardArrival(vm: string, r: Pick<VmRecord, 'power' | 'run'> | undefined, arriving: boolean): void {
  const found = arriving ? 'arriving already' : r?.run ? r.power : r?.power === 'Suspended' ? 'Suspended' : undefined;
  if (found) throw xenopsErrors.make('Bad_power_state', { vm, found, expected: 'Halted' });
}
/** Unimplemented. */
export function needsCapability(backend: Backend, capability: Capability, what: string): void {
  if (!backend.can.has(capability)) {
    throw xenopsErrors.make('Unimplemented', { function: what, backend: backend.name });
  }
}
