/** What VMs that come from elsewhere are joined to here: repositories, networks, CD images. */
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Db } from '../../db/db.ts';
import type { Working } from '../context.ts';
import { usableSr } from '../handlers/vdi-work.ts';
import type { Told } from './objects.ts';

/** The repository for new disks: the one that is asked for, the one that they were in when it is here, or the pool's default. */
export function repositoryFor(working: Working, asked: string | null, was: Told<'SR'> | undefined): Ref<'SR'> {
  const { db, pool } = working;
  if (asked && asked !== nullRef) {
    const sr = (db.has('SR', asked) ? asked : db.byUuid('SR', asked)) as Ref<'SR'>;
    usableSr(working, sr);
    return sr;
  }
  const there = was?.uuid === undefined ? undefined : db.findByUuid('SR', was.uuid);
  if (there && db.get('SR', there).PBDs.some((p) => db.get('PBD', p).currently_attached)) return there;
  const { default_SR } = db.get('pool', pool);
  if (!db.has('SR', default_SR)) throw fail('DEFAULT_SR_NOT_FOUND', { sr: default_SR });
  usableSr(working, default_SR);
  return default_SR;
}
/** The network with the same UUID, name or bridge; else the first that guests may use. */
export function networkFor({ db }: Working, told: Told<'network'> | undefined): Ref<'network'> {
  const rows = [...db.rows('network')].filter(
    ([, n]) => n.other_config['is_host_internal_management_network'] !== 'true',
  );
  const by = (f: (n: (typeof rows)[number][1]) => boolean) => rows.find(([, n]) => f(n))?.[0];
  const same =
    told &&
    (by((n) => n.uuid === told.uuid) ??
      by((n) => n.name_label === told.name_label) ??
      by((n) => n.bridge === told.bridge));
  const found = same ?? rows[0]?.[0];
  if (!found) throw fail('IMPORT_ERROR_FAILED_TO_FIND_OBJECT', { id: `network ${told?.name_label ?? ''}` });
  return found;
}
/** The CD image with the same UUID or file name; null when there is none. */
export function imageFor({ db }: Working, told: Told<'VDI'> | undefined): Ref<'VDI'> {
  if (!told) return nullRef;
  const images = [...db.rows('VDI')].filter(([, v]) => db.find('SR', v.SR)?.content_type === 'iso');
  const same = images.find(([, v]) => v.uuid === told.uuid) ?? images.find(([, v]) => v.location === told.location);
  return same?.[0] ?? nullRef;
}
/** The disk that metadata tell of, which must be here: by what the caller says, its UUID, or its place in a repository. */
export function diskFor(
  db: Db,
  id: string,
  told: Told<'VDI'>,
  said: ReadonlyMap<string, string>,
): Ref<'VDI'> | undefined {
  const given = said.get(id);
  if (given !== undefined) return (db.has('VDI', given) ? given : db.byUuid('VDI', given)) as Ref<'VDI'>;
  const same = told.uuid === undefined ? undefined : db.findByUuid('VDI', told.uuid);
  if (same) return same;
  return [...db.rows('VDI')].find(([, v]) => v.location !== '' && v.location === told.location)?.[0];
}
