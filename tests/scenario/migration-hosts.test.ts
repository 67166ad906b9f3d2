/** Two hosts: calls and a guest's state between them, in the clear and over TLS, and who is not believed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { makeCertificate } from '../../src/api/tls.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { type IncomingApi, xenopsErrors } from '../../src/contracts/xenops.ts';
import { reachHosts } from '../../src/rpc/hosts/caller.ts';
import { fingerprintsOf, type Identity, readHead } from '../../src/rpc/hosts/link.ts';
import { converse, serveHosts } from '../../src/rpc/hosts/server.ts';
import { testSpec } from '../../src/xenops/testing/house.ts';

const token = 'c0000000-0000-4000-8000-000000000001';
type Incoming = IncomingApi['incoming'];

async function identities(): Promise<{ a: Identity; b: Identity; stranger: Identity }> {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => makeCertificate([name], Date.now())));
  assert.ok(a && b && c);
  return {
    a: { ...a, trusted: fingerprintsOf(b.cert) },
    b: { ...b, trusted: fingerprintsOf(a.cert) },
    stranger: { ...c, trusted: fingerprintsOf(b.cert) },
  };
}
/** A receiver whose domain collects what arrives. */
async function receiver(t: TestContext, identity?: Identity) {
  const dir = mkdtempSync(join(tmpdir(), 'gh-'));
  const arrived = Promise.withResolvers<Buffer>();
  const domain = createServer(async (socket) => {
    const pieces: Buffer[] = [];
    for await (const piece of socket as AsyncIterable<Buffer>) pieces.push(piece);
    arrived.resolve(Buffer.concat(pieces));
  });
  const address = join(dir, 'domain');
  await new Promise<void>((resolve) => domain.listen(address, resolve));
  const asked: string[] = [];
  const none = async () => undefined;
  const incoming: Incoming = {
    prepare: none,
    stat: async (a) => (a.token === token ? { phase: 'receiving', address } : { phase: 'unknown', address: '' }),
    receive: (_, call) =>
      new Promise((_resolve, reject) => {
        asked.push('receive');
        const stop = () => reject(xenopsErrors.make('Cancelled', { task: 'receive' }));
        call?.signal?.addEventListener('abort', stop);
      }),
    commit: async () => {
      throw xenopsErrors.make('Does_not_exist', { what: 'arriving VM', id: token });
    },
    abort: async () => void asked.push('abort'),
    forget: none,
  };
  const server = await serveHosts({ host: '127.0.0.1', port: 0, identity, incoming, log: silentLog });
  t.after(async () => {
    await server.close();
    domain.close();
    rmSync(dir, { recursive: true });
  });
  return { server, dir, incoming, arrived: arrived.promise, asked };
}
function caller(t: TestContext, dir: string, identity?: Identity, plain = false) {
  const hosts = reachHosts({ identity, plain, dir, clock: systemClock, log: silentLog });
  t.after(() => hosts.close());
  return hosts;
}

for (const how of ['plain', 'TLS', 'TLS and zstd'])
  test(`calls and a guest's state, ${how}`, async (t) => {
    const { a, b } = await identities();
    const secure = how !== 'plain';
    const r = await receiver(t, secure ? b : undefined);
    const hosts = caller(t, r.dir, secure ? a : undefined);
    const { incoming } = await hosts.connect(`${r.server.url}${how.includes('zstd') ? '?compress=zstd' : ''}`);
    const { phase, address } = await incoming.stat({ token });
    assert.equal(phase, 'receiving');
    assert.notEqual(address, join(r.dir, 'domain'));
    const state = Buffer.concat([randomBytes(3 << 20), Buffer.alloc(3 << 20)]);
    connect(address).end(state);
    assert.ok((await r.arrived).equals(state));
    await assert.rejects(incoming.commit({ token }), (e) => isKind(e, 'Does_not_exist'));
    await incoming.abort({ token });
    assert.deepEqual(r.asked, ['abort']);
  });

test('a call that is cancelled here is cancelled there', async (t) => {
  const r = await receiver(t);
  const { incoming } = await caller(t, r.dir).connect(r.server.url);
  const stop = new AbortController();
  const received = incoming.receive({ token }, { signal: stop.signal });
  await incoming.abort({ token });
  stop.abort();
  await assert.rejects(received, (e) => isKind(e, 'Cancelled'));
});

test('a host that is not trusted is refused, on either side', async (t) => {
  const { a, b, stranger } = await identities();
  const r = await receiver(t, b);
  const there = async (identity: Identity) => (await caller(t, r.dir, identity).connect(r.server.url)).incoming;
  await assert.rejects((await there(stranger)).stat({ token }), /is not among those that are trusted/);
  await assert.rejects((await there({ ...a, trusted: new Set() })).stat({ token }), /is not among those/);
  assert.deepEqual(r.asked, []);
});

test('addresses that are refused', async (t) => {
  const hosts = caller(t, tmpdir());
  const bad: [string, RegExp][] = [
    ['b', /names no xenopsd/],
    ['ftp://b:1', /names no xenopsd/],
    ['https://b:1', /set migration-trust/],
    ['http://b:1', /in the clear/],
    ['http://127.0.0.1:1?compress=lzo', /it may be zstd/],
  ];
  for (const [url, why] of bad) await assert.rejects(hosts.connect(url), why, url);
  await assert.rejects((await hosts.connect('http://127.0.0.1:1')).incoming.stat({ token }), /ECONNREFUSED/);
});

test('one who is not believed may ask after an attempt whose name it knows, and brings no guest', async (t) => {
  const r = await receiver(t);
  const incoming = r.incoming;
  const strangers = createServer((socket) => {
    void readHead(socket, 5_000).then((head) => {
      assert.ok(head);
      return converse({ incoming, log: silentLog }, socket, head, false);
    });
  });
  await new Promise<void>((resolve) => strangers.listen(0, '127.0.0.1', resolve));
  t.after(() => strangers.close());
  const { port } = strangers.address() as AddressInfo;
  const peer = (await caller(t, r.dir).connect(`http://127.0.0.1:${port}`)).incoming;
  assert.equal((await peer.stat({ token })).phase, 'receiving');
  const guest = { token, spec: testSpec(1), startedAt: 0, about: '' };
  await assert.rejects(peer.prepare(guest), /call host.migrate_receive again/);
  await assert.rejects(peer.prepare({ ...guest, about: 'x'.repeat(1 << 17) }));
  assert.deepEqual(r.asked, []);
});

test('what is no such request is answered with 404', async (t) => {
  const r = await receiver(t);
  for (const head of ['GET / HTTP/1.1\r\n\r\n', 'PUT /services/xenops/migrate/vm/x HTTP/1.1\r\n\r\n']) {
    const answer = await new Promise<string>((resolve) => {
      let said = '';
      const socket = connect(Number(new URL(r.server.url).port), '127.0.0.1', () => socket.write(head));
      socket.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      socket.once('close', () => resolve(said));
    });
    assert.match(answer, /^HTTP\/1.1 404 /);
  }
});
