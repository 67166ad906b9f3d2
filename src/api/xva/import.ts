/** VMs out of an XVA archive: their records first, then the content of their disks. */
import type { Unwind } from '../../base/unwind.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Member, TarReader } from '../../wire/tar.ts';
import { largestOvaXml, type Ova, ovaXml, readOva } from '../../wire/xva.ts';
import type { Working } from '../context.ts';
import { createDisk, destroyDisk } from '../handlers/vdi-work.ts';
import { operate } from '../handlers/vm-power.ts';
import { Checksums } from './checksum.ts';
import { createVms, removeVms } from './create.ts';
import { readDisks } from './disk-in.ts';
import { Objects, type Told } from './objects.ts';
import { repositoryFor } from './surroundings.ts';

export interface Archive {
  readonly tar: TarReader;
  /** Its first member. */
  readonly first: Member | undefined;
  /** Where the disks are to go; null: where they were, or the default repository. */
  readonly sr: string | null;
  /** Keeps UUIDs and MAC addresses. */
  readonly restore: boolean;
  /** Wrong checksums are only noted. */
  readonly force: boolean;
  /** Takes back what was made. */
  readonly unwind: Unwind;
}

/** Answers the VMs that it made. */
export async function importXva(working: Working, a: Archive): Promise<readonly Ref<'VM'>[]> {
  const { tar, first, restore, force, unwind } = a;
  const objects = new Objects(await readOvaXml(tar, first));
  const disks = await makeDisks(working, objects, a.sr, unwind);
  const made = await createVms(working, { objects, disks, restore });
  unwind.add(() => removeVms(working, [...made.values()]));
  note(working);
  await readDisks(working, tar, await Checksums.open(), { disks, force });
  await suspendAgain(working, objects, disks, made);
  return [...made.values()];
}
export async function readOvaXml(tar: TarReader, first: Member | undefined): Promise<Ova> {
  if (first?.name !== ovaXml)
    throw fail('IMPORT_ERROR_UNEXPECTED_FILE', { filename_expected: ovaXml, filename_found: first?.name ?? 'nothing' });
  const ova = readOva((await tar.bytes(largestOvaXml, ovaXml)).toString('utf8'));
  if (ova.tooNew) throw fail('IMPORT_INCOMPATIBLE_VERSION', {});
  return ova;
}
/** Clients wait for this note when the content takes long. */
function note({ db, task: { ref } }: Working): void {
  if (!db.has('task', ref)) return;
  const { other_config } = db.get('task', ref);
  db.set('task', ref, { other_config: { ...other_config, object_creation: 'complete' } });
}

/** Makes an empty disk for each whose content comes. */
async function makeDisks(
  working: Working,
  objects: Objects,
  asked: string | null,
  unwind: Unwind,
): Promise<ReadonlyMap<string, Ref<'VDI'>>> {
  const wanted = new Set([
    ...objects.all('VBD').flatMap(({ told }) => (told.type === 'CD' || told.VDI === undefined ? [] : [told.VDI])),
    ...objects
      .all('VM')
      .flatMap(({ told }) => (told.power_state === 'Suspended' && told.suspend_VDI ? [told.suspend_VDI] : [])),
  ]);
  const disks = new Map<string, Ref<'VDI'>>();
  for (const { id, told } of objects.all('VDI')) {
    const was = objects.find('SR', told.SR);
    if (!wanted.has(id) || was?.content_type === 'iso') continue;
    const ref = await createDisk(working, diskOf(told, repositoryFor(working, asked, was), objects, id));
    unwind.add(() => destroyDisk(working, ref));
    disks.set(id, ref);
  }
  return disks;
}
function diskOf(told: Told<'VDI'>, sr: Ref<'SR'>, objects: Objects, id: string) {
  const { name_label: name = '', name_description: description = '', virtual_size: size = 0, type = 'user' } = told;
  const { sharable, other_config, xenstore_data, tags, on_boot } = told;
  const isImage = objects.all('VM').some(({ told: vm }) => vm.suspend_VDI === id);
  return {
    ...{ sr, size, name, description, type },
    // A suspend image is read by its bytes.
    ...(isImage ? { format: 'raw' as const } : {}),
    fields: { sharable, other_config, xenstore_data, tags, on_boot },
  };
}
/** VMs whose memory came along are Suspended, as they were. */
async function suspendAgain(
  working: Working,
  objects: Objects,
  disks: ReadonlyMap<string, Ref<'VDI'>>,
  made: ReadonlyMap<string, Ref<'VM'>>,
): Promise<void> {
  const { db, xenops } = working;
  for (const [id, vm] of made) {
    const { power_state, suspend_VDI = nullRef, is_a_template } = objects.get('VM', id);
    const image = disks.get(suspend_VDI);
    if (power_state !== 'Suspended' || image === undefined) continue;
    db.set('VM', vm, { suspend_VDI: image, ...(is_a_template ? { power_state } : {}) });
    if (is_a_template) continue;
    const { uuid: vdi, SR } = db.get('VDI', image);
    const media = { kind: 'vdi', sr: db.get('SR', SR).uuid, vdi } as const;
    await operate(working, vm, (uuid, call) => xenops.vm.takeSuspended({ id: uuid, image: media }, call));
  }
}
