/** `GET /export` and `/export_metadata`: VMs as XVA archives, with their disks or without. */
import { once } from 'node:events';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { tarEnd } from '../../wire/tar.ts';
import { ovaXml } from '../../wire/xva.ts';
import type { House } from '../context.ts';
import { noteVariables } from '../firmware.ts';
import { holding } from '../operations.ts';
import { ovaOf } from '../ovf/export.ts';
import { type HttpCall, HttpError } from '../routes.ts';
import { Checksums } from '../xva/checksum.ts';
import { type Collected, collect, type DeviceType, describe, disksOf } from '../xva/collect.ts';
import { diskMembers, member } from '../xva/disk-out.ts';
import { isTrue, worded } from './disk-target.ts';

/** The VM that the query names. */
function vmOf({ db }: House, { url }: HttpCall): Ref<'VM'> {
  const ref = url.searchParams.get('ref');
  const uuid = url.searchParams.get('uuid');
  if (ref) {
    db.get('VM', ref);
    return ref;
  }
  if (uuid) return db.byUuid('VM', uuid);
  throw new HttpError(400, 'name the VM: ?uuid=UUID or ?ref=REFERENCE');
}
const compressors: Readonly<Record<string, (() => Transform) | undefined>> = {
  '': undefined,
  false: undefined,
  none: undefined,
  true: () => createGzip({ level: 1 }),
  gzip: () => createGzip({ level: 1 }),
  zstd: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
};
function compressorOf({ url }: HttpCall): (() => Transform) | undefined {
  const name = url.searchParams.get('use_compression') ?? '';
  if (Object.hasOwn(compressors, name)) return compressors[name];
  throw new HttpError(400, `use_compression=${name} is not known: gzip, zstd`);
}

export async function exportVm(house: House, call: HttpCall): Promise<void> {
  const { url, task } = call;
  const { db } = house;
  const vm = vmOf(house, call);
  compressorOf(call);
  task.cancellable();
  await holding(db, { cls: 'VM', ref: vm, op: 'export', task: task.ref }, async () => {
    const version = ovaVersion(url);
    await noteVariables({ ...house, task }, vm);
    if (version !== undefined) return send(house, call, 'export.ova', ovaOf({ ...house, task }, vm, version));
    const keepPower = isTrue(url, 'preserve_power_state');
    const collected = collect(db, { vms: [vm], snapshots: false, without: new Set(), keepPower });
    const checksums = await Checksums.open();
    await send(house, call, 'export.xva', archiveOf(house, call, collected, checksums));
  });
}
/** Version of the OVF descriptor; undefined when an XVA archive is wanted. */
function ovaVersion(url: URL): 1 | 2 | undefined {
  const format = url.searchParams.get('format') ?? 'xva';
  if (format === 'xva') return undefined;
  const version = url.searchParams.get('ovf_version') ?? '1';
  if (format !== 'ova') throw new HttpError(400, `format=${format} is not known: xva, ova`);
  if (version !== '1' && version !== '2') throw new HttpError(400, `ovf_version=${version} is not known: 1, 2`);
  return version === '1' ? 1 : 2;
}
async function send(house: House, call: HttpCall, file: string, content: AsyncIterable<Buffer>): Promise<void> {
  const { res, req, task } = call;
  const compressor = compressorOf(call);
  begin(call, file);
  if (req.method === 'HEAD') return;
  const archive = Readable.from(content, { objectMode: false });
  try {
    if (compressor) await pipeline(archive, compressor(), res, { signal: task.signal });
    else await pipeline(archive, res, { signal: task.signal });
  } catch (error) {
    throw worded(house, task, error);
  }
}
/** The head of an answer whose length is not known: it ends with the connection, as clients of old expect. */
function begin({ res }: HttpCall, file: string): void {
  res.removeHeader('transfer-encoding');
  res.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${file}"`,
    connection: 'close',
  });
}
async function* archiveOf(house: House, { task }: HttpCall, collected: Collected, checksums: Checksums) {
  const { db, clock } = house;
  const modified = Math.floor(clock.now() / 1000);
  yield* member(ovaXml, Buffer.from(textOf(house, collected)), modified);
  const disks = disksOf(db, collected).map(({ ref, id }) => {
    const vdi = db.get('VDI', ref);
    return { id, vdi, sr: db.get('SR', vdi.SR) };
  });
  const total = disks.reduce((sum, { vdi }) => sum + vdi.virtual_size, 0);
  let before = 0;
  for (const disk of disks) {
    const onBytes = (at: number) => task.progress((before + at) / total);
    yield* diskMembers({ ...house, task }, checksums, { ...disk, modified, onBytes });
    before += disk.vdi.virtual_size;
  }
  yield tarEnd;
}
function textOf({ db, host, clock }: House, collected: Collected): string {
  const { hostname, software_version: software } = db.get('host', host);
  return describe(db, collected, { hostname, software, now: clock.now() });
}

const deviceTypes: readonly DeviceType[] = ['vif', 'vbd', 'vgpu', 'vtpm'];
export async function exportMetadata(house: House, call: HttpCall): Promise<void> {
  const { res, url, task } = call;
  const { db, clock } = house;
  const all = isTrue(url, 'all');
  const vms = all ? everyVm(house, url) : [vmOf(house, call)];
  const excluded = (url.searchParams.get('excluded_device_types') ?? '').split(',').filter((name) => name !== '');
  const unknown = excluded.find((name) => !(deviceTypes as readonly string[]).includes(name));
  if (unknown !== undefined) throw fail('INVALID_VALUE', { field: 'excluded_device_types', value: unknown });
  const without = new Set(excluded as DeviceType[]);
  const snapshots = !url.searchParams.has('export_snapshots') || isTrue(url, 'export_snapshots');
  const hold = (ref: Ref<'VM'> | undefined, work: () => Promise<void>): Promise<void> =>
    ref ? holding(db, { cls: 'VM', ref, op: 'metadata_export', task: task.ref }, work) : work();
  await hold(all ? undefined : vms[0], async () => {
    const collected = collect(db, { vms, snapshots, without, keepPower: true });
    const file = [...member(ovaXml, Buffer.from(textOf(house, collected)), Math.floor(clock.now() / 1000)), tarEnd];
    const body = Buffer.concat(file);
    res.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename="export.xva"',
      'content-length': body.length,
      connection: 'close',
    });
    if (!res.write(body)) await once(res, 'drain');
  });
}
function everyVm({ db }: House, url: URL): readonly Ref<'VM'>[] {
  const hosts = !url.searchParams.has('include_dom0') || isTrue(url, 'include_dom0');
  return [...db.rows('VM')]
    .filter(([, vm]) => !vm.is_a_snapshot && !vm.is_default_template && (hosts || !vm.is_control_domain))
    .map(([ref]) => ref);
}
