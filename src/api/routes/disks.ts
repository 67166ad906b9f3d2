/**
 * `PUT /import_raw_vdi` and `GET /export_raw_vdi`: the content of disks as a stream. Bytes go between the connection and the
 * socket of a storage transfer, with back-pressure both ways; the task shows how many have passed. Once the head of an answer is
 * sent, a failure shows in the task only.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { bestEffort } from '../../base/best-effort.ts';
import { storageErrors } from '../../contracts/storage.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { House, TaskHandle } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { type HttpCall, HttpError, type Route } from '../routes.ts';
import { translateError } from '../translate/errors.ts';
import { announced, Body } from './body.ts';
import { unframe } from './chunked.ts';

/** Clients that do not know the length announce this much, and close when they have sent everything. */
const lengthUnknown = 2 ** 50;

type Format = 'raw' | 'qcow2' | 'vhd';
const contentTypes: Readonly<Record<Format, string>> = {
  raw: 'application/octet-stream',
  qcow2: 'application/x-qemu-disk',
  vhd: 'application/vhd',
};
interface Target {
  readonly ref: Ref<'VDI'>;
  readonly vdi: Rec<'VDI'>;
  readonly sr: Rec<'SR'>;
  readonly format: Format;
}

export function diskRoutes(house: House): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/import_raw_vdi',
      role: 'vm-admin',
      permission: 'put_import_raw_vdi',
      task: 'Import of a disk',
      handle: (call) => importDisk(house, call),
    },
    {
      method: 'GET',
      path: '/export_raw_vdi',
      role: 'vm-admin',
      permission: 'get_export_raw_vdi',
      task: 'Export of a disk',
      handle: (call) => exportDisk(house, call),
    },
  ];
}

/** The disk that the query names, by reference or UUID, when it can be used. */
function targetOf({ db }: House, { url }: HttpCall): Target {
  const name = url.searchParams.get('vdi');
  if (!name) throw new HttpError(400, 'name the disk: ?vdi=REFERENCE or ?vdi=UUID');
  const ref = (db.has('VDI', name) ? name : db.byUuid('VDI', name)) as Ref<'VDI'>;
  const vdi = db.get('VDI', ref);
  const format = url.searchParams.get('format') ?? 'raw';
  if (!Object.hasOwn(contentTypes, format))
    throw new HttpError(404, `there is no format ${format}; there are ${Object.keys(contentTypes).join(', ')}`);
  if (!vdi.managed) throw fail('VDI_NOT_MANAGED', { vdi: ref });
  if (vdi.missing) throw fail('VDI_MISSING', { sr: vdi.SR, vdi: ref });
  const sr = db.get('SR', vdi.SR);
  if (!sr.PBDs.some((p) => db.get('PBD', p).currently_attached)) throw fail('SR_NOT_ATTACHED', { sr: vdi.SR });
  return { ref, vdi, sr, format: format as Format };
}

async function importDisk(house: House, call: HttpCall): Promise<void> {
  const { req, res, url, task } = call;
  if (req.headers['transfer-encoding'] !== undefined)
    throw new HttpError(501, 'Transfer-Encoding is not taken here: send a Content-Length');
  const target = targetOf(house, call);
  const length = announced(req) ?? 0;
  const unknown = length >= lengthUnknown;
  // Snapshots and disks that say so are not written to; a CD image is read-only for guests, and yet it is uploaded.
  if (target.vdi.is_a_snapshot || (target.vdi.read_only && target.sr.content_type !== 'iso'))
    throw fail('VDI_READONLY', { vdi: target.ref });
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
  if (first?.done) return;
  const total = unknown ? target.vdi.virtual_size : length;
  const content = framed(url) ? unframe(followed(first?.value, chunks), target.vdi.virtual_size) : chunks;
  const head = framed(url) ? undefined : first?.value;
  await receive(house, call, target, {
    content: followed(head, content),
    total,
    body,
    cutIsEnd: unknown,
    known: !unknown && !framed(url) ? { length } : {},
  });
}
const framed = (url: URL): boolean => url.searchParams.has('chunked') && url.searchParams.get('chunked') !== 'false';

async function* followed(first: Buffer | undefined, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (first) yield first;
  yield* rest;
}

