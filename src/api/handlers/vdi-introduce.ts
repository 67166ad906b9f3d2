/** VDI: records of disks that exist already — introduced, forgotten, set by hand. */
import type { VDI } from '../../datamodel/classes/vdi.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { onSr } from './sr-hold.ts';
import { foundDisk, locationOf, removeDisk } from './sr-scan.ts';
import { refreshSizes, usableSr } from './vdi-work.ts';

type Handlers = SomeHandlers<typeof VDI>;
type IntroduceArgs = Parameters<NonNullable<Handlers['introduce']>>[1];
type DbIntroduceArgs = Parameters<NonNullable<Handlers['db_introduce']>>[1];

/** A record for a disk that storage finds at `location` (its id, or the file name of a CD image). */
async function introduce(ctx: Ctx, a: IntroduceArgs): Promise<Ref<'VDI'>> {
  const sr = usableSr(ctx, a.SR);
  return onSr(ctx, a.SR, 'vdi_introduce', async () => {
    const found = await ask(ctx, (call) => ctx.storage.sr.scan({ sr: sr.uuid }, call));
    const location = a.location === '' ? a.uuid : a.location;
    const info = found.find((f) => f.vdi === location || locationOf(f) === location);
    if (!info) throw fail('VDI_LOCATION_MISSING', { sr: a.SR, location });
    if (a.uuid !== '' && a.uuid !== info.vdi) {
      const reason = `The disk at this location is ${info.vdi}`;
      throw fail('VALUE_NOT_SUPPORTED', { field: 'uuid', value: a.uuid, reason });
    }
    const { name_label, name_description, type, sharable, other_config, xenstore_data, managed } = a;
    const ref = ctx.db.write((w) => {
      const made = w.create('VDI', {
        ...foundDisk(ctx.db, a.SR, info),
        ...{ name_label, name_description, type, sharable, other_config, xenstore_data, managed },
        read_only: a.read_only || info.readOnly,
        sm_config: { ...a.sm_config, format: info.format },
      });
      refreshAllowed(ctx.db, w, 'VDI', made);
      return made;
    });
    await refreshSizes(ctx, a.SR);
    return ref;
  });
}

/** The record only, as given. */
function dbIntroduce(ctx: Ctx, a: DbIntroduceArgs): Ref<'VDI'> {
  ctx.db.get('SR', a.SR);
  return ctx.db.write((w) => {
    const made = w.create('VDI', { ...a, missing: false });
    refreshAllowed(ctx.db, w, 'VDI', made);
    return made;
  });
}

function forget(ctx: Ctx, vdi: Ref<'VDI'>): void {
  ctx.db.write((w) => removeDisk(ctx.db, w, vdi));
}

export const vdiIntroduce = {
  introduce,
  pool_introduce: (ctx, a) => introduce(ctx, a),
  db_introduce: dbIntroduce,
  async forget(ctx, a) {
    const { SR } = ctx.db.get('VDI', a.vdi);
    if (ctx.db.has('SR', SR)) await onSr(ctx, SR, 'vdi_forget', async () => forget(ctx, a.vdi));
    else forget(ctx, a.vdi);
  },
  db_forget: (ctx, a) => forget(ctx, a.vdi),
  set_sharable: (ctx, a) => ctx.db.set('VDI', a.self, { sharable: a.value }),
  set_read_only: (ctx, a) => setAndRefresh(ctx, a.self, { read_only: a.value }),
  set_managed: (ctx, a) => setAndRefresh(ctx, a.self, { managed: a.value }),
  set_missing: (ctx, a) => setAndRefresh(ctx, a.self, { missing: a.value }),
  set_virtual_size: (ctx, a) => ctx.db.set('VDI', a.self, { virtual_size: a.value }),
  set_physical_utilisation: (ctx, a) => ctx.db.set('VDI', a.self, { physical_utilisation: a.value }),
  set_is_a_snapshot: (ctx, a) => setAndRefresh(ctx, a.self, { is_a_snapshot: a.value }),
  set_snapshot_of: (ctx, a) => ctx.db.set('VDI', a.self, { snapshot_of: a.value }),
  set_snapshot_time: (ctx, a) => ctx.db.set('VDI', a.self, { snapshot_time: a.value }),
  set_metadata_of_pool: (ctx, a) => ctx.db.set('VDI', a.self, { metadata_of_pool: a.value }),
  set_cbt_enabled: (ctx, a) => ctx.db.set('VDI', a.self, { cbt_enabled: a.value }),
  set_allow_caching: (ctx, a) => ctx.db.set('VDI', a.self, { allow_caching: a.value }),
  set_on_boot(ctx, a) {
    const { SR } = ctx.db.get('VDI', a.self);
    // No driver can throw writes away at a start as yet.
    if (a.value === 'reset') throw fail('SR_OPERATION_NOT_SUPPORTED', { sr: SR });
    ctx.db.set('VDI', a.self, { on_boot: a.value });
  },
  force_unlock() {
    throw fail('MESSAGE_DEPRECATED', {});
  },
} satisfies Handlers;

function setAndRefresh(
  ctx: Ctx,
  self: Ref<'VDI'>,
  patch: { read_only?: boolean; managed?: boolean; missing?: boolean; is_a_snapshot?: boolean },
): void {
  ctx.db.write((w) => {
    w.set('VDI', self, patch);
    refreshAllowed(ctx.db, w, 'VDI', self);
  });
}
