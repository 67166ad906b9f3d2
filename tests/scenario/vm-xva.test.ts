import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Rec } from '../../src/datamodel/index.ts';
import { StreamReader } from '../../src/wire/stream-reader.ts';
import { TarReader, tarEnd, tarHeader, tarPadding } from '../../src/wire/tar.ts';
import { readOva } from '../../src/wire/xva.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';

const mib = 1 << 20;
type Answer = { readonly status: number; readonly body: Buffer; readonly task: string };

function ask(
  h: DiskHouse,
  method: string,
  path: string,
  query: Record<string, string>,
  data?: Buffer,
): Promise<Answer> {
  const session_id = h.running.api.rootSession('test');
  const url = `${h.url}${path}?${new URLSearchParams({ session_id, ...query })}`;
  return new Promise((resolve, reject) => {
    const headers = data ? { 'content-length': data.length } : {};
    const req = http.request(url, { method, headers, agent: false }, async (res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of res) chunks.push(chunk as Buffer);
      resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks), task: String(res.headers['task-id']) });
    });
    req.on('error', reject);
    req.end(data);
  });
}
const get = (h: DiskHouse, path: string, query: Record<string, string>) => ask(h, 'GET', path, query);
/** Imports, and answers the VMs; a failure is thrown as the page's text. */
async function put(
  h: DiskHouse,
  file: Buffer,
  query: Record<string, string> = {},
  path = '/import',
): Promise<string[]> {
  const { status, body, task } = await ask(h, 'PUT', path, query, file);
  if (status !== 200) throw new Error(body.toString());
  const { status: end, result, error_info } = await h.root<Rec<'task'>>('task.get_record', task);
  assert.equal(end, 'success', error_info.join(' '));
  return [...result.matchAll(/OpaqueRef:[\w-]+/g)].map((m) => m[0]);
}

async function vmWithDisks(h: DiskHouse, contents: readonly Buffer[]): Promise<string> {
  const vm = await h.root('VM.create', {
    ...{ name_label: 'web "1" <ä>', name_description: 'a\nb', user_version: 1, is_a_template: false, affinity: '' },
    ...{
      memory_static_max: 256 * mib,
      memory_dynamic_max: 256 * mib,
      memory_dynamic_min: 256 * mib,
      memory_static_min: 128 * mib,
    },
    ...{
      VCPUs_params: {},
      VCPUs_max: 2,
      VCPUs_at_startup: 1,
      actions_after_shutdown: 'destroy',
      actions_after_reboot: 'restart',
    },
    ...{
      actions_after_crash: 'restart',
      PV_bootloader: '',
      PV_kernel: '',
      PV_ramdisk: '',
      PV_args: '',
      PV_bootloader_args: '',
    },
    ...{
      PV_legacy_args: '',
      HVM_boot_policy: 'BIOS order',
      HVM_boot_params: { order: 'dc' },
      platform: { acpi: '1' },
      PCI_bus: '',
    },
    ...{ other_config: { colour: 'blue' }, recommendations: '', xenstore_data: {}, ha_always_run: false, tags: ['t'] },
  });
  const [pool] = await h.root<string[]>('pool.get_all');
  const SR = await h.root('pool.get_default_SR', pool);
  for (const [i, content] of contents.entries()) {
    const fields = { type: 'user', sharable: false, read_only: false, other_config: { n: String(i) } };
    const vdi = await h.root('VDI.create', { ...fields, name_label: `disk ${i}`, SR, virtual_size: content.length });
    const sent = await ask(h, 'PUT', '/import_raw_vdi', { vdi }, content);
    assert.equal(sent.status, 200, sent.body.toString());
    await newVbd(h, { VM: vm, VDI: vdi, userdevice: String(i), type: 'Disk', mode: 'RW', empty: false });
  }
  await newVbd(h, { VM: vm, VDI: '', userdevice: '3', type: 'CD', mode: 'RO', empty: true });
  const [network] = await h.root<string[]>('network.get_all');
  const mac = {
    MAC: '02:00:00:aa:bb:cc',
    MTU: 1500,
    other_config: {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  };
  await h.root('VIF.create', { device: '0', network, VM: vm, ...mac });
  return vm;
}
const newVbd = (h: DiskHouse, fields: Record<string, unknown>) =>
  h.root('VBD.create', {
    ...{ bootable: true, unpluggable: true, other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} },
    ...fields,
  });
