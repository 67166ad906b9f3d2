import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';
import { StoreError } from './store.ts';

const schema = { major: 5, minor: 909 };
const open = (path: string, s = schema): Promise<Store> => openSqliteStore({ path, log: silentLog, schema: s });
const folder = () => mkdtempSync(join(tmpdir(), 'guesthouse-store-'));

/** A closed store with a few hundred rows. */
async function filled(dir: string): Promise<string> {
  const path = join(dir, 'state.db');
  const store = await open(path);
  const changes = Array.from({ length: 300 }, (_, i) => ({ table: 'VM', key: `k${i}`, value: `${i}`.repeat(100) }));
  await store.commit(1, changes);
  await store.close();
  return path;
}
async function refused(path: string, why: RegExp, s = schema): Promise<void> {
  const before = readFileSync(path);
  await assert.rejects(open(path, s), (e: Error) => {
    assert.ok(e instanceof StoreError, String(e.stack));
    assert.match(e.message, why);
    return true;
  });
  assert.ok(readFileSync(path).equals(before), 'the file was changed');
}
const inFolder = (title: string, f: (dir: string) => Promise<void>) =>
  test(title, async () => {
    const dir = folder();
    try {
      await f(dir);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

describe('sqlite: files', () => {
  inFolder('only their owner may read them', async (dir) => {
    const path = join(dir, 'new', 'state.db');
    const store = await open(path);
    await store.commit(1, [{ table: 't', key: 'k', value: 'v' }]);
    for (const end of ['', '-wal', '-shm', '.lock', '.pid'])
      assert.equal(statSync(`${path}${end}`).mode & 0o777, 0o600, end);
    assert.equal(statSync(join(dir, 'new')).mode & 0o777, 0o700);
    await store.close();
    chmodSync(path, 0o644);
    await (await open(path)).close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.ok(!existsSync(`${path}.pid`));
  });
  inFolder('a table name that is none is refused, and the store goes on', async (dir) => {
    const store = await open(join(dir, 'state.db'));
    await assert.rejects(store.commit(1, [{ table: 'a"b', key: 'k', value: 'v' }]), StoreError);
    await store.commit(1, [{ table: 'a', key: 'k', value: 'v' }]);
    assert.deepEqual(await store.tables(), ['a']);
    await store.close();
  });
});

describe('sqlite: what is refused, and left as it is', () => {
  inFolder('garbage', async (dir) => {
    const path = join(dir, 'state.db');
    writeFileSync(path, 'this is no database at all. '.repeat(400));
    await refused(path, /damaged.*restore a backup/);
    writeFileSync(path, 'short');
    await refused(path, /damaged/);
    writeFileSync(path, '');
    await refused(path, /damaged.*empty/);
  });
  inFolder('a truncated file', async (dir) => {
    const path = await filled(dir);
    const { size } = statSync(path);
    for (const part of [0.9, 0.5, 0.1]) {
      truncateSync(path, Math.floor(size * part));
      await refused(path, /damaged/);
    }
  });
  inFolder('flipped bytes: refused when opening or loading, or without effect', async (dir) => {
    const path = await filled(dir);
    const sound = readFileSync(path);
    let noticed = 0;
    for (let at = 101; at < sound.length; at += 4999) {
      const bad = Buffer.from(sound);
      bad[at] = (bad[at] ?? 0) ^ 0x5a;
      writeFileSync(path, bad);
      try {
        const store = await open(path);
        try {
          for await (const [k, v] of store.load('VM')) assert.equal(v, k.slice(1).repeat(100));
        } finally {
          await store.close();
        }
      } catch (e) {
        assert.ok(e instanceof StoreError, String((e as Error).stack));
        noticed++;
      }
    }
    assert.ok(noticed > 0);
  });
  inFolder('a newer version', async (dir) => {
    const path = await filled(dir);
    await (await open(path, { major: 5, minor: 910 })).close();
    await refused(path, /newer version.*5\.910.*5\.909.*guesthouse db export/);
    await refused(path, /newer version/, { major: 4, minor: 999 });
    await (await open(path, { major: 6, minor: 0 })).close();
    await refused(path, /newer version/, { major: 5, minor: 999 });
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 2');
    db.close();
    await refused(path, /newer version.*layout 2/, { major: 6, minor: 0 });
  });
  inFolder("another program's database", async (dir) => {
    const path = join(dir, 'state.db');
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    await refused(path, /another program/);
  });
  inFolder('a log without its file', async (dir) => {
    const path = await filled(dir);
    rmSync(path);
    writeFileSync(`${path}-wal`, 'x');
    await assert.rejects(open(path), /missing but .*-wal is there/);
    assert.ok(!existsSync(path));
  });
  inFolder('a folder that cannot be made', async (dir) => {
    writeFileSync(join(dir, 'file'), '');
    await assert.rejects(open(join(dir, 'file', 'state.db')), StoreError);
    mkdirSync(join(dir, 'folder'));
    await assert.rejects(open(join(dir, 'folder')), /is no file/);
  });
});

describe('sqlite: one process', () => {
  inFolder('a second opener is refused by pid, in this process too; kill -9 frees the store', async (dir) => {
    const path = await filled(dir);
    const store = await open(path);
    await assert.rejects(open(path), new RegExp(`in use by process ${process.pid}: stop`));
    await store.close();
    const child = spawn(process.execPath, ['--input-type=module', '-e', holderProgram(path)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await assert.rejects(open(path), new RegExp(`in use by process ${child.pid}: stop`));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const again = await open(path);
    assert.equal(await again.revision(), 2);
    await again.close();
  });
});
const holderProgram = (path: string) => `
  import { openSqliteStore } from ${JSON.stringify(new URL('./sqlite.ts', import.meta.url).href)};
  import { silentLog } from ${JSON.stringify(new URL('../base/log.ts', import.meta.url).href)};
  const store = await openSqliteStore({ path: ${JSON.stringify(path)}, log: silentLog, schema: ${JSON.stringify(schema)} });
  await store.commit(2, [{ table: 'VM', key: 'k', value: 'v' }]);
  console.log('held');
  setInterval(() => undefined, 1000);
`;
