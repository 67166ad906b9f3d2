/** VM: moving to another domain of this host, or to a host of another pool. A pool has one host. */
import type { VM } from '../../datamodel/classes/vm.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { movedNote, movedText } from '../moved-record.ts';
import { bridgesThere, checkDisks, checkHost, type Target, targetOf } from './migrate-target.ts';
import { assertHere, operate } from './vm-power.ts';

type Texts = Readonly<Record<string, string>>;
interface Send {
  readonly vm: Ref<'VM'>;
  readonly dest: Texts;
  readonly vdi_map: Texts;
  readonly vif_map: Texts;
  readonly vgpu_map: Texts;
  readonly options: Texts;
}

function moveHere(ctx: Ctx, vm: Ref<'VM'>, host: string, live: boolean): Promise<void> {
  assertHere(ctx, host);
  return operate(ctx, vm, (id, call) => ctx.xenops.vm.migrate({ id, to: null, live }, call));
}
/** What is refused before anybody else is asked. */
function checkVm(ctx: Ctx, { vm, options, vgpu_map }: Send): void {
  const { power_state, snapshots } = ctx.db.get('VM', vm);
  const actual = power_state.toLowerCase();
  if (options['copy'] === 'true') throw fail('VM_BAD_POWER_STATE', { vm, expected: 'halted', actual });
  if (power_state !== 'Running') throw fail('VM_BAD_POWER_STATE', { vm, expected: 'running', actual });
  if (Object.keys(vgpu_map).length > 0)
    throw fail('NOT_IMPLEMENTED', { function: 'VM.migrate_send of a VM with a vGPU' });
  if (snapshots.length > 0) {
    const reason = 'Its snapshots would stay behind: destroy them first';
    throw fail('OPERATION_NOT_ALLOWED', { reason });
  }
}
/** Whether `dest` is this very host, where disks and networks are what they are. */
function isHere(ctx: Ctx, { dest, vif_map }: Send): boolean {
  if (dest['host'] !== ctx.host) return false;
  if (Object.keys(vif_map).length > 0) {
    const reason = 'vif_map must be empty inside a pool: interfaces stay on their networks';
    throw fail('OPERATION_NOT_ALLOWED', { reason });
  }
  return true;
}
/** Asks the other host for all that the VM needs there; what is in the way is thrown. Answers the bridges. */
async function checkThere(ctx: Ctx, a: Send, target: Target): Promise<Record<string, string>> {
  await checkHost(ctx, target, a.vm);
  await checkDisks(ctx, target, a.vm, a.vdi_map);
  return bridgesThere(ctx, target, a.vm, a.vif_map);
}

async function send(ctx: Ctx, a: Send, live: boolean): Promise<Ref<'VM'>> {
  checkVm(ctx, a);
  if (isHere(ctx, a)) {
    await moveHere(ctx, a.vm, ctx.host, live);
    return a.vm;
  }
  const target = targetOf(ctx, a.dest, a.options);
  try {
    const bridges = await checkThere(ctx, a, target);
    const { uuid } = ctx.db.get('VM', a.vm);
    const there = { bridges, notes: { [movedNote]: movedText(ctx.db, a.vm) } };
    await operate(ctx, a.vm, (id, call) => ctx.xenops.vm.migrate({ id, to: target.address, live, there }, call));
    return await target.api.VM.get_by_uuid({ uuid });
  } finally {
    target.close();
  }
}
async function assertCan(ctx: Ctx, a: Send): Promise<void> {
  checkVm(ctx, a);
  if (isHere(ctx, a)) return;
  const target = targetOf(ctx, a.dest, a.options);
  try {
    await checkThere(ctx, a, target);
  } finally {
    target.close();
  }
}

export const vmMigrate = {
  /** `options:live` = `false` lets the guest stand still while its memory is copied. */
  pool_migrate: (ctx, a) => moveHere(ctx, a.vm, a.host, a.options['live'] !== 'false'),
  /** The records of the VM, its drives and interfaces go along; those of its disks stay, as their repository is in both pools. */
  migrate_send: (ctx, a) => send(ctx, a, a.live),
  assert_can_migrate: (ctx, a) => assertCan(ctx, a),
} satisfies SomeHandlers<typeof VM>;
