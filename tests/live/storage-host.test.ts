/** Storage as root on a real kernel: files are lent to guests' users, media are full, folders of ISO files change. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { randomIds } from '../../src/base/ids.ts';
import { describeStorageDriver, download, kindIs, pattern, testHouse, upload } from '../conformance/storage-driver.ts';

const MiB = 1 << 20;
const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' };
const guest = { uid: 61234, gid: 61234 };

function asGuest(uid: number, ...command: string[]): boolean {
  const drop = ['--reuid', String(uid), '--regid', String(guest.gid), '--clear-groups', '--'];
  return spawnSync('setpriv', [...drop, ...command], { cwd: '/' }).status === 0;
}

test('a guest’s user may open its disk and nothing else', asRoot, async (t) => {
  const house = await testHouse();
  t.after(() => house.close());
  let s = house.storage();
  const [sr, vdi, snapshot] = [randomIds.uuid(), randomIds.uuid(), randomIds.uuid()];
  const location = join(house.dir, 's', 'disks');
  await s.sr.create({ sr, type: 'file', config: { location } });
  await s.vdi.create({ sr, vdi, name: '', virtualSize: MiB });
  await upload(s, sr, vdi, pattern(MiB));
  await s.vdi.snapshot({ sr, vdi, to: snapshot });
  const open = { sr, vdi, user: 'vm', mode: 'RW', ...guest } as const;
  // The test's own folder is closed to others: that is said, and nothing stays open.
  await assert.rejects(s.vdi.open(open), kindIs('Bad_config'));
  assert.deepEqual(await s.vdi.users({}), []);
  await chmod(house.dir, 0o711);
  const { path, format } = await s.vdi.open(open);
  const io = (uid: number, command: string) => asGuest(uid, 'qemu-io', '-f', format, '-c', command, path);
  assert.equal(io(guest.uid, 'write -P 9 0 4096'), true);
  assert.equal(io(guest.uid, 'read -P 9 0 4096'), true);
  assert.equal(io(guest.uid + 1, 'read 0 4096'), false);
  assert.equal(asGuest(guest.uid, 'ls', location), false);
  const modes = async () => {
    const files = (await readdir(location)).filter((file) => !file.endsWith('.json'));
    return Promise.all(files.map(async (file) => (await stat(join(location, file))).mode & 0o007));
  };
  assert.ok((await modes()).every((mode) => mode === 0));
  // The guest comes back as another user; a restart of the daemon knows the new one.
  await s.vdi.open({ ...open, uid: guest.uid + 1 });
  await house.restart();
  s = house.storage();
  assert.deepEqual([io(guest.uid, 'read 0 4096'), io(guest.uid + 1, 'read 0 4096')], [false, true]);
  await s.vdi.close({ sr, vdi, user: 'vm' });
  assert.equal(io(guest.uid + 1, 'read 0 4096'), false);
  for (const file of await readdir(location)) assert.deepEqual((await stat(join(location, file))).uid, 0);
  // Two readers share a snapshot; the first to leave does not take it from the second.
  for (const user of ['a', 'b']) await s.vdi.open({ sr, vdi: snapshot, user, mode: 'RO', ...guest });
  await s.vdi.close({ sr, vdi: snapshot, user: 'a' });
  const top = (await s.vdi.open({ sr, vdi: snapshot, user: 'b', mode: 'RO', ...guest })).path;
  assert.equal(asGuest(guest.uid, 'qemu-io', '-r', '-f', 'qcow2', '-c', 'read 0 4096', top), true);
  assert.equal(asGuest(guest.uid, 'qemu-io', '-f', 'qcow2', '-c', 'write 0 4096', top), false);
  await s.vdi.close({ sr, vdi: snapshot, user: 'b' });
  assert.equal(asGuest(guest.uid, 'qemu-io', '-r', '-f', 'qcow2', '-c', 'read 0 4096', top), false);
});

test('a full medium is said, and leaves the disk as it was', asRoot, async (t) => {
  const house = await testHouse();
  const medium = join(house.dir, 'medium');
  await mkdir(medium);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', medium]);
  t.after(async () => {
    await house.close().catch(() => undefined);
    execFileSync('umount', [medium]);
    await rm(house.dir, { recursive: true });
  });
  const s = house.storage();
  const [sr, vdi, big] = [randomIds.uuid(), randomIds.uuid(), randomIds.uuid()];
  const location = join(medium, 'sr');
  await s.sr.create({ sr, type: 'file', config: { location } });
  await s.vdi.create({ sr, vdi, name: '', virtualSize: 64 * MiB });
  await upload(s, sr, vdi, pattern(2 * MiB));
  const before = (await readdir(location)).sort();
  await assert.rejects(upload(s, sr, vdi, pattern(32 * MiB)), kindIs('Sr_full'));
  assert.deepEqual((await readdir(location)).sort(), before);
  assert.ok((await download(s, sr, vdi)).subarray(0, 2 * MiB).equals(pattern(2 * MiB)));
  const other = randomIds.uuid();
  await s.sr.create({ sr: other, type: 'file', config: {} });
  await s.vdi.create({ sr: other, vdi: big, name: '', virtualSize: 32 * MiB });
  await upload(s, other, big, pattern(32 * MiB));
  await assert.rejects(s.vdi.copy({ sr: other, vdi: big, toSr: sr, to: big }), kindIs('Sr_full'));
  assert.deepEqual((await readdir(location)).sort(), before);
});

test('ISO files come and go with the folder; links are not followed', async (t) => {
  const house = await testHouse();
  t.after(() => house.close());
  const s = house.storage();
  const sr = randomIds.uuid();
  const location = join(house.dir, 'isos');
  await mkdir(location);
  await writeFile(join(location, 'a, "b".ISO'), pattern(4096));
  await writeFile(join(location, 'notes.txt'), '');
  await symlink('/etc/passwd', join(location, 'passwd.iso'));
  await s.sr.create({ sr, type: 'iso', config: { location } });
  const [only, ...rest] = await s.sr.scan({ sr });
  assert.deepEqual([only?.name, only?.virtualSize, only?.readOnly, rest], ['a, "b".ISO', 4096, true, []]);
  await writeFile(join(location, 'c.iso'), pattern(2048));
  const names = async () => (await s.sr.scan({ sr })).map((info) => info.name).sort();
  assert.deepEqual(await names(), ['a, "b".ISO', 'c.iso']);
  assert.ok((await download(s, sr, only?.vdi ?? '')).equals(pattern(4096)));
  await rm(join(location, 'c.iso'));
  assert.deepEqual(await names(), ['a, "b".ISO']);
  // An upload: the disk's id is the caller's, its size to the byte.
  const vdi = randomIds.uuid();
  await s.vdi.create({ sr, vdi, name: 'my disc', virtualSize: 5001 });
  await upload(s, sr, vdi, pattern(5004).subarray(0, 5001), 5001);
  assert.equal((await stat(join(location, 'my disc.iso'))).size, 5001);
  await house.restart();
  const again = house.storage();
  assert.equal((await again.vdi.stat({ sr, vdi })).virtualSize, 5001);
  assert.ok((await download(again, sr, vdi)).equals(pattern(5004).subarray(0, 5001)));
  await again.vdi.destroy({ sr, vdi });
  assert.deepEqual(
    (await again.sr.scan({ sr })).map((info) => info.vdi),
    [only?.vdi],
  );
});

test('what a crash left is cleaned at attach; strangers’ files stay', async (t) => {
  const house = await testHouse();
  t.after(() => house.close());
  const s = house.storage();
  const [sr, vdi] = [randomIds.uuid(), randomIds.uuid()];
  const location = join(house.dir, 'sr');
  await s.sr.create({ sr, type: 'file', config: { location } });
  await s.vdi.create({ sr, vdi, name: '', virtualSize: MiB });
  const { path } = await s.vdi.open({ sr, vdi, user: 'vm', mode: 'RO' });
  assert.equal(dirname(path), location);
  for (const left of ['.tmp', '.json', '.base.raw']) await writeFile(join(location, randomIds.uuid() + left), '{}');
  await writeFile(join(location, 'mine.txt'), '');
  await house.restart();
  assert.deepEqual((await readdir(location)).sort(), [`${vdi}.json`, `${vdi}.qcow2`, 'mine.txt', 'sr.json'].sort());
  // A damaged file is left alone, and no base is removed while there is one: it might be that file's.
  const [damaged, base] = [`${randomIds.uuid()}.qcow2`, `${randomIds.uuid()}.base.raw`];
  for (const file of [damaged, base]) await writeFile(join(location, file), 'x');
  await house.restart();
  const there = await readdir(location);
  assert.ok(there.includes(damaged) && there.includes(base));
});

// Every conformance test again as a user without rights: in a process that has given them up.
const me = process.getuid?.();
const drop = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
const readable = me === 0 && spawnSync('setpriv', [...drop, 'test', '-r', import.meta.filename]).status === 0;
if (me === 0)
  test('everything works for a user without rights', {
    skip: readable ? false : 'this folder is closed to others',
  }, () => {
    const env = { PATH: process.env['PATH'], STORAGE_CONFORMANCE: '1' };
    const run = spawnSync('setpriv', [...drop, process.execPath, import.meta.filename], { env, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stdout + run.stderr);
    assert.match(run.stdout, /storage driver file/);
  });
else if (process.env['STORAGE_CONFORMANCE']) describeStorageDriver({ type: 'file', without: {} });
