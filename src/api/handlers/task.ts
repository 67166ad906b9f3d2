import type { task } from '../../datamodel/classes/task.ts';
import { fail } from '../../datamodel/errors.ts';
import type { ClassHandlers, Ctx } from '../context.ts';

/** One's own tasks are free to all; those of others need `task.destroy/any`. HANDLE_INVALID. */
function assertMine(ctx: Ctx, ref: string): void {
  if (ctx.db.get('task', ref).session !== ctx.session.ref) ctx.assertRole('task.destroy/any', 'pool-operator');
}
/** The task is mine, and nothing but the client works on it. */
function assertClients(ctx: Ctx, ref: string): void {
  assertMine(ctx, ref);
  if (ctx.server.tasks.runs(ref))
    throw fail('OPERATION_NOT_ALLOWED', { reason: 'the host works on this task and says itself how it goes' });
}

/** XenAPI class task: work in the background, and clients' own work. */
export const taskHandlers: ClassHandlers<typeof task> = {
  create: (ctx, a) => ctx.server.tasks.create({ label: a.label, description: a.description, session: ctx.session.ref }),
  destroy(ctx, a) {
    assertMine(ctx, a.self);
    ctx.server.tasks.destroy(a.self);
  },
  cancel(ctx, a) {
    assertMine(ctx, a.task);
    ctx.server.tasks.cancel(a.task, ctx.task.ref);
  },
  set_status(ctx, a) {
    assertClients(ctx, a.self);
    ctx.server.tasks.setStatus(a.self, a.value);
  },
  set_progress(ctx, a) {
    assertClients(ctx, a.self);
    if (a.value < 0 || a.value > 1)
      throw fail('INVALID_VALUE', { field: 'value', value: `${a.value}: progress goes from 0 to 1` });
    ctx.db.set('task', a.self, { progress: a.value });
  },
  set_result(ctx, a) {
    assertClients(ctx, a.self);
    ctx.db.set('task', a.self, { result: a.value });
  },
  set_error_info(ctx, a) {
    assertClients(ctx, a.self);
    ctx.db.set('task', a.self, { error_info: a.value });
  },
  add_to_other_config(ctx, a) {
    assertMine(ctx, a.self);
    const { other_config, uuid } = ctx.db.get('task', a.self);
    if (Object.hasOwn(other_config, a.key))
      throw fail('MAP_DUPLICATE_KEY', { type: 'task', param_name: 'other_config', uuid, key: a.key });
    ctx.db.set('task', a.self, { other_config: { ...other_config, [a.key]: a.value } });
  },
  remove_from_other_config(ctx, a) {
    assertMine(ctx, a.self);
    const { [a.key]: _, ...others } = ctx.db.get('task', a.self).other_config;
    ctx.db.set('task', a.self, { other_config: others });
  },
  set_other_config(ctx, a) {
    assertMine(ctx, a.self);
    ctx.db.set('task', a.self, { other_config: a.value });
  },
};
