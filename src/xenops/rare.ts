/** What few grounds can do: guests that sleep and wake, shadow page tables, agents in guests, the hypervisor's messages. */
import type { Call } from '../contracts/contract.ts';
import type { FirmwareState } from '../contracts/guest.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import type { RareGuestVerbs, RareHostVerbs } from './backend.ts';
import type { Core } from './core.ts';
import { type Guarded, guard, needsCapability } from './guard.ts';
import { type Operation, operate } from './operation.ts';
import { shadowPlan, sleepPlan, wakePlan } from './plans/adjust.ts';
import { runOf } from './record.ts';

export function sleepVm(core: Core, id: string, call?: Call): Promise<void> {
  return rare(core, id, 'sleep', call, (op) => op.run(sleepPlan(id)));
}
export function wakeVm(core: Core, id: string, call?: Call): Promise<void> {
  return rare(core, id, 'wake', call, (op) => op.run(wakePlan(id)));
}
export function endGuest(core: Core, id: string, how: 'poweroff' | 'reboot', call?: Call): Promise<void> {
  return rare(core, id, 'endGuest', call, () => guestVerb(core, 'endGuest')(id, how));
}
export function requestRdp(core: Core, id: string, enabled: boolean, call?: Call): Promise<void> {
  return rare(core, id, 'requestRdp', call, () => guestVerb(core, 'requestRdp')(id, enabled));
}
const longestScript = 3072;
export async function runScript(core: Core, id: string, script: string, call?: Call) {
  const bytes = Buffer.byteLength(script);
  if (bytes === 0 || bytes > longestScript) {
    const reason = `it has ${bytes} bytes; there must be 1 to ${longestScript}`;
    throw xenopsErrors.make('Bad_spec', { key: 'script', reason });
  }
  let result = { status: 0, out: '', err: '' };
  await rare(core, id, 'runScript', call, async (op) => {
    const run = () => guestVerb(core, 'runScript')(id, script, { signal: op.turn.signal });
    result = await op.turn.idle(run);
  });
  return result;
}
/** Of a VM without a domain only the description changes. */
export function setShadowMultiplier(core: Core, id: string, multiplier: number, call?: Call): Promise<void> {
  return operate(core, id, 'setShadowMultiplier', call, async (op) => {
    const { record } = op;
    if (!(multiplier >= 1 && multiplier <= 100))
      throw xenopsErrors.make('Bad_spec', { key: 'multiplier', reason: `${multiplier} is not between 1 and 100` });
    if (record.run) {
      needsCapability(core.backend, 'setShadow', 'VM.setShadowMultiplier');
      const run = runOf(record);
      await op.run(shadowPlan(id, { multiplier, was: run.spec.shadowMultiplier ?? 1 }));
      record.run = { ...run, spec: { ...run.spec, shadowMultiplier: multiplier } };
    }
    record.spec = { ...record.spec, shadowMultiplier: multiplier };
    op.changed = true;
  });
}

export async function firmwareOf({ backend, records }: Core, id: string): Promise<FirmwareState> {
  records.get(id);
  return (await backend.firmware?.read(id)) ?? { efi: null, tpm: null };
}
export function setFirmware(core: Core, id: string, { efi, tpm }: FirmwareState, call?: Call): Promise<void> {
  return operate(core, id, 'setFirmware', call, async (op) => {
    guard('setFirmware', op.record);
    const { firmware, name } = core.backend;
    if (firmware) return firmware.write(id, { efi, tpm });
    if (efi !== null || tpm !== null)
      throw xenopsErrors.make('Unimplemented', {
        function: 'a machine that remembers something while it is off',
        backend: name,
      });
  });
}
export async function hypervisorMessages(core: Core, clear: boolean): Promise<string> {
  return hostVerb(core, 'messages')(clear);
}
export async function sendDebugKeys(core: Core, keys: string): Promise<void> {
  const reason = `${JSON.stringify(keys)} is not 1 to 32 printable characters without spaces`;
  if (!/^[!-~]{1,32}$/.test(keys)) throw xenopsErrors.make('Bad_spec', { key: 'keys', reason });
  await hostVerb(core, 'sendDebugKeys')(keys);
}
export async function setWorkers(core: Core, count: number): Promise<void> {
  const reason = `${count} is not between 1 and 1024`;
  if (count < 1 || count > 1024) throw xenopsErrors.make('Bad_spec', { key: 'count', reason });
  core.queue.resize(count);
}

type Rare = keyof RareGuestVerbs & Guarded;
function rare(core: Core, id: string, name: Rare, call: Call | undefined, body: (op: Operation) => Promise<void>) {
  return operate(core, id, name, call, async (op) => {
    guard(name, op.record);
    needsCapability(core.backend, name, `VM.${name}`);
    await body(op);
  });
}
/** Unimplemented. */
function guestVerb<N extends keyof RareGuestVerbs>({ backend }: Core, name: N): RareGuestVerbs[N] {
  const verb = backend.guest?.[name];
  if (!verb) throw xenopsErrors.make('Unimplemented', { function: `VM.${name}`, backend: backend.name });
  return verb as RareGuestVerbs[N];
}
/** Unimplemented. */
function hostVerb<N extends keyof RareHostVerbs>({ backend }: Core, name: N): RareHostVerbs[N] {
  const verb = backend.hypervisor?.[name];
  if (!verb) throw xenopsErrors.make('Unimplemented', { function: `host.${name}`, backend: backend.name });
  return verb as RareHostVerbs[N];
}
