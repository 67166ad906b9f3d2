/**
 * Guests that leave for another domain, of this host or another: the sender's side of a migration.
 *
 *     Running ──▶ copy prepared ──▶ sent, both stand still ──▶ given ──▶ copy goes on ──▶ own domain ends; `forget` owed
 *        ▲              └────────────────┘ fails, cancelled      │ ▲
 *        ├──────── own goes on at once; `abort` owed ◀┘          │ └─ no answer: stands still, the receiver is asked again and again
 *        └──────── copy destroyed, own goes on ◀─────────────────┘ the receiver never took it
 *
 * The record says how far it is (`leaving`). Before `given` nobody but this sender could have told the receiver to go on, so nobody
 * is asked. After it only the receiver knows, and there is one answer. What is owed is told by `farewells.ts`.
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Call } from '../contracts/contract.ts';
import { type VmSpec, type Xenops, xenopsErrors } from '../contracts/xenops.ts';
import { migrationOf } from './atomics-migration.ts';
import type { Core } from './core.ts';
import { within } from './deadline.ts';
import { farewellRow } from './farewells.ts';
import { guard, needsCapability } from './guard.ts';
import { operate, undecided } from './operation.ts';
import { closeAll } from './plans/devices.ts';
import { migrateSendPlan } from './plans/migrate.ts';
import { type Leaving, placeOf, runOf, type VmRecord } from './record.ts';
import { run } from './run.ts';

/** How long another domain manager, or the ground, may take for one step of settling. */
const stepMs = 300_000;

type There = NonNullable<Parameters<Xenops['vm']['migrate']>[0]['there']>;
/** What runs, as the receiver is to know it. The doors' notes are those of now, not of when it was started. */
function specThere(record: VmRecord, running: VmSpec, { bridges = {}, notes: more = {} }: There = {}): VmSpec {
  const { notes: _, ...spec } = running;
  const vifs = spec.vifs.map((vif) => ({ ...vif, bridge: bridges[vif.id] ?? vif.bridge }));
  const notes = { ...record.spec.notes, ...more };
  return { ...spec, vifs, ...(Object.keys(notes).length > 0 ? { notes } : {}) };
}
interface Request {
  readonly id: string;
  readonly to: string | null;
  readonly live: boolean;
  readonly there?: There | undefined;
}
/** Failed_to_migrate: it runs here as before, or (`undecided`) it is not known yet where it will run. */
export async function migrateVm(core: Core, a: Request, call?: Call): Promise<void> {
  const attempt = { begun: false };
  try {
    await move(core, a, attempt, call);
  } catch (error) {
    const left = core.records.find(a.id);
    // The receiver has said meanwhile that it took it.
    if (attempt.begun && !left && a.to !== null) return;
    if (left?.leaving?.given) throw undecided(a.id, left.leaving, error);
    throw error;
  }
}
function move(core: Core, { id, to, live, there }: Request, attempt: { begun: boolean }, call?: Call): Promise<void> {
  return operate(core, id, 'migrate', call, async (op) => {
    const { record } = op;
    guard('migrate', record);
    needsCapability(core.backend, 'live-migrate', 'VM.migrate');
    // A copy that an earlier attempt left there would be in the way.
    if (to !== null) await op.turn.idle(() => core.farewells.settle(id));
    const { spec, startedAt } = runOf(record);
    const leaving: Leaving = { token: core.ids.uuid(), to, domain: core.ids.uuid(), given: false };
    record.leaving = leaving;
    attempt.begun = true;
    await op.mark('migrate');
    await op.run(migrateSendPlan(spec, { ...leaving, live, startedAt, there: specThere(record, spec, there) }));
    const gone = await ended(core, record, leaving);
    op.changed = !gone;
    op.quiet = gone;
  });
}

