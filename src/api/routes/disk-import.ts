/** Uploads of disks: into one that is there, or as a new one of a repository. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { bestEffort } from '../../base/best-effort.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { diskHeadSize, diskSizeOf } from '../../wire/disk-head.ts';
import { FormatError } from '../../wire/format-error.ts';
import type { House } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { onSr } from '../handlers/sr-hold.ts';
import { createDisk, destroyDisk, usableSr } from '../handlers/vdi-work.ts';
import { type HttpCall, HttpError } from '../routes.ts';
import { announced, Body } from './body.ts';
import { cancel, type Format, formatOf, isTrue, type Target, targetOf, worded } from './disk-target.ts';
import { fetched } from './remote.ts';

/** Clients that do not know the length announce this much, and close when they have sent everything. */
const lengthUnknown = 2 ** 50;

/** Answers the reference of a disk that it made. */
export async function importDisk(house: House, call: HttpCall): Promise<string | undefined> {
  const { req, res, url, task } = call;
  if (req.headers['transfer-encoding'] !== undefined)
    throw new HttpError(501, 'Transfer-Encoding is not taken here: send a Content-Length');
  const format = formatOf(url);
  const name = url.searchParams.get('vdi');
  const target = name ? writable(targetOf(house, name)) : undefined;
  const sr = target ? undefined : repositoryOf(house, url);
  const options = optionsOf(url, format);
  const from = url.searchParams.get('url');
  if (from) {
    task.cancellable();
    const { content, length } = await fetched(from, task.signal);
    const upload = {
      ...options,
      body: unstoppable,
      content,
      cutIsEnd: true,
      ...(length === undefined ? {} : { length }),
    };
    if (target) return receive(house, call, target, upload).then(() => undefined);
    return receiveNew(house, call, sr as Ref<'SR'>, upload);
  }
  const length = announced(req) ?? 0;
  const unknown = length >= lengthUnknown;
  task.cancellable();
  // Such clients wait for the head of the answer before they close.
  if (unknown) {
    res.writeHead(200, { connection: 'close' });
    res.flushHeaders();
  }
  const body = new Body(req);
  const chunks = body.chunks();
  // Without a task an empty body only asks whether it would be sent elsewhere: nothing is touched.
  const first = url.searchParams.has('task_id') ? undefined : await chunks.next();
  if (first?.done) return undefined;
  const content = followed(first ? [first.value] : [], chunks);
  const upload = { ...options, body, content, cutIsEnd: unknown, ...(unknown ? {} : { length }) };
  if (target) await receive(house, call, target, upload);
  else if (sr) return receiveNew(house, call, sr, upload);
  return undefined;
}
/** Snapshots and disks that say so are not written to; a CD image is read-only for guests, and yet it is uploaded. */
function writable(target: Target): Target {
  const { vdi, sr, ref } = target;
  if (vdi.is_a_snapshot || (vdi.read_only && sr.content_type !== 'iso')) throw fail('VDI_READONLY', { vdi: ref });
  return target;
}
function repositoryOf({ db }: House, url: URL): Ref<'SR'> {
  const ref = url.searchParams.get('sr_id');
  const uuid = url.searchParams.get('sr_uuid');
  if (ref && db.has('SR', ref)) return ref as Ref<'SR'>;
  if (ref || uuid) return db.byUuid('SR', (uuid || ref) as string);
  throw new HttpError(
    400,
    'name the disk: ?vdi=REFERENCE or ?vdi=UUID; or the repository for a new one: ?sr_id= or ?sr_uuid=',
  );
}
function optionsOf(url: URL, format: Format) {
  const number = url.searchParams.get('offset') ?? '0';
  if (!/^\d{1,15}$/.test(number)) throw new HttpError(400, `offset=${number} is no number of bytes`);
  const sha256 = url.searchParams.get('sha256')?.toLowerCase();
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    throw new HttpError(400, 'sha256 must be 64 hexadecimal digits');
  const framed = isTrue(url, 'chunked');
  if (framed && format !== 'raw') throw new HttpError(400, 'chunked=true is for format=raw only');
  const resumable = isTrue(url, 'resumable');
  if ((resumable || number !== '0') && (format !== 'raw' || framed || sha256 !== undefined))
    throw new HttpError(400, 'only plain uploads of format=raw can go on where they were cut off');
  return { format: framed ? ('framed' as const) : format, offset: Number(number), resumable, sha256 };
}
async function* followed(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}

/** What is fetched ends by itself, or with the task. */
const unstoppable = { stop: () => undefined, cut: false };

interface Upload {
  readonly format: Format | 'framed';
  readonly content: AsyncIterable<Buffer>;
  readonly body: Pick<Body, 'stop' | 'cut'>;
  readonly cutIsEnd: boolean;
  /** Bytes of the body, where they are known. */
  readonly length?: number;
  /** Byte of the disk where it goes on. */
  readonly offset: number;
  readonly resumable: boolean;
  readonly sha256: string | undefined;
}

