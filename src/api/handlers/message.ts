import { message } from '../../datamodel/classes/message.ts';
import { fail } from '../../datamodel/errors.ts';
import type { ClassName, Rec } from '../../datamodel/index.ts';
import { alert } from '../alerts.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { parseFilter } from '../filter.ts';
import { OneRecord, RecordMap } from '../prebuilt.ts';

/** Class names of alerts that differ from those of the API. */
const classOf: Readonly<Record<string, ClassName>> = { Host: 'host', Pool: 'pool' };

/** References of the alerts that fit, newest first. */
function those(ctx: Ctx, fits: (m: Rec<'message'>) => boolean): string[] {
  const found = [...ctx.db.rows('message')].filter(([, m]) => fits(m));
  return found.sort(([, x], [, y]) => (x.timestamp < y.timestamp ? 1 : -1)).map(([ref]) => ref);
}
const records = (ctx: Ctx, refs: readonly string[]) => new RecordMap(ctx.db, 'message', refs) as never;

function destroy(ctx: Ctx, ref: string): void {
  ctx.db.get('message', ref);
  ctx.db.destroy('message', ref);
}

/** XenAPI class message: alerts about objects. */
export const messageHandlers: ClassHandlers<typeof message> = {
  create(ctx, a) {
    if (!ctx.db.findByUuid(classOf[a.cls] ?? (a.cls as ClassName), a.obj_uuid))
      throw fail('UUID_INVALID', { type: a.cls, uuid: a.obj_uuid });
    return ctx.db.write((w) => alert(ctx.db, w, ctx.clock.now(), a));
  },
  destroy: (ctx, a) => destroy(ctx, a.self),
  destroy_many(ctx, a) {
    for (const ref of a.messages) destroy(ctx, ref);
  },
  destroy_all(ctx, a) {
    const known = ['name', 'cls', 'obj_uuid', 'priority', 'before'];
    const unknown = Object.keys(a.filters).find((k) => !known.includes(k));
    if (unknown) throw fail('INVALID_VALUE', { field: 'filters', value: `${unknown}: use ${known.join(', ')}` });
    const { before, ...equal } = a.filters;
    const refs = those(ctx, (m) => {
      const same = Object.entries(equal).every(([k, v]) => String(m[k as keyof typeof m]) === v);
      return same && (before === undefined || m.timestamp < before);
    });
    for (const ref of refs) ctx.db.destroy('message', ref);
  },
  get: (ctx, a) =>
    records(
      ctx,
      those(ctx, (m) => m.cls === a.cls && m.obj_uuid === a.obj_uuid && m.timestamp >= a.since),
    ),
  get_all: (ctx) => [...ctx.db.refs('message')],
  get_since: (ctx, a) =>
    records(
      ctx,
      those(ctx, (m) => m.timestamp >= a.since),
    ),
  get_record: (ctx, a) => new OneRecord(ctx.db, 'message', a.self) as never,
  get_by_uuid: (ctx, a) => ctx.db.byUuid('message', a.uuid),
  get_all_records: (ctx) => records(ctx, [...ctx.db.refs('message')]),
  get_all_records_where(ctx, a) {
    const test = parseFilter(message, a.expr);
    return records(
      ctx,
      those(ctx, (m) => test(m)),
    );
  },
};
