/** Downloads of disks. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../datamodel/errors.ts';
import { tarEnd } from '../../wire/tar.ts';
import { vhdLargest } from '../../wire/vhd.ts';
import type { House } from '../context.ts';
import { type HttpCall, HttpError } from '../routes.ts';
import { Checksums } from '../xva/checksum.ts';
import { diskMembers } from '../xva/disk-out.ts';
import { cancel, contentTypes, formatOf, isTrue, type Target, targetOf, worded } from './disk-target.ts';

export async function exportDisk(house: House, call: HttpCall): Promise<void> {
  const { url, task } = call;
  const name = url.searchParams.get('vdi');
  if (!name) throw new HttpError(400, 'name the disk: ?vdi=REFERENCE or ?vdi=UUID');
  if (url.searchParams.get('format') === 'tar') return exportTar(house, call, targetOf(house, name));
  const format = formatOf(url);
  const target = targetOf(house, name);
  const { uuid, virtual_size } = target.vdi;
  if (format === 'vhd' && virtual_size > vhdLargest)
    throw fail('VDI_TOO_LARGE', { vdi: target.ref, 'maximum size': String(vhdLargest) });
  const framed = format === 'raw' && isTrue(url, 'chunked');
  const base = baseOf(house, call, framed ? 'framed' : format);
  task.cancellable();
  const args = {
    ...({ sr: target.sr.uuid, vdi: uuid, direction: 'export', format: framed ? 'framed' : format } as const),
    ...(base === undefined ? {} : { base }),
  };
  const type = contentTypes[format];
  const file = `${uuid}.${framed ? 'frames' : format}`;
  try {
    const from = rangeOf(call);
    await give(house, call, { args: { ...args, offset: from }, type, file, virtualSize: virtual_size });
  } catch (error) {
    throw worded(house, task, error);
  }
}
/** The chunks and checksums of an XVA archive, below `vdi`. The end of the connection is the end of the answer. */
async function exportTar(house: House, { req, res, task }: HttpCall, { vdi, sr }: Target): Promise<void> {
  const checksums = await Checksums.open();
  task.cancellable();
  res.removeHeader('transfer-encoding');
  const disposition = `attachment; filename="${vdi.uuid}.tar"`;
  res.writeHead(200, { 'content-type': 'application/x-tar', 'content-disposition': disposition, connection: 'close' });
  if (req.method === 'HEAD') return;
  const modified = Math.floor(house.clock.now() / 1000);
  const onBytes = (at: number) => task.progress(at / vdi.virtual_size);
  async function* archive(): AsyncGenerator<Buffer> {
    yield* diskMembers({ ...house, task }, checksums, { vdi, sr, id: 'vdi', modified, onBytes });
    yield tarEnd;
  }
  try {
    await pipeline(Readable.from(archive(), { objectMode: false }), res, { signal: task.signal });
  } catch (error) {
    throw worded(house, task, error);
  }
}
function baseOf(house: House, { url }: HttpCall, format: string): string | undefined {
  const name = url.searchParams.get('base');
  if (!name) return undefined;
  if (format !== 'vhd' && format !== 'framed') {
    const reason = `Differences cannot be told as ${format}: use format=vhd, or format=raw with chunked=true`;
    throw fail('OPERATION_NOT_ALLOWED', { reason });
  }
  return targetOf(house, name).vdi.uuid;
}
/** The byte where a client that has a part already wants to go on; other kinds of ranges are answered with the whole. */
function rangeOf({ req }: HttpCall): number {
  return Number(/^bytes=(\d{1,15})-$/.exec(req.headers.range ?? '')?.[1] ?? 0);
}

type Args = Parameters<House['storage']['transfer']['begin']>[0];
interface Download {
  readonly args: Args & { readonly offset: number };
  readonly type: string;
  readonly file: string;
  readonly virtualSize: number;
}
async function give(house: House, { req, res, task }: HttpCall, download: Download): Promise<void> {
  const { storage, log } = house;
  const { args, type, file, virtualSize } = download;
  const { offset } = args;
  const { transfer, socket: path, length } = await begin(house, args, task.ref);
  const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
  done.catch((error: unknown) => log.debug('an export ended', { vdi: args.vdi, error: String(error) }));
  try {
    const socket = await house.connect(path);
    res.writeHead(offset > 0 ? 206 : 200, {
      'content-type': type,
      'content-disposition': `attachment; filename="${file}"`,
      connection: 'close',
      ...(length === null ? {} : { 'content-length': length - offset, 'accept-ranges': 'bytes' }),
      ...(length !== null && offset > 0 ? { 'content-range': `bytes ${offset}-${length - 1}/${length}` } : {}),
    });
    if (req.method === 'HEAD') {
      socket.destroy();
      await cancel(house, { transfer, done });
      return;
    }
    await pipeline(socket, counted(length ?? virtualSize, offset, done, task.progress), res);
  } catch (error) {
    await cancel(house, { transfer, done });
    throw error;
  }
}
/** A file whose length is not known is given from its start; an offset behind the end is refused as HTTP wants it. */
async function begin({ storage }: House, args: Download['args'], label: string) {
  try {
    return await storage.transfer.begin(args, { label });
  } catch (error) {
    if (args.offset === 0 || (error as { kind?: string }).kind !== 'Bad_size') throw error;
    throw new HttpError(416, `there is nothing from byte ${args.offset} on, or it cannot be begun there`);
  }
}

/**
 * Passes bytes on and reports the share of `total` that has passed. The last ones are held back until storage is `done`: who has
 * everything may use the disk at once.
 */
function counted(total: number, from: number, done: Promise<unknown>, progress: (fraction: number) => void) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let passed = from;
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