interface Upload {
  readonly content: AsyncIterable<Buffer>;
  /** Bytes, for progress. */
  readonly total: number;
  readonly body: Body;
  readonly cutIsEnd: boolean;
  readonly known: { readonly length?: number };
}

/** Passes an upload on to storage. A failure of either side ends both, and the disk keeps its content. */
async function receive(house: House, { task }: HttpCall, target: Target, upload: Upload): Promise<void> {
  const { storage } = house;
  try {
    const { transfer, socket: path } = await storage.transfer.begin(
      { sr: target.sr.uuid, vdi: target.vdi.uuid, direction: 'import', format: target.format, ...upload.known },
      { label: task.ref },
    );
    const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
    // It is awaited below; until then a failure shows as the end of the socket.
    done.catch((error: unknown) => upload.body.stop(error));
    try {
      await send(await open(path), upload, (bytes) => task.progress(upload.total > 0 ? bytes / upload.total : 0));
    } catch (error) {
      // When storage hung up, `done` says why.
      if (!(error instanceof HungUp)) await cancel(house, transfer, done);
      else await done;
      throw error;
    }
    await done;
  } catch (error) {
    throw worded(house, task, error);
  } finally {
    await refresh(house, target);
  }
}

/** A cancelled transfer fails wherever it is just then; what counts is that it was cancelled. */
const worded = ({ db }: House, task: TaskHandle, error: unknown) =>
  translateError(db, task.signal.aborted ? storageErrors.make('Cancelled') : error, task.ref);

/** Storage closed the socket of a transfer before its end. */
class HungUp extends Error {
  override readonly name = 'HungUp';
  constructor(cause: unknown) {
    super('storage closed the transfer', { cause });
  }
}

/** Ends a transfer and waits until the disk is free again. */
async function cancel({ storage }: House, transfer: string, done: Promise<unknown>): Promise<void> {
  await storage.transfer.cancel({ transfer });
  await Promise.allSettled([done]);
}

async function open(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

async function send(socket: Socket, upload: Upload, progress: (bytes: number) => void): Promise<void> {
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
      if (!socket.write(chunk))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      sent += chunk.length;
      progress(sent);
    }
    if (upload.body.cut && !upload.cutIsEnd)
      throw fail('VDI_IO_ERROR', [`The upload was cut off after ${sent} of ${upload.total} bytes`]);
    await new Promise<void>((resolve) => socket.end(resolve));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function exportDisk(house: House, call: HttpCall): Promise<void> {
  const { res, req, url, task } = call;
  const { storage } = house;
  const target = targetOf(house, call);
  if (url.searchParams.has('base'))
    throw fail('OPERATION_NOT_ALLOWED', {
      reason: 'Differences between disks cannot be exported here; leave out base',
    });
  task.cancellable();
  const args = { sr: target.sr.uuid, vdi: target.vdi.uuid, direction: 'export', format: target.format } as const;
  try {
    const { transfer, socket: path, length } = await storage.transfer.begin(args, { label: task.ref });
    const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
    done.catch((error: unknown) => house.log.debug('an export ended', { vdi: target.vdi.uuid, error: String(error) }));
    try {
      const socket = await open(path);
      res.writeHead(200, {
        'content-type': contentTypes[target.format],
        'content-disposition': `attachment; filename="${target.vdi.uuid}.${target.format}"`,
        connection: 'close',
        ...(length === null ? {} : { 'content-length': length }),
      });
      if (req.method === 'HEAD') {
        socket.destroy();
        await cancel(house, transfer, done);
        return;
      }
      await pipeline(socket, counted(length ?? target.vdi.virtual_size, done, task.progress), res);
    } catch (error) {
      await cancel(house, transfer, done);
      throw error;
    }
  } catch (error) {
    throw worded(house, task, error);
  }
}

/**
 * Passes bytes on and reports the share of `total` that has passed. The last ones are held back until storage is `done`: who has
 * everything may use the disk at once.
 */
function counted(total: number, done: Promise<unknown>, progress: (fraction: number) => void) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let passed = 0;
    let held: Buffer | undefined;
    for await (const chunk of source) {
      if (held) yield held;
      held = chunk;
      passed += chunk.length;
      progress(total > 0 ? passed / total : 0);
    }
    await done;
    if (held) yield held;
  };
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