/** The guest is the receiver's, and its domain here is gone. Answers whether the VM is. */
async function ended(core: Core, record: VmRecord, { token, to, domain }: Leaving): Promise<boolean> {
  const { id } = record;
  record.leaving = null;
  record.operation = null;
  if (to === null) {
    core.reservations.adopt(runOf(record).spec);
    await core.records.note(record);
    await bestEffort('the receiver remembers an attempt too long', core.log, () =>
      limited(core, id, 'forgetting', async () => (await peerOf(core, to)).forget({ token })),
    );
  } else {
    record.run = null;
    core.reservations.release(id);
    const owed = farewellRow(core, { token, vm: id, to }, 'forget');
    await core.records.remove(record, owed);
    core.farewells.owe(owed);
    await bestEffort('its kernel goes after the next start', core.log, () => core.ground.kernels?.drop(id));
  }
  await bestEffort('logs of a domain that is gone', core.log, () => core.backend.forget?.(domain));
  return to !== null;
}

/**
 * In the VM's turn, after a failure or a restart: finds out who has the guest. `here`: this domain manager, whose record and domain
 * may still have to be made to agree. `gone`: another; the VM is not registered here any more. Throws when it cannot be told now.
 */
export async function settleLeaving(core: Core, record: VmRecord): Promise<'here' | 'gone'> {
  const { leaving, id } = record;
  if (!leaving) return 'here';
  const { token, to, domain, given } = leaving;
  const limit = <T>(step: string, f: () => Promise<T>) => limited(core, id, step, f);
  // Nobody but this sender could have told another host to go on: it need not be asked, and may be out of reach.
  if (to !== null && !given) return takenBack(core, record, leaving, to);
  const peer = await peerOf(core, to);
  const { phase } = await limit('asking the receiver', () => peer.stat({ token }));
  if (phase === 'committed' || (phase === 'ready' && given)) {
    await limit('giving the guest away', () => peer.commit({ token }));
    await limit('destroying the domain', () => core.backend.vm.destroy(domain));
    // Before the row: nobody would look for the disks and ports of a VM that is not known here.
    if (to !== null && record.run)
      await run(core.ground, closeAll(record.run.spec, true), { vm: id, log: core.log, ...core.probe });
    core.log.info('a guest was moved', { vm: id, to: placeOf(to) });
    return (await ended(core, record, leaving)) ? 'gone' : 'here';
  }
  await limit('taking the guest back', () => peer.abort({ token }));
  return takenBack(core, record, leaving, null);
}
/** `tell`: the receiver that does not know yet. */
async function takenBack(core: Core, record: VmRecord, leaving: Leaving, tell: string | null): Promise<'here'> {
  const { id } = record;
  const { rename } = migrationOf(core.backend);
  await limited(core, id, 'renaming the domain', () => rename(leaving.domain, id));
  core.log.info('a guest was not moved', { vm: id, to: placeOf(leaving.to) });
  await letGo(core, record, leaving, tell);
  return 'here';
}
/** The attempt is over. */
async function letGo(core: Core, record: VmRecord, leaving: Leaving, tell: string | null): Promise<void> {
  record.leaving = null;
  if (tell === null) return;
  const owed = farewellRow(core, { token: leaving.token, vm: record.id, to: tell }, 'abort');
  await core.records.note(record, owed).catch((error: unknown) => {
    record.leaving = leaving;
    throw error;
  });
  core.farewells.owe(owed);
}
/** The VM has no guest any more, whatever the receiver may say one day: its owner says so. */
export async function abandonLeaving(core: Core, record: VmRecord): Promise<void> {
  const { leaving, id } = record;
  if (!leaving) return;
  await limited(core, id, 'destroying the domain', () => core.backend.vm.destroy(leaving.domain));
  await letGo(core, record, leaving, leaving.to);
}
async function peerOf(core: Core, to: string | null): Promise<Xenops['incoming']> {
  const { moving } = core.ground;
  if (!moving) throw new Error('this ground moves nothing');
  return moving.peer(to);
}
function limited<T>(core: Core, vm: string, step: string, f: () => Promise<T>): Promise<T> {
  const late = () => xenopsErrors.make('Timed_out', { step, vm, seconds: stepMs / 1000 });
  return within(core.clock, stepMs, late, f, () => core.reconciler.later(vm, `${step} ended after it was given up`));
}