/** Makes a disk of the size that the file says, and fills it; a failure leaves no disk behind. */
async function receiveNew(house: House, call: HttpCall, sr: Ref<'SR'>, upload: Upload): Promise<string> {
  const { url, task } = call;
  const working = { ...house, task };
  if (upload.format === 'framed') throw new HttpError(400, 'chunked=true needs a disk that is there: ?vdi=');
  const { head, all } = await begun(upload.content);
  const size = sizeOf(upload.format, head, upload.length);
  const disk = {
    ...({ sr, size, type: 'user' } as const),
    name: url.searchParams.get('name_label') ?? '',
    description: url.searchParams.get('name_description') ?? '',
  };
  usableSr(working, sr);
  const ref = await onSr(working, sr, 'vdi_create', () => createDisk(working, disk));
  try {
    await receive(house, call, targetOf(house, ref), { ...upload, content: all });
    return ref;
  } catch (error) {
    await bestEffort('a disk whose import failed stays', house.log, () => destroyDisk(working, ref));
    throw error;
  }
}
/** The first bytes of a stream, and the whole of it. */
async function begun(content: AsyncIterable<Buffer>): Promise<{ head: Buffer; all: AsyncIterable<Buffer> }> {
  const rest = content[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  for (let length = 0; length < diskHeadSize; ) {
    const next = await rest.next();
    if (next.done) break;
    seen.push(next.value);
    length += next.value.length;
  }
  return { head: Buffer.concat(seen), all: followed(seen, { [Symbol.asyncIterator]: () => rest }) };
}
function sizeOf(format: Format, head: Buffer, length: number | undefined): number {
  try {
    return diskSizeOf(format, head, length);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw fail('VDI_IO_ERROR', [`The ${format} file is refused: ${error.message}`], { cause: error });
  }
}

/** Passes an upload on to storage. A failure of either side ends both, and the disk keeps its content. */
async function receive(house: House, { task }: HttpCall, target: Target, upload: Upload): Promise<void> {
  const { storage } = house;
  const { format, length, offset } = upload;
  const total = length === undefined ? target.vdi.virtual_size : offset + length;
  try {
    const { transfer, socket: path } = await storage.transfer.begin(
      {
        ...({ sr: target.sr.uuid, vdi: target.vdi.uuid, direction: 'import', format } as const),
        ...(length === undefined ? {} : { length }),
        ...(offset > 0 ? { offset } : {}),
      },
      { label: task.ref },
    );
    const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
    // It is awaited below; until then a failure shows as the end of the socket.
    done.catch((error: unknown) => upload.body.stop(error));
    const progress = (bytes: number) => task.progress(total > 0 ? (offset + bytes) / total : 0);
    try {
      await send(await house.connect(path), upload, progress);
    } catch (error) {
      // When storage hung up, `done` says why.
      if (error instanceof HungUp) await done;
      const keep = error instanceof CutOff && upload.resumable;
      const kept = await cancel(house, { transfer, done, keep });
      throw error instanceof CutOff ? cutOff(error, { total, kept, keep }) : error;
    }
    await done;
  } catch (error) {
    throw worded(house, task, error);
  } finally {
    await refresh(house, target);
  }
}
function cutOff(error: CutOff, { total, kept, keep }: { total: number; kept: number; keep: boolean }): Error {
  const goOn = keep ? `; send the rest with offset=${kept}` : '';
  return fail('VDI_IO_ERROR', [`The upload was cut off after ${error.sent} of ${total} bytes${goOn}`]);
}

/** Storage closed the socket of a transfer before its end. */
class HungUp extends Error {
  override readonly name = 'HungUp';
  constructor(cause: unknown) {
    super('storage closed the transfer', { cause });
  }
}
/** The client closed before it had sent what it announced. */
class CutOff extends Error {
  override readonly name = 'CutOff';
  readonly sent: number;
  constructor(sent: number) {
    super(`cut off after ${sent} bytes`);
    this.sent = sent;
  }
}

async function send(socket: Duplex, upload: Upload, progress: (bytes: number) => void): Promise<void> {
  const hash = upload.sha256 === undefined ? undefined : createHash('sha256');
  let sent = 0;
  let wake: () => void = () => undefined;
  let broken: unknown;
  socket.on('error', (error) => {
    broken = error;
  });
  socket.on('drain', () => wake());
  socket.once('close', () => {
    upload.body.stop(new HungUp(broken));
    wake();
  });
  socket.resume();
  try {
    for await (const chunk of upload.content) {
      if (socket.destroyed) throw new HungUp(broken);
      hash?.update(chunk);
      if (!socket.write(chunk))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      sent += chunk.length;
      progress(sent);
    }
    if (upload.body.cut && !upload.cutIsEnd) throw new CutOff(upload.offset + sent);
    const found = hash?.digest('hex');
    if (found !== upload.sha256)
      throw fail('VDI_IO_ERROR', [`The SHA-256 of what came is ${found}, not ${upload.sha256}`]);
    await new Promise<void>((resolve) => socket.end(resolve));
  } catch (error) {
    // A cut is told to storage first: what has arrived there may be kept.
    if (!(error instanceof CutOff)) socket.destroy();
    throw error;
  }
}

/** Writes the sizes of the disk and its repository as they are after an upload. */
async function refresh(house: House, { ref, vdi, sr }: Target): Promise<void> {
  const { db, storage, log } = house;
  await bestEffort('sizes are brought up to date by the next scan', log, async () => {
    const info = await storage.vdi.stat({ sr: sr.uuid, vdi: vdi.uuid });
    const stat = await storage.sr.stat({ sr: sr.uuid });
    db.write((w) => {
      if (!db.has('VDI', ref)) return;
      w.set('VDI', ref, { virtual_size: info.virtualSize, physical_utilisation: info.physicalUtilisation });
      w.set('SR', vdi.SR, { physical_size: stat.total, physical_utilisation: stat.used });
      refreshAllowed(db, w, 'VDI', ref);
    });
  });
}