async function disksOf(h: DiskHouse, vm: string): Promise<Buffer[]> {
  const found: [string, Buffer][] = [];
  for (const ref of await h.root<string[]>('VM.get_VBDs', vm)) {
    const vbd = await h.root<Rec<'VBD'>>('VBD.get_record', ref);
    if (vbd.type === 'Disk') found.push([vbd.userdevice, (await get(h, '/export_raw_vdi', { vdi: vbd.VDI })).body]);
  }
  return found.sort().map(([, content]) => content);
}
/** A disk with holes, no whole number of chunks. */
function sparse(size: number): Buffer {
  const content = Buffer.alloc(size);
  randomBytes(mib + 100).copy(content, 3 * mib + 17);
  randomBytes(1000).copy(content, size - 5 * mib);
  return content;
}
type Entry = { readonly name: string; readonly data: Buffer };
async function membersOf(file: Buffer): Promise<Entry[]> {
  async function* whole() {
    yield file;
  }
  const tar = new TarReader(new StreamReader(whole()));
  const out: Entry[] = [];
  for (let m = await tar.next(); m; m = await tar.next())
    out.push({ name: m.name, data: await tar.bytes(64 * mib, m.name) });
  return out;
}
const archive = (entries: readonly Entry[]): Buffer =>
  Buffer.concat([
    ...entries.flatMap(({ name, data }) => [
      tarHeader({ name, size: data.length }, 0),
      data,
      Buffer.alloc(tarPadding(data.length)),
    ]),
    tarEnd,
  ]);
/** What an archive tells of the VM itself; its repository fills up meanwhile. */
const toldOf = (ova: Entry | undefined) =>
  readOva(ova?.data.toString() ?? '').objects.filter((o) => ['VM', 'VBD', 'VIF', 'network'].includes(o.cls));

test('a VM goes out and comes in again, its disks byte by byte', async () => {
  await using h = await diskHouse();
  const contents = [sparse(16 * mib + 512), Buffer.alloc(2 * mib)];
  const vm = await vmWithDisks(h, contents);
  const uuid = await h.root('VM.get_uuid', vm);
  const { status, body } = await get(h, '/export', { uuid });
  assert.equal(status, 200);
  const names = execFileSync('tar', ['-tf', '-'], { input: body }).toString().trim().split('\n');
  assert.equal(names[0], 'ova.xml');
  const chunks = names.filter((n) => /\/\d{8}$/.test(n)).map((n) => Number(n.slice(-8)));
  assert.deepEqual(chunks, [0, 3, 4, 11, 16, 0, 1]);
  assert.deepEqual(await h.root('VM.get_current_operations', vm), {});

  const [copy] = await put(h, body);
  const was = await h.root<Rec<'VM'>>('VM.get_record', vm);
  const is = await h.root<Rec<'VM'>>('VM.get_record', copy);
  for (const field of [
    'name_label',
    'name_description',
    'VCPUs_max',
    'memory_static_max',
    'HVM_boot_params',
    'platform',
    'tags',
  ] as const)
    assert.deepEqual(is[field], was[field], field);
  assert.notEqual(is.uuid, was.uuid);
  assert.equal(is.other_config['colour'], 'blue');
  assert.notEqual(await h.root('VIF.get_MAC', is.VIFs[0]), '02:00:00:aa:bb:cc');
  assert.equal(await h.root('VIF.get_network', is.VIFs[0]), await h.root('VIF.get_network', was.VIFs[0]));
  assert.equal(is.VBDs.length, 3);
  const disks = await disksOf(h, copy as string);
  assert.deepEqual(
    disks.map((d, i) => d.equals(contents[i] as Buffer)),
    [true, true],
  );

  // With its identity the VM is the same one: it cannot be there twice, and its next export is the same file.
  await assert.rejects(put(h, body, { restore: 'true' }), /DUPLICATE_VM/);
  for (const ref of was.VBDs) {
    const vbd = await h.root<Rec<'VBD'>>('VBD.get_record', ref);
    if (vbd.type === 'Disk') await h.root('VDI.destroy', vbd.VDI);
  }
  await h.root('VM.destroy', vm);
  const [again] = await put(h, body, { restore: 'true' });
  assert.equal(await h.root('VM.get_uuid', again), uuid);
  assert.equal(await h.root('VIF.get_MAC', (await h.root<string[]>('VM.get_VIFs', again))[0]), '02:00:00:aa:bb:cc');
  const next = await membersOf((await get(h, '/export', { ref: again as string })).body);
  const first = await membersOf(body);
  assert.deepEqual(next.slice(1), first.slice(1));
  await h.root('VM.start', again, false, false);
  await h.root('VM.hard_shutdown', again);
});

