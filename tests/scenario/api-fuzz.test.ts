/** Seeded nonsense against every way in: each connection is answered or closed, others are served on, memory stays bounded. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { xmlCall } from '../../src/wire/xmlrpc.ts';
import { seededRandom } from '../../src/xenops/backends/simulator/index.ts';
import { jsonrpc, type Loose } from './api-house.ts';
import { password, type TestHouse, testHouse } from './house.ts';

const logIn = (h: TestHouse): Promise<string> => jsonrpc(h.url, 'session.login_with_password', 'root', password);
const mib = 1024 * 1024;

function post(path: string, body: Buffer): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}
/** Sends, closes its side, and answers with all that came until the end. */
async function send(h: TestHouse, bytes: Buffer): Promise<string> {
  const socket = connect({ port: h.port, host: '127.0.0.1', allowHalfOpen: true });
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  // the server may close while we still write
  socket.on('error', () => undefined);
  socket.end(bytes);
  await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  socket.destroy();
  return Buffer.concat(parts).toString('latin1');
}

class Mutator {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }
  below(n: number): number {
    return Math.floor(this.#random() * n);
  }
  bytes(n: number): Buffer {
    return Buffer.from(Array.from({ length: n }, () => this.below(256)));
  }
  /** The text with some bytes changed, copied elsewhere or repeated; sometimes cut short. */
  spoil(text: Buffer): Buffer {
    const out = Buffer.from(text);
    for (let i = this.below(8); i >= 0; i--) {
      const at = this.below(out.length);
      const how = this.below(4);
      if (how === 0) out[at] = this.below(256);
      else if (how === 1) out.copy(out, at, this.below(out.length));
      else if (how === 2) out.fill(this.below(256), at, Math.min(out.length, at + this.below(12)));
      else out[at] = Buffer.from('\0<>&"{[')[this.below(7)] as number;
    }
    return this.below(3) > 0 ? out : out.subarray(0, this.below(out.length));
  }
}

test('spoilt requests on every path: an answer or the end, nobody else disturbed, memory bounded', async () => {
  await using h = await testHouse({ quiet: true });
  const s = await logIn(h);
  const vms = (await jsonrpc(h.url, 'VM.get_all', s)).length;
  const where = ['VM.get_all_records_where', [s, 'field "name__label" = "x"']] as const;
  const xml = Buffer.from(xmlCall(...where));
  const json = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: where[0], params: where[1] }));
  const cli = Buffer.from(`vm-list\nusername=root\npassword=${password}\n`);
  const m = new Mutator(20_261_121);
  const requests: readonly (() => Buffer)[] = [
    () => post('/RPC2', m.spoil(xml)),
    () => post('/jsonrpc', m.spoil(json)),
    () => post('/cli', m.spoil(cli)),
    () => m.spoil(post('/RPC2', xml)),
    () => m.bytes(1 + m.below(400)),
  ];
  let stop = false;
  const neighbour = (async () => {
    for (let asked = 0; ; asked++) {
      if (stop) return asked;
      assert.equal((await jsonrpc(h.url, 'VM.get_all', s)).length, vms);
    }
  })();
  // its failure is told below
  neighbour.catch(() => undefined);
  const round = async (n: number) => {
    for (let i = 0; i < n; i++) {
      const bytes = Array.from({ length: 20 }, () => (requests[m.below(requests.length)] as () => Buffer)());
      for (const answer of await Promise.all(bytes.map((b) => send(h, b))))
        assert.match(answer, /^(HTTP\/1\.1 [2-5]\d\d |XenSource thin CLI protocol|$)/);
    }
  };
  await round(10);
  const before = process.memoryUsage().rss;
  await round(50);
  stop = true;
  assert.ok((await neighbour) > 50);
  assert.ok(process.memoryUsage().rss - before < 200 * mib);
  assert.equal((await jsonrpc(h.url, 'VM.get_all', s)).length, vms);
});

