import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { logTo, silentLog } from '../../../base/log.ts';
import { decideUser } from './user.ts';

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
test('without root, guests run as whoever starts them', { skip: root && 'needs another user than root' }, async () => {
  using f = folder();
  assert.equal(await decideUser(undefined, f.dir, silentLog), undefined);
  await assert.rejects(decideUser({ baseUid: 1000, gid: 1000 }, f.dir, silentLog), /this needs root/);
});
