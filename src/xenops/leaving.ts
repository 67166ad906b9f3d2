/**
 * Guests that leave for another domain, of this host or another: the sender's side of a migration.
 *
 *     Running ──▶ copy prepared ──▶ sent, both stand still ──▶ given ──▶ copy goes on ──▶ own domain ends
 *        ▲              └────────────────┘ fails, cancelled      │
 *        └──────── copy destroyed, own goes on ◀─────────────────┘ the receiver never took it
 *
 * The record says how far it is (`leaving`); after a death of either side the receiver is asked, and there is one answer.
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Call } from '../contracts/contract.ts';
import { type Xenops, xenopsErrors } from '../contracts/xenops.ts';
import { migrationOf } from './atomics-migration.ts';
import type { Core } from './core.ts';
import { within } from './deadline.ts';
import { guard, needsCapability } from './guard.ts';
import { runOf } from './lifecycle.ts';
import { operate } from './operation.ts';
import { migrateSendPlan } from './plans/migrate.ts';
import type { Leaving, VmRecord } from './record.ts';

/** How long another domain manager, or the ground, may take for one step of settling. */
const stepMs = 300_000;

export function migrateVm(
  core: Core,
  a: { readonly id: string; readonly to: string | null; readonly live: boolean },
  call?: Call,
): Promise<void> {
  const { id, to, live } = a;
  return operate(core, id, 'migrate', call, async (op) => {
    const { record } = op;
    guard('migrate', record);
    needsCapability(core.backend, 'live-migrate', 'VM.migrate');
    const { spec, startedAt } = runOf(record);
    const leaving: Leaving = { token: core.ids.uuid(), to, domain: core.ids.uuid(), given: false };
    record.leaving = leaving;
    await op.mark('migrate');
    await op.run(migrateSendPlan(spec, { ...leaving, live, startedAt }));
    const gone = await ended(core, record, leaving);
    op.changed = !gone;
    op.quiet = gone;
  });
}

/** The guest is the receiver's, and its domain here is gone. Answers whether the VM is. */
async function ended(core: Core, record: VmRecord, { token, to, domain }: Leaving): Promise<boolean> {
  record.leaving = null;
  record.operation = null;
  if (to === null) {
    core.reservations.adopt(runOf(record).spec);
    await core.records.note(record);
  } else {
    record.run = null;
    core.reservations.release(record.id);
    await core.records.remove(record);
  }
  await bestEffort('logs of a domain that is gone', core.log, () => core.backend.forget?.(domain));
  await bestEffort('the receiver remembers an attempt too long', core.log, () =>
    limited(core, record.id, 'forgetting', async () => (await peerOf(core, to)).forget({ token })),
  );
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
  if (to !== null && !given) return takenBack(core, record, leaving, true);
  const peer = await peerOf(core, to);
  const { phase } = await limit('asking the receiver', () => peer.stat({ token }));
  if (phase === 'committed' || (phase === 'ready' && given)) {
    await limit('giving the guest away', () => peer.commit({ token }));
    await limit('destroying the domain', () => core.backend.vm.destroy(domain));
    core.log.info('a guest was moved', { vm: id, to: to ?? 'this host' });
    return (await ended(core, record, leaving)) ? 'gone' : 'here';
  }
  await limit('taking the guest back', () => peer.abort({ token }));
  return takenBack(core, record, leaving, false);
}
/** `tell`: the receiver may not know yet; it drops what it hears nothing of. */
async function takenBack(core: Core, record: VmRecord, { to, token, domain }: Leaving, tell: boolean): Promise<'here'> {
  const { rename } = migrationOf(core.backend);
  await limited(core, record.id, 'renaming the domain', () => rename(domain, record.id));
  core.log.info('a guest was not moved', { vm: record.id, to: to ?? 'this host' });
  record.leaving = null;
  if (tell) void bestEffort('a copy on another host', core.log, async () => (await peerOf(core, to)).abort({ token }));
  return 'here';
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
