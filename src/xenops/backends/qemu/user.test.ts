import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { logTo, silentLog } from '../../../base/log.ts';
import { decideUser } from './user.ts';

const run = promisify(execFile);
const root = process.getuid?.() === 0;

function folder() {
  const base = mkdtempSync(join(tmpdir(), 'gh-user-'));
  chmodSync(base, 0o711);
  const dir = join(base, 'domains');
  mkdirSync(dir);
  return { base, dir, [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }) };
}

test('as root, guests get users of their own; nothing is left of the trial', {
  skip: !root && 'needs root',
}, async () => {
  using f = folder();
  const warned: string[] = [];
  const user = await decideUser(
    undefined,
    f.dir,
    logTo((level, message) => warned.push(`${level} ${message}`)),
  );
  // A container may map too few ids: that is said.
  if (user) assert.ok(user.baseUid >= 100_000 && user.gid >= 100_000);
  else assert.match(warned.join(), /guests run as root/);
  assert.deepEqual(readdirSync(f.dir), []);
  assert.equal(await decideUser(null, f.dir, silentLog), undefined);
});
test('a folder that keeps them out is refused, never answered with root', { skip: !root && 'needs root' }, async () => {
  using f = folder();
  chmodSync(f.base, 0o700);
  for (const wish of [undefined, { baseUid: 1000, gid: 1000 }])
    await assert.rejects(decideUser(wish, f.dir, silentLog), (e: Error) => e.message.includes(`chmod o+x ${f.base}`));
});
test('without root, guests run as whoever starts them', async () => {
  using f = folder();
  // A process of its own gives root up, once it has read the source: others may not read a checkout of root's.
  const program = `
    const { decideUser } = await import(${JSON.stringify(new URL('./user.ts', import.meta.url).href)});
    const { silentLog } = await import(${JSON.stringify(new URL('../../../base/log.ts', import.meta.url).href)});
    if (process.getuid() === 0) { process.setgroups([]); process.setgid(65534); process.setuid(65534); }
    const dir = ${JSON.stringify(f.dir)};
    const user = await decideUser(undefined, dir, silentLog);
    const refused = await decideUser({ baseUid: 1000, gid: 1000 }, dir, silentLog).then(() => '', (e) => e.message);
    console.log(JSON.stringify({ uid: process.getuid(), user: user ?? null, refused }));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  const { uid, user, refused } = JSON.parse(stdout);
  assert.notEqual(uid, 0);
  assert.equal(user, null);
  assert.match(refused, /this needs root/);
});