test('packed archives are written and read', async () => {
  await using h = await diskHouse();
  const content = sparse(9 * mib);
  const vm = await vmWithDisks(h, [content]);
  const plain = (await get(h, '/export', { ref: vm })).body;
  for (const [name, unpack] of [
    ['gzip', gunzipSync],
    ['true', gunzipSync],
    ['zstd', zstdDecompressSync],
  ] as const) {
    const { body } = await get(h, '/export', { ref: vm, use_compression: name });
    assert.ok(body.length < plain.length);
    const [a, b] = [await membersOf(unpack(body)), await membersOf(plain)];
    assert.deepEqual(a.slice(1), b.slice(1), name);
    assert.deepEqual(toldOf(a[0]), toldOf(b[0]));
    const [copy] = await put(h, body);
    assert.ok((await disksOf(h, copy as string))[0]?.equals(content), name);
  }
  assert.equal((await get(h, '/export', { ref: vm, use_compression: 'lzma' })).status, 400);
});

test('streams of older versions are read: SHA-1, empty members, numbers left out', async () => {
  await using h = await diskHouse();
  const content = sparse(9 * mib);
  const vm = await vmWithDisks(h, [content]);
  const entries = await membersOf((await get(h, '/export', { ref: vm })).body);
  const old: Entry[] = [];
  for (const { name, data } of entries) {
    if (!name.endsWith('.xxhash')) old.push({ name, data });
    const chunk = old.at(-1) as Entry;
    const sha1 = Buffer.from(createHash('sha1').update(chunk.data).digest('hex'));
    if (name.endsWith('.xxhash')) old.push({ name: `${chunk.name}.checksum`, data: sha1 });
    // A sign of life: uses up the number of a chunk, of which it takes the place.
    if (name.endsWith('00000000.xxhash')) old.push({ name: chunk.name.replace(/0$/, '1'), data: Buffer.alloc(0) });
  }
  // What an empty member stands for is nothing: what follows comes one chunk earlier.
  const [copy] = await put(h, archive(old));
  const disk = (await disksOf(h, copy as string))[0] as Buffer;
  assert.ok(disk.subarray(2 * mib, 8 * mib).equals(content.subarray(3 * mib)));
});

