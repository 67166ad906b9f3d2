/** SR: storage repositories, in storage and in the database together. */
import { Unwind } from '../../base/unwind.ts';
import { isKind } from '../../contracts/contract.ts';
import type { SR } from '../../datamodel/classes/sr.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { ApiError, fail } from '../../datamodel/errors.ts';
import type { Db, Patch, Writer } from '../../db/db.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { assertThisHost } from './host-here.ts';
import { probe, probeExt } from './sr-probe.ts';
import { applyScan, removeDisk } from './sr-scan.ts';
import { refreshSizes, usableSr } from './vdi-work.ts';

interface NewSr {
  readonly uuid: string;
  readonly type: string;
  readonly config: Readonly<Record<string, string>>;
}

/** SR_UNKNOWN_DRIVER unless storage has a driver of this name. */
async function assertType(ctx: Ctx, type: string): Promise<void> {
  const types = await ask(ctx, (call) => ctx.storage.sr.types({}, call));
  if (!types.some((t) => t.type === type)) throw fail('SR_UNKNOWN_DRIVER', { driver: type });
}

/** Makes the repository on its medium. A folder of CD images that exists already is taken as it is. */
async function makeInStorage(ctx: Ctx, sr: NewSr): Promise<void> {
  const spec = { sr: sr.uuid, type: sr.type, config: sr.config };
  await ask(ctx, async (call) => {
    try {
      await ctx.storage.sr.create(spec, call);
    } catch (error) {
      if (!isKind(error, 'Already_exists')) throw error;
      if (sr.type !== 'iso') throw ApiError.fromWire(['SR_BACKEND_FAILURE_90', '', error.message, '']);
      await ctx.storage.sr.attach(spec, call);
    }
  });
}

/** CD images are told from disks by the repository's content type. */
const contentTypeOf = (type: string, given: string): string => (type === 'iso' ? 'iso' : given);

type CreateArgs = Parameters<ClassHandlers<typeof SR>['create']>[1];
async function create(ctx: Ctx, a: CreateArgs): Promise<Ref<'SR'>> {
  assertThisHost(ctx, a.host);
  await assertType(ctx, a.type);
  const made: NewSr = { uuid: ctx.ids.uuid(), type: a.type, config: a.device_config };
  await using unwind = new Unwind();
  await makeInStorage(ctx, made);
  unwind.add(() => ctx.storage.sr.destroy({ sr: made.uuid }));
  const sr = ctx.db.write((w) => {
    const ref = introduce(ctx, w, { ...a, uuid: made.uuid });
    w.create('PBD', { SR: ref, host: a.host, device_config: a.device_config, currently_attached: true });
    refreshAllowed(ctx.db, w, 'SR', ref);
    return ref;
  });
  unwind.keep();
  await scan(ctx, sr);
  return sr;
}

type IntroduceArgs = Pick<
  Parameters<ClassHandlers<typeof SR>['introduce']>[1],
  'uuid' | 'name_label' | 'name_description' | 'type' | 'content_type' | 'shared' | 'sm_config'
>;
function introduce(ctx: Ctx, w: Writer, a: IntroduceArgs): Ref<'SR'> {
  const { uuid, name_label, name_description, type, shared, sm_config } = a;
  if (ctx.db.findByUuid('SR', uuid)) throw fail('SR_UUID_EXISTS', { uuid });
  const content_type = contentTypeOf(type, a.content_type);
  const sr = w.create('SR', { uuid, name_label, name_description, type, content_type, shared, sm_config });
  refreshAllowed(ctx.db, w, 'SR', sr);
  return sr;
}

/** Reads the medium and makes the records match it, sizes included. */
export async function scan(ctx: Ctx, ref: Ref<'SR'>): Promise<void> {
  const sr = usableSr(ctx, ref);
  if (sr.type !== unmanaged) {
    const found = await ask(ctx, (call) => ctx.storage.sr.scan({ sr: sr.uuid }, call));
    for (const info of applyScan(ctx, ref, sr.VDIs, found))
      ctx.log.warn('a disk was left out of a scan: another repository has one with its id', { sr: sr.uuid, ...info });
  }
  await refresh(ctx, ref);
}

/** The hidden repository of disks that no driver manages: storage knows nothing of it. */
export const unmanaged = 'unmanaged';

async function refresh(ctx: Ctx, ref: Ref<'SR'>): Promise<void> {
  if (ctx.db.get('SR', ref).type !== unmanaged) await refreshSizes(ctx, ref);
}

