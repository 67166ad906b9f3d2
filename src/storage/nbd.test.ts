import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { ByteReader } from './byte-reader.ts';
import { NbdClient } from './nbd.ts';
import { serveImage } from './nbd-server.ts';
import { createImage } from './qemu-img.ts';

const MiB = 1 << 20;

test('reads, writes, zeroes and holes by qemu-nbd', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gh-nbd-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'a, b=c.qcow2');
  await createImage(path, 'qcow2', 4 * MiB);
  const served = await serveImage({ path, format: 'qcow2', readOnly: false }, join(folder, 's'), systemClock);
  const { client } = served;
  assert.equal(client.size, 4 * MiB);
  const data = Buffer.alloc(MiB, 7);
  await Promise.all([client.write(MiB, data), client.write(3 * MiB, data)]);
  await client.writeZeroes(MiB, 4096);
  await client.flush();
  const [zeroes, rest] = await Promise.all([client.read(MiB, 4096), client.read(MiB + 4096, 4096)]);
  assert.ok(zeroes.equals(Buffer.alloc(4096)) && rest.equals(Buffer.alloc(4096, 7)));
  const extents: string[] = [];
  for (let at = 0; at < client.size; ) {
    for (const { length, zero } of await client.blockStatus(at, client.size - at)) {
      extents.push(`${zero ? 'hole' : 'data'} ${at}+${length}`);
      at += length;
    }
  }
  assert.deepEqual(extents[0], `hole 0+${MiB}`);
  assert.ok(extents.includes(`hole ${2 * MiB}+${MiB}`), extents.join());
  await assert.rejects(client.write(4 * MiB, data), /write failed with error/);
  // A refused request does not break the connection.
  assert.equal((await client.read(0, 1)).length, 1);
  await served.close();
  await assert.rejects(client.read(0, 1), /closed/);
});

test('requests fail when the server is killed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gh-nbd-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'disk');
  await createImage(path, 'raw', MiB);
  const served = await serveImage({ path, format: 'raw', readOnly: true }, join(folder, 's'), systemClock);
  await assert.rejects(served.client.write(0, Buffer.alloc(512)), /write failed with error \d+/);
  await served.kill();
  await assert.rejects(served.client.read(0, 512));
});

test('what speaks no NBD is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gh-nbd-'));
  t.after(() => rm(folder, { recursive: true }));
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  await assert.rejects(NbdClient.connect(join(folder, 's')), /no NBD/);
  server.close();
});

test('a missing image is a clear error', async () => {
  const image = { path: '/nonexistent/disk', format: 'raw', readOnly: true } as const;
  await assert.rejects(
    serveImage(image, join(tmpdir(), 'gh-nbd-none'), systemClock),
    /qemu-nbd failed: .*No such file/,
  );
});

test('bytes are taken whatever the pieces', async () => {
  const stream = new PassThrough();
  const reader = new ByteReader(stream);
  const first = reader.take(5);
  stream.write('ab');
  stream.write('cdefg');
  assert.equal(String(await first), 'abcde');
  stream.end('h');
  assert.equal(String(await reader.take(3)), 'fgh');
  await assert.rejects(reader.take(1), /closed/);
});
