import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Rec } from '../../src/datamodel/index.ts';
import { readOva } from '../../src/wire/xva.ts';
import { diskHouse } from './disk-house.ts';
import { archive, ask, disksOf, type Entry, get, membersOf, mib, put, sparse, vmWithDisks } from './vm-files.ts';

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
