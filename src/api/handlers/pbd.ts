/** PBD: connections of this host to storage repositories. */
import type { PBD } from '../../datamodel/classes/pbd.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Patch } from '../../db/db.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { assertThisHost } from './host-here.ts';
import { scan, unmanaged } from './sr.ts';
import { onSr } from './sr-hold.ts';

/** In `other_config` of a connection that could not be made at a start: it is tried again at the next. */
export const replugKey = 'guesthouse-replug';

function create(ctx: Ctx, args: Readonly<Record<string, unknown>>): Ref<'PBD'> {
  const fields = args as Patch<'PBD'>;
  const [sr, host] = [fields.SR ?? nullRef, fields.host ?? nullRef];
  ctx.db.get('host', host);
  for (const pbd of ctx.db.get('SR', sr).PBDs)
    if (ctx.db.get('PBD', pbd).host === host) throw fail('PBD_EXISTS', { sr, host, pbd });
  return ctx.db.write((w) => {
    const made = w.create('PBD', { ...fields, currently_attached: false });
    refreshAllowed(ctx.db, w, 'SR', sr);
    return made;
  });
}

async function plug(ctx: Ctx, self: Ref<'PBD'>): Promise<void> {
  const pbd = ctx.db.get('PBD', self);
  assertThisHost(ctx, pbd.host);
  if (pbd.currently_attached) return;
  const { uuid, type } = ctx.db.get('SR', pbd.SR);
  await onSr(ctx, pbd.SR, 'plug', async () => {
    if (type !== unmanaged)
      await ask(ctx, (call) => ctx.storage.sr.attach({ sr: uuid, type, config: pbd.device_config }, call));
    setAttached(ctx, self, true);
    await scan(ctx, pbd.SR);
  });
}

async function unplug(ctx: Ctx, self: Ref<'PBD'>): Promise<void> {
  const pbd = ctx.db.get('PBD', self);
  assertThisHost(ctx, pbd.host);
  if (!pbd.currently_attached) return;
  const { uuid, type, VDIs } = ctx.db.get('SR', pbd.SR);
  const used = VDIs.find((r) => ctx.db.get('VDI', r).VBDs.some((v) => ctx.db.get('VBD', v).currently_attached));
  if (used) throw fail('VDI_IN_USE', { vdi: used, operation: 'unplug' });
  await onSr(ctx, pbd.SR, 'unplug', async () => {
    if (type !== unmanaged) await ask(ctx, (call) => ctx.storage.sr.detach({ sr: uuid }, call));
    setAttached(ctx, self, false);
  });
}

function setAttached(ctx: Ctx, self: Ref<'PBD'>, currently_attached: boolean): void {
  const { SR, other_config } = ctx.db.get('PBD', self);
  const { [replugKey]: _, ...rest } = other_config;
  ctx.db.write((w) => {
    w.set('PBD', self, { currently_attached, other_config: rest });
    refreshAllowed(ctx.db, w, 'SR', SR);
    for (const vdi of ctx.db.get('SR', SR).VDIs) refreshAllowed(ctx.db, w, 'VDI', vdi);
  });
}

export const pbd: ClassHandlers<typeof PBD> = {
  create: (ctx, a) => create(ctx, a.args),
  destroy(ctx, a) {
    const { currently_attached, SR } = ctx.db.get('PBD', a.self);
    if (currently_attached) throw fail('OPERATION_NOT_ALLOWED', { reason: 'The PBD is plugged; unplug it first' });
    ctx.db.write((w) => {
      w.destroy('PBD', a.self);
      refreshAllowed(ctx.db, w, 'SR', SR);
    });
  },
  plug: (ctx, a) => plug(ctx, a.self),
  unplug: (ctx, a) => unplug(ctx, a.self),
  set_device_config: (ctx, a) => ctx.db.set('PBD', a.self, { device_config: a.value }),
};
