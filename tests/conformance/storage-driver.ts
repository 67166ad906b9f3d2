/** What every storage driver must do, by the storage contract. Called once for each driver in `storage.test.ts`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open as openFile, readdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import type { Storage } from '../../src/contracts/storage.ts';
import { openStorage } from '../../src/storage/server.ts';
import { MemoryStore } from './memory-store.ts';

export interface DriverUnderTest {
  readonly type: string;
  /** Configuration keys besides `location`. */
  readonly config?: Readonly<Record<string, string>>;
  /** What the driver does not offer: capability → why. */
  readonly without: Readonly<Record<string, string>>;
}
export const kindIs = (kind: string) => (error: unknown) => isKind(error, kind);
const MiB = 1 << 20;

/** A storage daemon in a folder of its own, which can be restarted. */
export async function testHouse() {
  const dir = await mkdtemp(join(tmpdir(), 'gh-storage-'));
  const store = new MemoryStore();
  const open = () => openStorage({ dir: join(dir, 's'), store, clock: systemClock, ids: randomIds, log: silentLog });
  let storage = await open();
  return {
    dir,
    storage: () => storage,
    async restart() {
      await storage.close();
      storage = await open();
    },
    async close() {
      await storage.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
/** Sends bytes into a disk and waits. */
export async function upload(storage: Storage, sr: string, vdi: string, data: Buffer, length?: number) {
  const begun = { sr, vdi, direction: 'import', format: 'raw', ...(length === undefined ? {} : { length }) } as const;
  const { transfer, socket } = await storage.transfer.begin(begun);
  const peer = connect(socket);
  peer.on('error', () => undefined);
  peer.end(data);
  const fractions: number[] = [];
  const { bytes } = await storage.transfer.wait({ transfer }, { progress: (f) => fractions.push(f) });
  return { bytes, fractions, socket };
}
/** The whole content of a disk. */
export async function download(storage: Storage, sr: string, vdi: string): Promise<Buffer> {
  const { transfer, socket } = await storage.transfer.begin({ sr, vdi, direction: 'export', format: 'raw' });
  const peer = connect(socket);
  const parts: Buffer[] = [];
  const done = (async () => {
    for await (const part of peer) parts.push(part as Buffer);
  })();
  await storage.transfer.wait({ transfer });
  await done;
  return Buffer.concat(parts);
}
export function pattern(length: number, seed = 1): Buffer {
  const data = Buffer.alloc(length);
  for (let i = 0; i < length; i += 4) data.writeUInt32LE((((i + 1) * 2654435761 * seed) % 2 ** 32) >>> 0, i);
  return data;
}

export function describeStorageDriver({ type, without, config = {} }: DriverUnderTest): void {
  const can = (capability: string) => ({ skip: without[capability] ?? false });
  describe(`storage driver ${[type, ...Object.values(config)].join(' ')}`, () => {
    let house: Awaited<ReturnType<typeof testHouse>>;
    let s: Storage;
    const sr = randomIds.uuid();
    let location = '';
    before(async () => {
      house = await testHouse();
      s = house.storage();
      location = join(house.dir, `sr ,"'$(x);${type}`);
      await s.sr.create({ sr, type, config: { location, ...config } });
    });
    after(() => house.close());
    const make = async (mib = 4, name = randomIds.uuid()) => {
      const vdi = randomIds.uuid();
      const info = await s.vdi.create({ sr, vdi, name, virtualSize: mib * MiB });
      assert.equal(info.vdi, vdi);
      return vdi;
    };

    test('the type is listed', async () => {
      const row = (await s.sr.types({})).find((t) => t.type === type);
      assert.ok(row && row.capabilities.length > 0 && 'location' in row.config);
    });
    test('a disk is created, found by scan, and destroyed', async () => {
      const name = `a/../"b';\n$(touch x),file=/etc/passwd ${randomIds.uuid()}`;
      const vdi = await make(4, name);
      const info = await s.vdi.stat({ sr, vdi });
      assert.equal(info.name, name);
      assert.equal(info.virtualSize, 4 * MiB);
      assert.ok(info.physicalUtilisation < MiB);
      assert.deepEqual(
        (await s.sr.scan({ sr })).find((i) => i.vdi === vdi),
        info,
      );
      await assert.rejects(s.vdi.create({ sr, vdi, name: 'again', virtualSize: MiB }), kindIs('Already_exists'));
      await s.vdi.destroy({ sr, vdi });
      await s.vdi.destroy({ sr, vdi });
      await assert.rejects(s.vdi.stat({ sr, vdi }), kindIs('Does_not_exist'));
      assert.deepEqual(await s.sr.scan({ sr }), []);
    });
    test('bad ids and sizes are refused', async () => {
      const disk = { sr, vdi: randomIds.uuid(), name: 'bad', virtualSize: MiB };
      await assert.rejects(s.vdi.create({ ...disk, vdi: '../x' }), kindIs('Bad_config'));
      await assert.rejects(s.vdi.create({ ...disk, virtualSize: 0 }), kindIs('Bad_size'));
      await assert.rejects(s.vdi.create({ ...disk, virtualSize: 2 ** 52 }), kindIs('Bad_size'));
      assert.deepEqual(await s.sr.scan({ sr }), []);
    });
    test('sizes of the repository are true', async () => {
      const vdi = await make(8);
      const stat = await s.sr.stat({ sr });
      assert.equal(stat.allocated, 8 * MiB);
      assert.ok(stat.used > 0 && stat.used < stat.total);
      await s.vdi.destroy({ sr, vdi });
    });
    test('content goes in and comes out, holes stay holes', can('import'), async () => {
      const vdi = await make(16);
      const data = Buffer.alloc(16 * MiB);
      pattern(3 * MiB + 512).copy(data, 5 * MiB + 512);
      const { bytes, fractions, socket } = await upload(s, sr, vdi, data, data.length);
      assert.equal(bytes, data.length);
      assert.equal(fractions.at(-1), 1);
      assert.ok(fractions.every((f, i) => i === 0 || f >= (fractions[i - 1] ?? 0)));
      assert.equal(existsSync(socket), false);
      const { physicalUtilisation } = await s.vdi.stat({ sr, vdi });
      assert.ok(physicalUtilisation >= 3 * MiB && physicalUtilisation < 6 * MiB, `${physicalUtilisation}`);
      assert.ok((await download(s, sr, vdi)).equals(data));
      // A second upload replaces everything: what is not sent is zero.
      await upload(s, sr, vdi, pattern(1000, 7), 1125899906842624);
      const again = Buffer.alloc(16 * MiB);
      pattern(1000, 7).copy(again);
      assert.ok((await download(s, sr, vdi)).equals(again));
      await s.vdi.destroy({ sr, vdi });
    });
    test('too much data is refused and leaves the disk as it was', can('import'), async () => {
      const vdi = await make(1);
      await upload(s, sr, vdi, pattern(MiB));
      await assert.rejects(upload(s, sr, vdi, Buffer.alloc(MiB + 1)), kindIs('Bad_data'));
      assert.ok((await download(s, sr, vdi)).equals(pattern(MiB)));
      await s.vdi.destroy({ sr, vdi });
    });
    test('a cancelled upload leaves nothing', can('import'), async () => {
      const vdi = await make(4);
      const before = (await readdir(location)).sort();
      const { transfer, socket } = await s.transfer.begin({ sr, vdi, direction: 'import', format: 'raw' });
      assert.equal((await stat(socket)).mode & 0o777, 0o600);
      const peer = connect(socket).on('error', () => undefined);
      const moved = Promise.withResolvers<void>();
      const stop = new AbortController();
      const waiting = s.transfer.wait({ transfer }, { signal: stop.signal, progress: () => moved.resolve() });
      peer.write(pattern(MiB));
      await moved.promise;
      await assert.rejects(s.vdi.destroy({ sr, vdi }), kindIs('Vdi_in_use'));
      stop.abort();
      await assert.rejects(waiting, kindIs('Cancelled'));
      peer.destroy();
      assert.equal(existsSync(socket), false);
      assert.deepEqual((await readdir(location)).sort(), before);
      assert.ok((await download(s, sr, vdi)).equals(Buffer.alloc(4 * MiB)));
      await s.transfer.cancel({ transfer });
      await s.vdi.destroy({ sr, vdi });
    });
    test('one writer or many readers, also after a restart', async () => {
      const vdi = await make(1);
      const { readOnly } = await s.vdi.stat({ sr, vdi });
      const base = { sr, vdi };
      if (readOnly) await assert.rejects(s.vdi.open({ ...base, user: 'a', mode: 'RW' }), kindIs('Vdi_read_only'));
      else {
        const opened = await s.vdi.open({ ...base, user: 'a', mode: 'RW' });
        assert.deepEqual(await s.vdi.open({ ...base, user: 'a', mode: 'RW' }), opened);
        await assert.rejects(s.vdi.open({ ...base, user: 'b', mode: 'RO' }), kindIs('Vdi_in_use'));
        await s.vdi.close({ ...base, user: 'a' });
      }
      for (const user of ['b', 'c']) assert.equal((await s.vdi.open({ ...base, user, mode: 'RO' })).readOnly, true);
      await house.restart();
      s = house.storage();
      assert.deepEqual((await s.vdi.users({})).map((u) => u.user).sort(), ['b', 'c']);
      await assert.rejects(s.vdi.destroy(base), kindIs('Vdi_in_use'));
      await assert.rejects(s.sr.detach({ sr }), kindIs('Sr_in_use'));
      for (const user of ['b', 'c', 'nobody']) await s.vdi.close({ ...base, user });
      assert.deepEqual(await s.vdi.users({}), []);
      await s.vdi.destroy(base);
    });
    test('a disk grows and does not shrink', can('resize'), async () => {
      const vdi = await make(1);
      await upload(s, sr, vdi, pattern(MiB));
      assert.equal((await s.vdi.resize({ sr, vdi, virtualSize: 3 * MiB })).virtualSize, 3 * MiB);
      await assert.rejects(s.vdi.resize({ sr, vdi, virtualSize: MiB }), kindIs('Bad_size'));
      assert.ok((await download(s, sr, vdi)).equals(Buffer.concat([pattern(MiB), Buffer.alloc(2 * MiB)])));
      await s.vdi.destroy({ sr, vdi });
    });
    test('snapshots freeze, clones go their own way', can('snapshot'), async () => {
      const vdi = await make(1);
      await upload(s, sr, vdi, pattern(MiB, 1));
      const [snapshot, clone] = [randomIds.uuid(), randomIds.uuid()];
      const info = await s.vdi.snapshot({ sr, vdi, to: snapshot, name: 'before' });
      assert.equal(info.snapshotOf, vdi);
      assert.equal(info.readOnly, true);
      assert.equal((await s.vdi.clone({ sr, vdi: snapshot, to: clone })).readOnly, false);
      await upload(s, sr, vdi, pattern(MiB, 2));
      await upload(s, sr, clone, pattern(512, 3));
      assert.ok((await download(s, sr, snapshot)).equals(pattern(MiB, 1)));
      assert.ok((await download(s, sr, vdi)).equals(pattern(MiB, 2)));
      assert.ok((await download(s, sr, clone)).equals(Buffer.concat([pattern(512, 3), Buffer.alloc(MiB - 512)])));
      await assert.rejects(upload(s, sr, snapshot, pattern(512)), kindIs('Vdi_read_only'));
      const another = randomIds.uuid();
      await s.vdi.open({ sr, vdi: snapshot, user: 'backup', mode: 'RO' });
      await s.vdi.clone({ sr, vdi: snapshot, to: another });
      await s.vdi.close({ sr, vdi: snapshot, user: 'backup' });
      assert.ok((await download(s, sr, another)).equals(pattern(MiB, 1)));
      await s.vdi.destroy({ sr, vdi: another });
      await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
      await assert.rejects(s.vdi.snapshot({ sr, vdi, to: randomIds.uuid() }), kindIs('Vdi_in_use'));
      await s.vdi.close({ sr, vdi, user: 'guest' });
      for (const disk of [vdi, snapshot, clone]) await s.vdi.destroy({ sr, vdi: disk });
      assert.deepEqual(await readdir(location), ['sr.json']);
    });
    test(
      'a disk that is written to is frozen, and holds all that is written at any time',
      can('snapshot'),
      async () => {
        const vdi = randomIds.uuid();
        await s.vdi.create({ sr, vdi, name: 'live', virtualSize: MiB, format: 'raw' });
        const [first, second, third] = [randomIds.uuid(), randomIds.uuid(), randomIds.uuid()];
        const user = 'guest';
        await assert.rejects(s.vdi.freeze({ sr, vdi, user, to: first }), kindIs('Not_open'));
        const { path } = await s.vdi.open({ sr, vdi, user, mode: 'RW' });
        const expected = Buffer.alloc(MiB);
        const guest = await openFile(path, 'r+');
        const write = async (byte: number) => {
          expected.fill(byte, byte * 4096, (byte + 1) * 4096);
          await guest.write(expected, byte * 4096, 4096, byte * 4096);
        };
        await write(1);
        const layer = await s.vdi.freeze({ sr, vdi, user, to: first });
        await write(2);
        await house.restart();
        s = house.storage();
        assert.deepEqual(await s.vdi.freeze({ sr, vdi, user, to: first }), layer);
        await write(3);
        for (const to of [second, randomIds.uuid()])
          await assert.rejects(s.vdi.snapshot({ sr, vdi, to }), kindIs('Vdi_in_use'));
        // The guest goes over.
        const before = Buffer.from(expected);
        execFileSync('qemu-io', ['-f', layer.format, '-c', 'write -P 9 36864 4096', layer.path]);
        expected.fill(9, 36864, 40960);
        for (let i = 0; i < 2; i++) assert.equal((await s.vdi.snapshot({ sr, vdi, to: first })).snapshotOf, vdi);
        assert.ok((await download(s, sr, first)).equals(before));
        // One that is given up leaves the disk as it is; the guest may go over to it or not.
        for (const to of [second, third]) await s.vdi.freeze({ sr, vdi, user, to });
        await s.vdi.close({ sr, vdi, user });
        await guest.close();
        assert.ok((await download(s, sr, vdi)).equals(expected));
        assert.ok((await download(s, sr, first)).equals(before));
        await assert.rejects(s.vdi.freeze({ sr, vdi, user, to: third }), kindIs('Not_open'));
        for (const disk of [vdi, first]) await s.vdi.destroy({ sr, vdi: disk });
        assert.deepEqual(await readdir(location), ['sr.json']);
      },
    );
    test('a disk that is read only is snapshotted while it is read', can('snapshot'), async () => {
      const vdi = await make(1);
      await upload(s, sr, vdi, pattern(MiB, 5));
      await s.vdi.open({ sr, vdi, user: 'reader', mode: 'RO' });
      const to = randomIds.uuid();
      await s.vdi.snapshot({ sr, vdi, to });
      assert.ok((await download(s, sr, to)).equals(pattern(MiB, 5)));
      await s.vdi.close({ sr, vdi, user: 'reader' });
      for (const disk of [vdi, to]) await s.vdi.destroy({ sr, vdi: disk });
    });
    test(
      'a disk that was snapshotted again and again is one file when its snapshots are gone',
      can(without['snapshot'] === undefined ? 'merge' : 'snapshot'),
      async () => {
        const vdi = await make(1);
        const snapshots: string[] = [];
        for (const byte of [1, 2, 3, 4]) {
          const { path, format } = await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
          const write = `write -P ${byte} ${byte * 65536} 65536`;
          execFileSync('qemu-io', ['-f', format, '-c', write, path]);
          await s.vdi.close({ sr, vdi, user: 'guest' });
          const to = randomIds.uuid();
          if (byte < 4) await s.vdi.snapshot({ sr, vdi, to });
          snapshots.push(to);
        }
        const content = await download(s, sr, vdi);
        assert.deepEqual(
          [65536, 131072, 196608, 262144].map((at) => content[at]),
          [1, 2, 3, 4],
        );
        assert.equal((await readdir(location)).filter((file) => file.includes('.base.')).length, 3);
        // What a guest has open is not merged under it.
        await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
        for (const to of snapshots) await s.vdi.destroy({ sr, vdi: to });
        assert.equal((await readdir(location)).filter((file) => file.includes('.base.')).length, 3);
        await s.vdi.close({ sr, vdi, user: 'guest' });
        await s.vdi.destroy({ sr, vdi: await make(1) });
        assert.deepEqual((await readdir(location)).sort(), [`${vdi}.json`, `${vdi}.qcow2`, 'sr.json'].sort());
        assert.ok((await download(s, sr, vdi)).equals(content));
        await s.vdi.destroy({ sr, vdi });
      },
    );
    test('layers are made one in the background, and whoever wants the disk has the way', can('snapshot'), async () => {
      const vdi = randomIds.uuid();
      await s.vdi.create({ sr, vdi, name: 'big', virtualSize: 256 * MiB, format: 'qcow2' });
      const to = randomIds.uuid();
      const write = async (byte: number, mib: number) => {
        const { path, format } = await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
        execFileSync('qemu-io', ['-f', format, '-c', `write -P ${byte} 0 ${mib}M`, path]);
        await s.vdi.close({ sr, vdi, user: 'guest' });
      };
      await write(1, 2);
      await s.vdi.snapshot({ sr, vdi, to });
      await write(2, 140);
      const chain = (await s.vdi.stat({ sr, vdi })).chain;
      assert.deepEqual([chain?.depth, chain?.sharedWith], [2, [to]]);
      // Too much for the moment of a destruction.
      await s.vdi.destroy({ sr, vdi: to });
      assert.equal((await s.vdi.stat({ sr, vdi })).chain?.depth, 2);
      let opened: Promise<unknown> | undefined;
      const progress = () => {
        opened ??= s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
      };
      assert.deepEqual(await s.sr.coalesce({ sr }, { progress }), { merged: 0 });
      await opened;
      assert.deepEqual(await s.sr.coalesce({ sr }), { merged: 0 });
      await s.vdi.close({ sr, vdi, user: 'guest' });
      await write(3, 1);
      const fractions: number[] = [];
      assert.deepEqual(await s.sr.coalesce({ sr }, { progress: (f) => fractions.push(f) }), { merged: 1 });
      assert.equal(fractions.at(-1), 1);
      const { path } = await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RO' });
      const reads = ['read -P 3 0 1M', 'read -P 2 1M 139M', 'read -P 0 140M 116M'].flatMap((c) => ['-c', c]);
      assert.doesNotMatch(
        execFileSync('qemu-io', ['-r', ...reads, path], { encoding: 'utf8' }),
        /verification failed/i,
      );
      await s.vdi.close({ sr, vdi, user: 'guest' });
      assert.deepEqual((await readdir(location)).sort(), [`${vdi}.json`, `${vdi}.qcow2`, 'sr.json'].sort());
      await s.vdi.destroy({ sr, vdi });
    });
    test('a chain that is too long is refused with what to do', can('snapshot'), async () => {
      const vdi = await make(1);
      const snapshots: string[] = [];
      const grow = async () => {
        const { path, format } = await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
        execFileSync('qemu-io', ['-f', format, '-c', 'write 0 512', path]);
        await s.vdi.close({ sr, vdi, user: 'guest' });
        snapshots.push(randomIds.uuid());
        await s.vdi.snapshot({ sr, vdi, to: snapshots.at(-1) ?? '' });
      };
      for (let depth = 2; depth <= 30; depth++) await grow();
      assert.equal((await s.vdi.stat({ sr, vdi })).chain?.depth, 30);
      await assert.rejects(grow, kindIs('Chain_too_long'));
      await s.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
      const live = { sr, vdi, user: 'guest', to: randomIds.uuid() };
      await assert.rejects(s.vdi.freeze(live), kindIs('Chain_too_long'));
      await s.vdi.close({ sr, vdi, user: 'guest' });
      for (const to of snapshots.slice(0, 28)) await s.vdi.destroy({ sr, vdi: to });
      await grow();
      for (const disk of [...snapshots, vdi]) await s.vdi.destroy({ sr, vdi: disk });
      assert.deepEqual(await readdir(location), ['sr.json']);
    });
    test('a copy is whole and independent; a cancelled one leaves nothing', can('copy'), async () => {
      const vdi = await make(8);
      await upload(s, sr, vdi, pattern(8 * MiB));
      const to = randomIds.uuid();
      const fractions: number[] = [];
      const call = { progress: (f: number) => fractions.push(f) };
      await s.vdi.copy({ sr, vdi, toSr: sr, to, name: randomIds.uuid() }, call);
      assert.equal(fractions.at(-1), 1);
      await s.vdi.destroy({ sr, vdi });
      assert.ok((await download(s, sr, to)).equals(pattern(8 * MiB)));
      const before = (await readdir(location)).sort();
      const stop = new AbortController();
      const third = { sr, vdi: to, toSr: sr, to: randomIds.uuid(), name: 'third' };
      const copying = s.vdi.copy(third, { signal: stop.signal });
      stop.abort();
      await assert.rejects(copying, kindIs('Cancelled'));
      assert.deepEqual((await readdir(location)).sort(), before);
      const cut = assert.rejects(s.vdi.copy({ ...third, to: randomIds.uuid() }), kindIs('Cancelled'));
      await house.restart();
      await cut;
      s = house.storage();
      assert.deepEqual((await readdir(location)).sort(), before);
      await s.vdi.destroy({ sr, vdi: to });
    });
    test('names are changed', can('rename'), async () => {
      const vdi = await make();
      await s.vdi.rename({ sr, vdi, name: 'new "name"' });
      await s.vdi.rename({ sr, vdi, description: 'ünï\n' });
      const { name, description } = await s.vdi.stat({ sr, vdi });
      assert.deepEqual([name, description], ['new "name"', 'ünï\n']);
      await s.vdi.destroy({ sr, vdi });
    });
    test('a repository is detached, probed, attached, destroyed', async () => {
      const vdi = await make();
      await s.sr.attach({ sr, type, config: { location, ...config } });
      await assert.rejects(s.sr.create({ sr, type, config: { location, ...config } }), kindIs('Already_exists'));
      await s.sr.detach({ sr });
      await s.sr.detach({ sr });
      await assert.rejects(s.sr.scan({ sr }), kindIs('Sr_not_attached'));
      await assert.rejects(
        s.sr.create({ sr: randomIds.uuid(), type, config: { location, ...config } }),
        kindIs('Already_exists'),
      );
      assert.deepEqual(await s.sr.probe({ type, config: { location, ...config } }), [{ sr, vdis: 1 }]);
      await assert.rejects(
        s.sr.attach({ sr: randomIds.uuid(), type, config: { location, ...config } }),
        kindIs('Bad_config'),
      );
      await assert.rejects(s.sr.attach({ sr, type, config: { location: 'x' } }), kindIs('Bad_config'));
      await assert.rejects(s.sr.attach({ sr, type: 'no', config: {} }), kindIs('Unknown_type'));
      await assert.rejects(s.sr.attach({ sr, type, config: { location, ...config, x: '' } }), kindIs('Bad_config'));
      await s.sr.attach({ sr, type, config: { location, ...config } });
      await assert.rejects(s.sr.destroy({ sr }), kindIs('Sr_not_empty'));
      await s.vdi.destroy({ sr, vdi });
      await s.sr.destroy({ sr });
      assert.equal(existsSync(location), false);
    });
    test('what changes is told', async () => {
      const seen: unknown[] = [];
      const stop = s.watch((event) => seen.push(event));
      const other = { sr: randomIds.uuid(), vdi: randomIds.uuid() };
      await s.sr.create({ sr: other.sr, type, config: {} });
      await s.vdi.create({ ...other, name: 'x', virtualSize: MiB });
      await s.vdi.destroy(other);
      stop();
      await s.sr.destroy({ sr: other.sr });
      const vdi = { event: 'vdi', ...other };
      assert.deepEqual(seen, [{ event: 'sr', sr: other.sr }, vdi, vdi]);
    });
  });
}