/** Takes the repository out of the database with everything that belongs to it; disks stay on the medium. */
function removeSr(db: Db, w: Writer, ref: Ref<'SR'>): void {
  const sr = db.get('SR', ref);
  for (const vdi of sr.VDIs) removeDisk(db, w, vdi);
  for (const pbd of sr.PBDs) w.destroy('PBD', pbd);
  for (const [pool, p] of db.rows('pool')) {
    const patch: Record<string, string> = {};
    for (const field of ['default_SR', 'suspend_image_SR', 'crash_dump_SR'] as const)
      if (p[field] === ref) patch[field] = nullRef;
    w.set('pool', pool, patch as Patch<'pool'>);
  }
  for (const [host, h] of db.rows('host')) {
    const patch: Record<string, string> = {};
    for (const field of ['suspend_image_sr', 'crash_dump_sr', 'local_cache_sr'] as const)
      if (h[field] === ref) patch[field] = nullRef;
    w.set('host', host, patch as Patch<'host'>);
  }
  w.destroy('SR', ref);
}

/** Deletes the repository on its medium. It is attached for that when it is not. */
async function destroy(ctx: Ctx, ref: Ref<'SR'>): Promise<void> {
  const sr = ctx.db.get('SR', ref);
  if (sr.other_config['indestructible'] === 'true') throw fail('SR_INDESTRUCTIBLE', { sr: ref });
  const pbd = sr.PBDs.find((p) => ctx.db.get('PBD', p).host === ctx.host);
  if (!pbd) throw fail('SR_HAS_NO_PBDS', { sr: ref });
  const { device_config: config, currently_attached } = ctx.db.get('PBD', pbd);
  await ask(ctx, async (call) => {
    await using unwind = new Unwind();
    await ctx.storage.sr.attach({ sr: sr.uuid, type: sr.type, config }, call);
    if (!currently_attached) unwind.add(() => ctx.storage.sr.detach({ sr: sr.uuid }));
    await ctx.storage.sr.destroy({ sr: sr.uuid }, call);
    unwind.keep();
  });
  ctx.db.write((w) => removeSr(ctx.db, w, ref));
}

export const sr: ClassHandlers<typeof SR> = {
  create,
  introduce: (ctx, a) => ctx.db.write((w) => introduce(ctx, w, a)),
  async make(ctx, a) {
    assertThisHost(ctx, a.host);
    await assertType(ctx, a.type);
    const uuid = ctx.ids.uuid();
    await makeInStorage(ctx, { uuid, type: a.type, config: a.device_config });
    await ask(ctx, (call) => ctx.storage.sr.detach({ sr: uuid }, call));
    return uuid;
  },
  destroy: (ctx, a) => destroy(ctx, a.sr),
  forget: (ctx, a) => ctx.db.write((w) => removeSr(ctx.db, w, a.sr)),
  async update(ctx, a) {
    usableSr(ctx, a.sr);
    await refresh(ctx, a.sr);
  },
  async get_supported_types(ctx) {
    const types = await ask(ctx, (call) => ctx.storage.sr.types({}, call));
    return types.map((t) => t.type);
  },
  scan: (ctx, a) => scan(ctx, a.sr),
  probe,
  probe_ext: probeExt,
  set_shared(ctx, a) {
    const { PBDs } = ctx.db.get('SR', a.sr);
    if (!a.value && PBDs.length > 1) throw fail('SR_HAS_MULTIPLE_PBDS', { PBD: PBDs.join(', ') });
    ctx.db.set('SR', a.sr, { shared: a.value });
  },
  set_name_label: (ctx, a) => ctx.db.set('SR', a.sr, { name_label: a.value }),
  set_name_description: (ctx, a) => ctx.db.set('SR', a.sr, { name_description: a.value }),
  set_physical_size: (ctx, a) => ctx.db.set('SR', a.self, { physical_size: a.value }),
  set_virtual_allocation: (ctx, a) => ctx.db.set('SR', a.self, { virtual_allocation: a.value }),
  set_physical_utilisation: (ctx, a) => ctx.db.set('SR', a.self, { physical_utilisation: a.value }),
  // No driver can hold a state file or a replica of the database as yet.
  assert_can_host_ha_statefile(_, a) {
    throw fail('SR_OPERATION_NOT_SUPPORTED', { sr: a.sr });
  },
  assert_supports_database_replication(_, a) {
    throw fail('SR_OPERATION_NOT_SUPPORTED', { sr: a.sr });
  },
  get_live_hosts(ctx, a) {
    const pbds = ctx.db.get('SR', a.sr).PBDs.map((p) => ctx.db.get('PBD', p));
    return pbds.filter((p) => p.currently_attached && live(ctx, p.host)).map((p) => p.host);
  },
};

function live(ctx: Ctx, host: string): boolean {
  const metrics = ctx.db.find('host', host)?.metrics;
  return metrics !== undefined && (ctx.db.find('host_metrics', metrics)?.live ?? false);
}
