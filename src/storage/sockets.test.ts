import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { serveImage } from './nbd-server.ts';
import { createImage } from './qemu-img.ts';
import { socketFolder } from './sockets.ts';

test('a server that was left over is ended, and its socket removed', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'gh-sockets-'));
  t.after(() => rm(dir, { recursive: true }));
  const folder = await socketFolder(dir, silentLog);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  await createImage(join(dir, 'disk'), 'raw', 512);
  const image = { path: join(dir, 'disk'), format: 'raw', readOnly: false } as const;
  const served = await serveImage(image, join(folder, 'one.nbd'), systemClock);
  await writeFile(join(folder, 'old'), '');
  assert.equal(await socketFolder(dir, silentLog), folder);
  await assert.rejects(served.client.read(0, 512));
  await served.kill();
  assert.deepEqual(await readdir(folder), []);
});
test('a long path gets a short folder, the same every time', async (t) => {
  const dir = join(tmpdir(), 'gh-long', 'x'.repeat(100));
  const folder = await socketFolder(dir, silentLog);
  t.after(() => rm(folder, { recursive: true }));
  assert.ok(Buffer.byteLength(folder) <= 66, folder);
  assert.equal(await socketFolder(dir, silentLog), folder);
});
