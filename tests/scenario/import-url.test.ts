import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { diskHouse } from './disk-house.ts';
import { ask, disksOf, get, mib, sparse, vmWithDisks } from './vm-files.ts';

/** A server with files; `/cut` breaks off, `/moved` is elsewhere, the length of `/long` is not told. */
async function files(rows: Readonly<Record<string, Buffer>>) {
  const server = createServer((req, res) => {
    const name = (req.url ?? '').slice(1);
    if (name === 'moved') return void res.writeHead(302, { location: '/disk' }).end();
    const data = rows[name === 'cut' || name === 'long' ? 'disk' : name];
    if (!data) return void res.writeHead(404).end();
    if (name === 'long') return void res.write(data, () => res.end());
    res.writeHead(200, { 'content-length': data.length });
    if (name !== 'cut') return void res.end(data);
    res.write(data.subarray(0, data.length / 2), () => res.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    at: (name: string) => `http://127.0.0.1:${port}/${name}`,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

test('the host fetches disks and VMs itself', async () => {
  await using h = await diskHouse();
  const content = sparse(9 * mib);
  const vm = await vmWithDisks(h, [content]);
  const xva = (await get(h, '/export', { ref: vm, use_compression: 'zstd' })).body;
  using server = await files({ disk: content, xva });
  const [pool] = await h.root<string[]>('pool.get_all');
  const sr_id = await h.root('pool.get_default_SR', pool);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const fetch = async (name: string, more: Record<string, string> = {}) => {
    const before = await h.root<string[]>('VDI.get_all');
    const { status, body } = await ask(h, 'PUT', '/import_raw_vdi', { sr_id, url: server.at(name), ...more });
    const made = (await h.root<string[]>('VDI.get_all')).filter((ref) => !before.includes(ref));
    return { status, text: body.toString(), made };
  };
  for (const name of ['disk', 'moved']) {
    const { status, text, made } = await fetch(name, { sha256 });
    assert.equal(status, 200, text);
    assert.ok((await get(h, '/export_raw_vdi', { vdi: made[0] as string })).body.equals(content));
  }
  for (const [name, more, why] of [
    ['disk', { sha256: '0'.repeat(64) }, /SHA-256/],
    ['cut', {}, /broke off/],
    ['none', {}, /status 404/],
    ['long', {}, /length is not announced/],
    ['disk', { url: 'file:///etc/passwd' }, /no address that begins with http/],
    ['disk', { url: 'http://127.0.0.1:1/x' }, /cannot be reached/],
  ] as const) {
    const { status, text, made } = await fetch(name, more);
    assert.deepEqual([status, made], [500, []], name);
    assert.match(text, why);
  }
  const [copy] = await h.root<string[]>('VM.import', server.at('xva'), sr_id, false, false);
  assert.ok((await disksOf(h, copy as string))[0]?.equals(content));
  await assert.rejects(h.root('VM.import', server.at('none'), sr_id, false, false), /status 404/);
});