test('requests made to hurt', async (t) => {
  await using h = await testHouse({ quiet: true });
  const s = await logIn(h);
  const vms = (await jsonrpc(h.url, 'VM.get_all', s)).length;
  const head = (text: string) => Buffer.from(`${text}\r\nhost: x\r\n`);
  const call = xmlCall('VM.get_by_name_label', [s, 'x']);
  const cases: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    'a string of 1 MiB': [
      post('/RPC2', Buffer.from(xmlCall('VM.get_by_name_label', [s, 'a'.repeat(mib)]))),
      /^HTTP\/1.1 413/,
    ],
    '300 KiB and a byte': [post('/RPC2', Buffer.alloc(300 * 1024 + 1, ' ')), /^HTTP\/1.1 413/],
    '300 KiB': [post('/RPC2', Buffer.from(call.padEnd(300 * 1024))), /Success/],
    'entities that grow': [
      post('/RPC2', Buffer.from(`<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>${call.replace('>x<', '>&b;<')}`)),
      /^HTTP\/1.1 500/,
    ],
    'depth in XML': [
      post(
        '/RPC2',
        Buffer.from(`<methodCall><methodName>x</methodName><params><param>${'<value><array><data>'.repeat(10_000)}`),
      ),
      /^HTTP\/1.1 500/,
    ],
    'depth in JSON': [post('/jsonrpc', Buffer.from('['.repeat(300 * 1024 - 1))), /^HTTP\/1.1 500/],
    'no UTF-8': [post('/RPC2', Buffer.from(call.replace('>x<', '>\xff\xfe<'), 'latin1')), /INVALID_VALUE/],
    'too many arguments of xe': [post('/cli', Buffer.from('a\n'.repeat(150 * 1024))), /^HTTP\/1.1 413/],
    'a long line': [Buffer.from(`GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1.1 431/],
    'many headers': [Buffer.concat([head('GET / HTTP/1.1'), Buffer.from('x: y\r\n'.repeat(5000))]), /^HTTP\/1.1 431/],
    'two lengths': [
      Buffer.concat([
        head('POST /RPC2 HTTP/1.1'),
        Buffer.from('content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
      ]),
      /^HTTP\/1.1 400/,
    ],
    'a negative length': [
      Buffer.concat([head('POST /RPC2 HTTP/1.1'), Buffer.from('content-length: -5\r\n\r\n')]),
      /^HTTP\/1.1 400/,
    ],
    'chunks without end': [
      Buffer.concat([
        head('POST /RPC2 HTTP/1.1'),
        Buffer.from('transfer-encoding: chunked\r\n\r\n80000\r\n'),
        Buffer.alloc(0x80000, ' '),
      ]),
      /^HTTP\/1.1 413/,
    ],
    'a path that climbs': [
      Buffer.concat([head('GET /../../etc/passwd HTTP/1.1'), Buffer.from('connection: close\r\n\r\n')]),
      /^HTTP\/1.1 404/,
    ],
  };
  for (const [name, [bytes, expected]] of Object.entries(cases))
    await t.test(name, async () => {
      assert.match(await send(h, bytes), expected);
      assert.equal((await jsonrpc(h.url, 'VM.get_all', s)).length, vms);
    });
});

test('five hundred connections that say nothing more, and two hundred waits that a logout ends', async () => {
  await using h = await testHouse({ quiet: true });
  const s = await logIn(h);
  const vms = (await jsonrpc(h.url, 'VM.get_all', s)).length;
  const sockets: Socket[] = [];
  for (let i = 0; i < 500; i++) {
    const socket = connect(h.port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write('POST /RPC2 HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n<');
  }
  assert.equal((await jsonrpc(h.url, 'VM.get_all', s)).length, vms);
  for (const socket of sockets) socket.destroy();

  const waiting = await logIn(h);
  const { token } = await jsonrpc(h.url, 'event.from', waiting, ['task'], '', 0);
  const waits = Array.from({ length: 200 }, () => jsonrpc(h.url, 'event.from', waiting, ['task'], token, 60));
  const ends = Promise.allSettled(waits);
  const { events } = h.house.api.services;
  while (events.waiting < 200) await new Promise((resolve) => setImmediate(resolve));
  await jsonrpc(h.url, 'session.logout', waiting);
  for (const end of await ends) assert.equal((end as Loose).reason?.wire?.[0], 'SESSION_INVALID');
  assert.equal(events.waiting, 0);
});
