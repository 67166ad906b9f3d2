/** VMSS: schedules by which snapshots of VMs are taken, and the oldest of them deleted. */
import { bestEffort } from '../../base/best-effort.ts';
import type { VMSS } from '../../datamodel/classes/vmss.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Patch } from '../../db/db.ts';
import { alert } from '../alerts.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { checkedSchedule } from '../schedule.ts';
import { wireTime } from '../wire-time.ts';
import { disksOf } from './vm-copy.ts';
import { snapshotQuiesced } from './vm-snapshot.ts';

const mostKept = 10;
function checkKept(count: number): void {
  const reason = `it must be from 1 to ${mostKept}`;
  if (count < 1 || count > mostKept)
    throw fail('VALUE_NOT_SUPPORTED', { field: 'retained_snapshots', value: String(count), reason });
}
function create(ctx: Ctx, args: Readonly<Record<string, unknown>>): Ref<'VMSS'> {
  const fields = args as Patch<'VMSS'>;
  const { frequency = 'daily', retained_snapshots = 7 } = fields;
  checkKept(retained_snapshots);
  const schedule = checkedSchedule({ frequency, schedule: fields.schedule ?? {} });
  return ctx.db.create('VMSS', { ...fields, frequency, retained_snapshots, schedule });
}
/** Changes how often and when, if the two fit. */
function change(ctx: Ctx, self: Ref<'VMSS'>, to: Partial<Pick<Rec<'VMSS'>, 'frequency' | 'schedule'>>): void {
  const now = ctx.db.get('VMSS', self);
  const { frequency, schedule } = { ...now, ...to };
  ctx.db.set('VMSS', self, { frequency, schedule: checkedSchedule({ frequency, schedule }) });
}

/** Answers a line for each VM: its UUID and its snapshot's, or why there is none. */
async function snapshotNow(ctx: Ctx, self: Ref<'VMSS'>): Promise<string> {
  const { name_label, type, retained_snapshots, VMs } = ctx.db.get('VMSS', self);
  const time = wireTime(ctx.clock.now());
  ctx.db.set('VMSS', self, { last_run_time: time });
  const lines: string[] = [];
  // One after another: a host's guests are not all held up at once.
  for (const vm of VMs) {
    if (!ctx.db.has('VM', vm)) continue;
    const { uuid } = ctx.db.get('VM', vm);
    try {
      const made = await take(ctx, vm, type, `${name_label} ${time}`);
      lines.push(`${uuid} ${ctx.db.get('VM', made).uuid}`);
      await dropOldest(ctx, vm, retained_snapshots);
      ctx.db.write((w) => alert(ctx.db, w, ctx.clock.now(), { ...succeeded, obj_uuid: uuid, body: name_label }));
    } catch (error) {
      lines.push(`${uuid}: ${String(error)}`);
      ctx.log.warn('a VM was not snapshotted by its schedule', {
        vm: uuid,
        schedule: name_label,
        error: String(error),
      });
      const body = `${name_label}: ${String(error)}`;
      ctx.db.write((w) => alert(ctx.db, w, ctx.clock.now(), { ...failed, obj_uuid: uuid, body }));
    }
  }
  return lines.join('\n');
}
const succeeded = { name: 'VMSS_SNAPSHOT_SUCCEEDED', priority: 5, cls: 'VM' } as const;
const failed = { name: 'VMSS_SNAPSHOT_FAILED', priority: 3, cls: 'VM' } as const;

/** A VM that does not run has no memory to keep and no agent to ask: of that, its disks are taken. */
async function take(ctx: Ctx, vm: Ref<'VM'>, type: Rec<'VMSS'>['type'], new_name: string): Promise<Ref<'VM'>> {
  const runs = ctx.db.get('VM', vm).power_state === 'Running';
  const call = (method: string, more = {}) => ctx.call(method, { vm, new_name, ...more }) as Promise<Ref<'VM'>>;
  const made =
    !runs || type === 'snapshot'
      ? await call('VM.snapshot', { ignore_vdis: [] })
      : await (type === 'checkpoint' ? call('VM.checkpoint') : snapshotQuiesced(ctx, vm, new_name));
  ctx.db.set('VM', made, { is_vmss_snapshot: true });
  return made;
}
/** Deletes what schedules have taken of the VM beyond the newest `keep`, with the disks. */
async function dropOldest(ctx: Ctx, vm: Ref<'VM'>, keep: number): Promise<void> {
  const own = ctx.db.get('VM', vm).snapshots.map((ref) => ({ ref, row: ctx.db.get('VM', ref) }));
  const taken = own.filter(({ row }) => row.is_vmss_snapshot);
  const old = taken.sort((a, b) => (a.row.snapshot_time < b.row.snapshot_time ? 1 : -1)).slice(keep);
  for (const { ref } of old)
    await bestEffort('an old snapshot goes with the next run', ctx.log, async () => {
      const disks = disksOf(ctx, ref).filter((vdi) => ctx.db.get('VDI', vdi).is_a_snapshot);
      await ctx.call('VM.destroy', { self: ref });
      for (const self of disks) await ctx.call('VDI.destroy', { self });
    });
}

export const vmssHandlers: ClassHandlers<typeof VMSS> = {
  create: (ctx, a) => create(ctx, a.args),
  destroy(ctx, a) {
    if (ctx.db.get('VMSS', a.self).VMs.length > 0) throw fail('VMSS_HAS_VM', []);
    ctx.db.destroy('VMSS', a.self);
  },
  snapshot_now: (ctx, a) => snapshotNow(ctx, a.vmss),
  set_retained_snapshots(ctx, a) {
    checkKept(a.value);
    ctx.db.set('VMSS', a.self, { retained_snapshots: a.value });
  },
  set_type: (ctx, a) => ctx.db.set('VMSS', a.self, { type: a.value }),
  /** The keys of the former frequency that the new one has too are kept. */
  set_frequency(ctx, a) {
    const wanted = checkedSchedule({ frequency: a.value, schedule: {} });
    const { schedule } = ctx.db.get('VMSS', a.self);
    const kept = Object.fromEntries(Object.entries(schedule).filter(([key]) => Object.hasOwn(wanted, key)));
    change(ctx, a.self, { frequency: a.value, schedule: kept });
  },
  set_schedule: (ctx, a) => change(ctx, a.self, { schedule: a.value }),
  add_to_schedule(ctx, a) {
    change(ctx, a.self, { schedule: { ...ctx.db.get('VMSS', a.self).schedule, [a.key]: a.value } });
  },
  remove_from_schedule(ctx, a) {
    const { [a.key]: _, ...schedule } = ctx.db.get('VMSS', a.self).schedule;
    change(ctx, a.self, { schedule });
  },
  set_last_run_time: (ctx, a) => ctx.db.set('VMSS', a.self, { last_run_time: a.value }),
};
