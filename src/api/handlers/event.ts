import type { event } from '../../datamodel/classes/event.ts';
import { fail } from '../../datamodel/errors.ts';
import { type ClassName, classes } from '../../datamodel/index.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import type { Asker } from '../events.ts';

const asker = (ctx: Ctx): Asker => ({
  ref: ctx.session.ref,
  ended: ctx.session.ended,
  gone: () => ctx.caller.gone(),
});
function classNamed(name: string): ClassName {
  const found = Object.keys(classes).find((c) => c.toLowerCase() === name.toLowerCase());
  if (!found) throw fail('INVALID_VALUE', { field: 'class', value: `${name}: there is no such class` });
  return found as ClassName;
}

/** XenAPI class event: what changed. Results are wire text, not the records that the declaration names. */
export const eventHandlers: ClassHandlers<typeof event> = {
  register: (ctx, a) => ctx.server.events.register(asker(ctx), a.classes),
  unregister: (ctx, a) => ctx.server.events.unregister(asker(ctx), a.classes),
  next: async (ctx) => (await ctx.server.events.next(asker(ctx))) as never,
  from: async (ctx, a) => (await ctx.server.events.from(asker(ctx), a.classes, a.token, a.timeout)) as never,
  get_current_id: (ctx) => ctx.db.revision + 1,
  inject: (ctx, a) => ctx.server.events.inject(classNamed(a.class), a.ref),
};
