/**
 * `PUT /import` and `/import_metadata`: VMs out of XVA archives, OVA packages, or a VM around a bare disk. What it is, and whether it is
 * packed, is seen by its first bytes. A failure leaves nothing behind.
 */
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Unwind } from '../../base/unwind.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { sniffDisk } from '../../wire/disk-head.ts';
import { FormatError } from '../../wire/format-error.ts';
import { StreamReader } from '../../wire/stream-reader.ts';
import { isTar, TarReader, tarBlock } from '../../wire/tar.ts';
import type { House, TaskHandle, Working } from '../context.ts';
import { destroyDisk } from '../handlers/vdi-work.ts';
import { importOva } from '../ovf/import.ts';
import { createMachine } from '../ovf/machine.ts';
import { fillNewDisk } from '../ovf/new-disk.ts';
import { type HttpCall, HttpError } from '../routes.ts';
import { createVms } from '../xva/create.ts';
import { importXva, readOvaXml } from '../xva/import.ts';
import { Objects } from '../xva/objects.ts';
import { diskFor, repositoryFor } from '../xva/surroundings.ts';
import { announced, Body } from './body.ts';
import { isTrue, worded } from './disk-target.ts';
import { fetched } from './remote.ts';

/** Clients that do not know the length announce this much, and close when they have sent everything. */
const lengthUnknown = 2 ** 50;

export interface Upload {
  readonly reader: StreamReader;
  /** Bytes of what is in it; undefined when they are not known. */
  readonly length: number | undefined;
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
  return opened(body.chunks(), known ? length : undefined, task);
}
async function opened(content: AsyncIterable<Buffer>, length: number | undefined, task: TaskHandle): Promise<Upload> {
  const packed = new StreamReader(content, (total) => task.progress(length ? total / length : 0));
  const unpacker = unpackerOf(await packed.peek(4));
  if (unpacker) return { reader: new StreamReader(through(packed, unpacker)), length: undefined };
  return { reader: packed, length };
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

/** Answers the VMs that it made. With `url` the host fetches the file itself. */
export async function importVms(house: House, call: HttpCall): Promise<readonly Ref<'VM'>[]> {
  const { url, task } = call;
  const from = url.searchParams.get('url');
  return importUpload({ ...house, task }, url, from ? await remoteOf(from, task) : await uploadOf(call));
}
/** The file at an address. */
export async function remoteOf(address: string, task: TaskHandle): Promise<Upload> {
  task.cancellable();
  const { content, length } = await fetched(address, task.signal);
  return opened(content, length, task);
}
/** `url`: its query says how, as for `PUT /import`. */
export async function importUpload(working: Working, url: URL, upload: Upload): Promise<readonly Ref<'VM'>[]> {
  const { task } = working;
  await using unwind = new Unwind();
  try {
    const made = isTar(await upload.reader.peek(tarBlock))
      ? await fromArchive(working, url, upload, unwind)
      : await fromDisk(working, url, upload, unwind);
    await rest(upload);
    unwind.keep();
    return made;
  } catch (error) {
    throw worded(working, task, inWords(error));
  }
}
async function fromArchive(
  working: Working,
  url: URL,
  { reader }: Upload,
  unwind: Unwind,
): Promise<readonly Ref<'VM'>[]> {
  const sr = srOf(url);
  const restore = isTrue(url, 'restore');
  const tar = new TarReader(reader);
  const first = await tar.next();
  if (first?.name.toLowerCase().endsWith('.ovf'))
    return importOva(working, { tar, first, sr: repositoryFor(working, sr, undefined), restore, unwind });
  return importXva(working, { tar, first, sr, restore, force: isTrue(url, 'force'), unwind });
}
const srOf = (url: URL): string | null => url.searchParams.get('sr_id') || url.searchParams.get('sr_uuid');

/** A bare disk gets a VM around it: with as much as the query says, and an interface on the first network. */
async function fromDisk(
  working: Working,
  url: URL,
  { reader, length }: Upload,
  unwind: Unwind,
): Promise<readonly Ref<'VM'>[]> {
  const given = url.searchParams.get('format') ?? '';
  const head = await reader.peek(tarBlock);
  const format = sniffDisk(head, `.${given}`);
  if (!format) {
    const msg =
      'It is neither an XVA archive nor an OVA package nor a disk that is known; say format=raw if it is a plain disk';
    throw fail('IMPORT_ERROR', { msg });
  }
  const name = url.searchParams.get('name_label') || 'Imported disk';
  const sr = repositoryFor(working, srOf(url), undefined);
  const content = contentOf(reader);
  const disk = await fillNewDisk(working, { sr, name, file: name, content, length, gzip: false, capacity: 0, format });
  unwind.add(() => destroyDisk(working, disk));
  const firmware = url.searchParams.get('firmware') ?? 'bios';
  if (firmware !== 'bios' && firmware !== 'uefi') throw fail('INVALID_VALUE', { field: 'firmware', value: firmware });
  const vcpus = numberOf(url, 'vcpus', 1);
  const memory = numberOf(url, 'memory', 2 ** 30);
  const nics = [{ network: '', mac: undefined }];
  return [
    await createMachine(working, { name, description: '', vcpus, memory, firmware, disks: [disk], cdDrives: 1, nics }),
  ];
}
async function* contentOf(reader: StreamReader): AsyncGenerator<Buffer> {
  for (let piece = await reader.some(1 << 20); piece; piece = await reader.some(1 << 20)) yield piece;
}
function numberOf(url: URL, name: string, otherwise: number): number {
  const text = url.searchParams.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,15}$/.test(text)) throw fail('INVALID_VALUE', { field: name, value: text });
  return Number(text);
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
/** The VMs of an archive without content: their disks must be here. Answers what it made; nothing with `dry_run`. */
export async function importMetadata(house: House, call: HttpCall): Promise<readonly Ref<'VM'>[]> {
  const { url, task } = call;
  const working: Working = { ...house, task };
  try {
    const tar = new TarReader((await uploadOf(call)).reader);
    const objects = new Objects(await readOvaXml(tar, await tar.next()));
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