test('what is wrong with an archive is said, and nothing is left of it', async () => {
  await using h = await diskHouse();
  const vm = await vmWithDisks(h, [sparse(9 * mib)]);
  const file = (await get(h, '/export', { ref: vm })).body;
  const entries = await membersOf(file);
  const [vms, vdis] = [await h.root<string[]>('VM.get_all'), await h.root<string[]>('VDI.get_all')];
  const refused = async (data: Buffer, why: RegExp) => {
    await assert.rejects(put(h, data), why);
    assert.deepEqual(await h.root<string[]>('VM.get_all'), vms, String(why));
    assert.deepEqual(await h.root<string[]>('VDI.get_all'), vdis, String(why));
  };
  const changed = (f: (e: Entry, i: number) => Entry[]) => archive(entries.flatMap(f));
  const damaged = changed((e, i) => [i === 3 ? { ...e, data: Buffer.alloc(e.data.length, 7) } : e]);
  await refused(damaged, /IMPORT_ERROR_SOME_CHECKSUMS_FAILED/);
  await refused(
    changed((e, i) => (i === 4 ? [] : [e])),
    /IMPORT_ERROR_SOME_CHECKSUMS_FAILED/,
  );
  await refused(file.subarray(0, 5 * 512), /IMPORT_ERROR_PREMATURE_EOF/);
  await refused(file.subarray(0, file.length - 1024), /IMPORT_ERROR_PREMATURE_EOF/);
  await refused(gzipSync(file).subarray(0, 100_000), /IMPORT_ERROR/);
  await refused(zstdCompressSync(file).subarray(0, 100_000), /IMPORT_ERROR/);
  await refused(archive(entries.slice(0, 1)), /IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND/);
  await refused(archive(entries.slice(1)), /IMPORT_ERROR_UNEXPECTED_FILE/);
  await refused(archive([...entries, { name: 'more', data: Buffer.alloc(1) }]), /IMPORT_ERROR_UNEXPECTED_FILE/);
  await refused(
    archive([...entries.slice(0, 1), { name: '../../etc/x', data: Buffer.alloc(1) }]),
    /leads out of the archive/,
  );
  await refused(
    changed((e, i) => (i === 1 ? [e, e] : [e])),
    /IMPORT_ERROR_SOME_CHECKSUMS_FAILED/,
  );
  const big = entries.map((e) => ({ ...e, name: e.name.replace('00000008', '99999999') }));
  await refused(archive(big), /SR_BACKEND_FAILURE_77/);
  const newer = changed((e, i) => [
    i === 0 ? { ...e, data: Buffer.from(e.data.toString().replace(/(export_vsn<\/name><value>)2/, '$13')) } : e,
  ]);
  await refused(newer, /IMPORT_INCOMPATIBLE_VERSION/);
  await refused(randomBytes(10_000), /IMPORT_ERROR/);
  const { status, body } = await ask(h, 'PUT', '/import', { force: 'true' }, damaged);
  assert.equal(status, 200, body.toString());
});

test('metadata go out and in without content', async () => {
  await using h = await diskHouse();
  const vm = await vmWithDisks(h, [sparse(9 * mib)]);
  const snapshot = await h.root('VM.snapshot', vm, 'before', []);
  const { body } = await get(h, '/export_metadata', { ref: vm });
  const [ova, ...others] = await membersOf(body);
  assert.deepEqual(others, []);
  const { objects } = readOva(ova?.data.toString() ?? '');
  assert.equal(objects.filter((o) => o.cls === 'VM').length, 2);
  const without = await get(h, '/export_metadata', {
    ref: vm,
    export_snapshots: 'false',
    excluded_device_types: 'vif,vbd',
  });
  const few = readOva((await membersOf(without.body))[0]?.data.toString() ?? '').objects;
  assert.deepEqual(
    few.filter((o) => ['VM', 'VIF', 'VBD'].includes(o.cls)).map((o) => o.cls),
    ['VM'],
  );
  assert.equal((await get(h, '/export_metadata', { ref: vm, excluded_device_types: 'wheel' })).status, 500);

  const before = await h.root<string[]>('VM.get_all');
  assert.deepEqual(await put(h, body, { dry_run: 'true' }, '/import_metadata'), []);
  assert.deepEqual(await h.root<string[]>('VM.get_all'), before);
  const made = await put(h, body, {}, '/import_metadata');
  assert.equal(made.length, 2);
  const [copy, copiedSnapshot] = made as [string, string];
  assert.equal(await h.root('VM.get_snapshot_of', copiedSnapshot), copy);
  assert.notEqual(copiedSnapshot, snapshot);
  const vdiOf = async (ref: string) => h.root('VBD.get_VDI', (await h.root<string[]>('VM.get_VBDs', ref))[0]);
  assert.equal(await vdiOf(copy), await vdiOf(vm));
  const all = await get(h, '/export_metadata', { all: 'true' });
  const told = readOva((await membersOf(all.body))[0]?.data.toString() ?? '').objects;
  assert.ok(told.some((o) => o.cls === 'VM' && o.snapshot['is_control_domain'] === true));
});
