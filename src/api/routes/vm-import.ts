/** `PUT /import` and `/import_metadata`: VMs out of XVA archives. A failure leaves nothing behind. */
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Unwind } from '../../base/unwind.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { FormatError } from '../../wire/format-error.ts';
import { StreamReader } from '../../wire/stream-reader.ts';
import { TarReader } from '../../wire/tar.ts';
import { largestOvaXml, type Ova, ovaXml, readOva } from '../../wire/xva.ts';
import type { House, Working } from '../context.ts';
import { createDisk, destroyDisk } from '../handlers/vdi-work.ts';
import { operate } from '../handlers/vm-power.ts';
import { type HttpCall, HttpError } from '../routes.ts';
import { Checksums } from '../xva/checksum.ts';
import { createVms, removeVms } from '../xva/create.ts';
import { readDisks } from '../xva/disk-in.ts';
import { Objects, type Told } from '../xva/objects.ts';
import { diskFor, repositoryFor } from '../xva/surroundings.ts';
import { announced, Body } from './body.ts';
import { isTrue, worded } from './disk-target.ts';

/** Clients that do not know the length announce this much, and close when they have sent everything. */
const lengthUnknown = 2 ** 50;

interface Upload {
  readonly reader: StreamReader;
  readonly tar: TarReader;
  /** Bytes that were announced; undefined when nobody knows. */
  readonly length: number | undefined;
  /** How many of them have come. */
  readonly arrived: () => number;
}
/** The archive as it is, whatever packs it. With a task the answer begins at once, and failures show in the task. */
async function uploadOf({ req, res, url, task }: HttpCall): Promise<Upload> {
  if (req.headers['transfer-encoding'] !== undefined)
    throw new HttpError(403, 'Transfer-Encoding is not taken here: send a Content-Length');
  const length = announced(req) ?? 0;
  const known = length < lengthUnknown;
  task.cancellable();
  if (!known || url.searchParams.has('task_id')) {
    res.writeHead(200, { connection: 'close' });
    res.flushHeaders();
  }
  const body = new Body(req);
  task.signal.addEventListener('abort', () => body.stop(task.signal.reason), { once: true });
  let arrived = 0;
  const packed = new StreamReader(body.chunks(), (total) => {
    arrived = total;
  });
  const unpacker = unpackerOf(await packed.peek(4));
  const reader = unpacker ? new StreamReader(through(packed, unpacker)) : packed;
  return { reader, tar: new TarReader(reader), length: known ? length : undefined, arrived: () => arrived };
}
function unpackerOf(start: Buffer): Transform | undefined {
  if (start.length >= 2 && start.readUInt16BE(0) === 0x1f8b) return createGunzip();
  if (start.length >= 4 && start.readUInt32BE(0) === 0x28b52ffd) return createZstdDecompress();
  return undefined;
}
function through(packed: StreamReader, unpacker: Transform): AsyncIterable<Buffer> {
  // A failure of either comes out of the unpacker, where it is read.
  pipeline(Readable.from(pieces(packed), { objectMode: false }), unpacker, () => undefined);
  return unpacker;
}
async function* pieces(stream: StreamReader): AsyncGenerator<Buffer> {
  for (let piece = await stream.some(1 << 16); piece; piece = await stream.some(1 << 16)) yield piece;
}

async function ovaOf(tar: TarReader): Promise<Ova> {
  const first = await tar.next();
  if (first?.name !== ovaXml)
    throw fail('IMPORT_ERROR_UNEXPECTED_FILE', { filename_expected: ovaXml, filename_found: first?.name ?? 'nothing' });
  const ova = readOva((await tar.bytes(largestOvaXml, ovaXml)).toString('utf8'));
  if (ova.tooNew) throw fail('IMPORT_INCOMPATIBLE_VERSION', {});
  return ova;
}

/** Answers the VMs that it made. */
export async function importVms(house: House, call: HttpCall): Promise<readonly Ref<'VM'>[]> {
  const { url, task } = call;
  const working: Working = { ...house, task };
  const upload = await uploadOf(call);
  await using unwind = new Unwind();
  try {
    const objects = new Objects(await ovaOf(upload.tar));
    const asked = url.searchParams.get('sr_id') || url.searchParams.get('sr_uuid');
    const disks = await makeDisks(working, objects, asked, unwind);
    const made = await createVms(working, { objects, disks, restore: isTrue(url, 'restore') });
    unwind.add(() => removeVms(working, [...made.values()]));
    note(house, task.ref);
    const total = [...disks.values()].reduce((sum, ref) => sum + house.db.get('VDI', ref).virtual_size, 0);
    const onBytes = (bytes: number) =>
      task.progress(upload.length === undefined ? bytes / Math.max(1, total) : upload.arrived() / upload.length);
    await readDisks(working, upload.tar, await Checksums.open(), { disks, force: isTrue(url, 'force'), onBytes });
    await rest(upload);
    await suspendAgain(working, objects, disks, made);
    unwind.keep();
    return [...made.values()];
  } catch (error) {
    throw worded(house, task, inWords(error));
  }
}
function inWords(error: unknown): unknown {
  if (error instanceof FormatError) {
    if (error.message.startsWith('it ends at byte')) return fail('IMPORT_ERROR_PREMATURE_EOF', {}, { cause: error });
    return fail('IMPORT_ERROR', { msg: `The archive is refused: ${error.message}` }, { cause: error });
  }
  const code = (error as { code?: unknown }).code;
  const packed = typeof code === 'string' && /^(Z_|ZSTD_)/.test(code);
  return packed ? fail('IMPORT_ERROR', { msg: `The archive cannot be unpacked: ${code}` }, { cause: error }) : error;
}
/** A client is told that all is well when it has sent all; padding behind the archive is passed over, up to a point. */
async function rest({ reader }: Upload): Promise<void> {
  const most = 16 << 20;
  for (let passed = 0; passed < most; ) {
    const piece = await reader.some(1 << 16);
    if (!piece) return;
    passed += piece.length;
  }
}
/** Clients wait for this note when the content takes long. */
function note({ db }: House, task: string): void {
  if (!db.has('task', task)) return;
  const { other_config } = db.get('task', task);
  db.set('task', task, { other_config: { ...other_config, object_creation: 'complete' } });
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

/** The VMs of an archive without content: their disks must be here. Answers what it made; nothing with `dry_run`. */
export async function importMetadata(house: House, call: HttpCall): Promise<readonly Ref<'VM'>[]> {
  const { url, task } = call;
  const working: Working = { ...house, task };
  try {
    const objects = new Objects(await ovaOf((await uploadOf(call)).tar));
    const force = isTrue(url, 'force');
    const said = new Map(
      [...url.searchParams].flatMap(([k, v]) => (k.startsWith('vdi:') ? [[k.slice(4), v] as const] : [])),
    );
    const disks = new Map<string, Ref<'VDI'>>();
    for (const { told } of objects.all('VBD')) {
      if (told.type === 'CD' || !told.VDI) continue;
      const found = diskFor(house.db, told.VDI, objects.find('VDI', told.VDI) ?? {}, said);
      if (found) disks.set(told.VDI, found);
      else if (!force) throw fail('IMPORT_ERROR_FAILED_TO_FIND_OBJECT', { id: told.VDI });
    }
    if (isTrue(url, 'dry_run')) return [];
    return [...(await createVms(working, { objects, disks, restore: isTrue(url, 'restore') })).values()];
  } catch (error) {
    throw worded(house, task, inWords(error));
  }
}
