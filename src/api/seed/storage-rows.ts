/** Storage drivers, the default repositories, and the connections that a start has to make again. */
import { join } from 'node:path';
import { bestEffort } from '../../base/best-effort.ts';
import { isKind } from '../../contracts/contract.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import type { Patch } from '../../db/db.ts';
import { refreshAllowed } from '../guards.ts';
import { replugKey } from '../handlers/pbd.ts';
import { unmanaged } from '../handlers/sr.ts';
import { applyScan } from '../handlers/sr-scan.ts';
import { type Home, once } from './parts.ts';

/** In `SR.other_config`: which of the default repositories it is. */
const roleKey = 'guesthouse-role';

interface Wanted {
  readonly role: 'local' | 'iso';
  readonly name: string;
  readonly description: string;
  readonly type: 'file' | 'iso';
  readonly content: string;
  location(uuid: string): string;
}

export async function seedStorage(home: Home): Promise<void> {
  await seedDrivers(home);
  await replug(home);
  await once(home, 'local-sr', async () => {
    const sr = await seedSr(home, {
      role: 'local',
      name: 'Local storage',
      description: 'Disks in a folder of this host',
      type: 'file',
      content: 'user',
      location: (uuid) => join(home.dataDir, 'sr', uuid),
    });
    useByDefault(home, sr);
  });
  await once(home, 'iso-sr', async () => {
    await seedSr(home, {
      role: 'iso',
      name: 'ISO images',
      description: 'CD images: put .iso files into its folder and scan it, or upload them',
      type: 'iso',
      content: 'iso',
      location: () => join(home.dataDir, 'iso'),
    });
  });
}

/** One SM row per driver; rows of drivers that are no more go. */
async function seedDrivers({ storage, db, version }: Home): Promise<void> {
  const types = await storage.sr.types({});
  db.write((w) => {
    const there = new Map([...db.rows('SM')].map(([ref, sm]) => [sm.type, ref]));
    for (const t of types) {
      const fields: Patch<'SM'> = {
        type: t.type,
        name_label: t.label,
        name_description: t.description,
        vendor: 'Guesthouse',
        version,
        required_api_version: '1.0',
        supported_image_formats: t.formats,
        configuration: t.config,
        capabilities: t.capabilities.map((c) => featureOf(c)),
        features: Object.fromEntries(['SR_PROBE', 'SR_UPDATE', ...t.capabilities.map(featureOf)].map((f) => [f, 1])),
      };
      const ref = there.get(t.type);
      if (ref) w.set('SM', ref, fields);
      else w.create('SM', fields);
      there.delete(t.type);
    }
    for (const ref of there.values()) w.destroy('SM', ref);
  });
}
const features: Readonly<Record<string, string>> = {
  import: 'VDI_ACTIVATE',
  export: 'VDI_ATTACH',
  rename: 'VDI_UPDATE',
};
const featureOf = (capability: string): string => features[capability] ?? `VDI_${capability.toUpperCase()}`;

/** Finds the repository of an interrupted first start, or makes its records; then makes it on disk and connects it. */
async function seedSr(home: Home, wanted: Wanted): Promise<Ref<'SR'>> {
  const { db } = home;
  const there = [...db.rows('SR')].find(([, sr]) => sr.other_config[roleKey] === wanted.role)?.[0];
  const sr = there ?? makeRecords(home, wanted);
  // Records first: a crash between the two leaves no folder that nobody knows.
  await db.durable();
  const pbd = db.get('SR', sr).PBDs[0];
  if (pbd !== undefined) await connect(home, pbd, true);
  return sr;
}

function makeRecords(home: Home, wanted: Wanted): Ref<'SR'> {
  const { db, ids, host } = home;
  const uuid = ids.uuid();
  return db.write((w) => {
    const sr = w.create('SR', {
      uuid,
      name_label: wanted.name,
      name_description: wanted.description,
      type: wanted.type,
      content_type: wanted.content,
      other_config: { [roleKey]: wanted.role },
    });
    w.create('PBD', { SR: sr, host, device_config: { location: wanted.location(uuid) }, currently_attached: false });
    return sr;
  });
}

function useByDefault({ db, pool, host }: Home, sr: Ref<'SR'>): void {
  const p = db.get('pool', pool);
  const free = (ref: string) => !db.has('SR', ref);
  db.set('pool', pool, {
    ...(free(p.default_SR) ? { default_SR: sr } : {}),
    ...(free(p.suspend_image_SR) ? { suspend_image_SR: sr } : {}),
    ...(free(p.crash_dump_SR) ? { crash_dump_SR: sr } : {}),
  });
  const h = db.get('host', host);
  if (free(h.suspend_image_sr)) db.set('host', host, { suspend_image_sr: sr });
  if (free(h.crash_dump_sr)) db.set('host', host, { crash_dump_sr: sr });
}

/** Connects again what was connected when the toolstack stopped, and what could not be then. */
async function replug(home: Home): Promise<void> {
  const { db, host, log } = home;
  for (const ref of db.where('PBD', 'host', host)) {
    const pbd = db.get('PBD', ref);
    if (db.get('SR', pbd.SR).type === unmanaged) continue;
    if (!pbd.currently_attached && pbd.other_config[replugKey] !== 'true') continue;
    await bestEffort('a repository stays unplugged; plug its PBD when its storage is back', log, async () => {
      try {
        await connect(home, ref, false);
      } catch (error) {
        const other_config = { ...db.get('PBD', ref).other_config, [replugKey]: 'true' };
        db.set('PBD', ref, { currently_attached: false, other_config });
        throw error;
      }
    });
    db.write((w) => refreshAllowed(db, w, 'SR', pbd.SR));
  }
}

async function connect(home: Home, ref: Ref<'PBD'>, make: boolean): Promise<void> {
  const { db, storage } = home;
  const pbd = db.get('PBD', ref);
  const { uuid, type, content_type, VDIs } = db.get('SR', pbd.SR);
  const spec = { sr: uuid, type, config: pbd.device_config };
  try {
    if (make) await storage.sr.create(spec);
    else await storage.sr.attach(spec);
  } catch (error) {
    if (!make || !isKind(error, 'Already_exists')) throw error;
    await storage.sr.attach(spec);
  }
  const { [replugKey]: _, ...other_config } = pbd.other_config;
  db.set('PBD', ref, { currently_attached: true, other_config });
  // Folders of CD images change behind our back; disks do not.
  if (content_type === 'iso') applyScan(home, pbd.SR, VDIs, await storage.sr.scan({ sr: uuid }));
  const stat = await storage.sr.stat({ sr: uuid });
  db.write((w) => {
    const virtual_allocation = db.get('SR', pbd.SR).VDIs.reduce((sum, v) => sum + db.get('VDI', v).virtual_size, 0);
    w.set('SR', pbd.SR, { physical_size: stat.total, physical_utilisation: stat.used, virtual_allocation });
    refreshAllowed(db, w, 'SR', pbd.SR);
  });
}
