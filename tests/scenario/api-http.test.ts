/** The HTTP server by bytes: bad input, slow and half-closed clients, routes, raw connections, TLS, the local socket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { HttpError, type Route } from '../../src/api/routes.ts';
import { fail } from '../../src/datamodel/errors.ts';
import { xmlCall } from '../../src/wire/xmlrpc.ts';
import { apiHouse, jsonrpc, type Loose, login, password, xmlrpc } from './api-house.ts';

/** Sends bytes, optionally closes the sending side, and answers everything that came until the server closed. */
function raw(to: number | NetConnectOpts, bytes: string | Buffer, half = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(typeof to === 'number' ? { port: to, host: '127.0.0.1', allowHalfOpen: true } : to);
    let text = '';
    socket.on('data', (d) => (text += d.toString('latin1')));
    socket.on('end', () => {
      socket.end();
      resolve(text);
    });
    socket.on('error', reject);
    if (half) socket.end(bytes);
    else socket.write(bytes);
  });
}
const post = (path: string, body: string | Buffer, version = '1.1', more = 'connection: close\r\n') =>
  Buffer.concat([
    Buffer.from(`POST ${path} HTTP/${version}\r\nhost: x\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);

test('an answer, byte for byte', async () => {
  await using h = await apiHouse();
  const text = await raw(h.port, post('/xmlrpc', xmlCall('system.isAlive:', ['hi <there>'])));
  const [head = '', body = ''] = text.split('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(head, /\r\ncontent-type: text\/xml\r\n/);
  assert.match(head, /\r\naccess-control-allow-origin: \*\r\naccess-control-allow-headers: X-Requested-With\r\n/);
  assert.equal(
    body,
    '<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>Status</name><value>Success</value></member><member><name>Value</name><value>hi &lt;there&gt;</value></member></struct></value></param></params></methodResponse>',
  );
  const json = await raw(h.port, post('/jsonrpc', '{"method":"system.isAlive:","params":["x"],"id":"1"}'));
  assert.match(json, /\r\ncontent-type: application\/json\r\n/);
  assert.ok(json.endsWith('{"result":"x","error":null,"id":"1"}'));
  const old = await raw(h.port, post('/RPC2', xmlCall('system.isAlive:', ['x']), '1.0', ''));
  assert.match(old, /200 OK[\s\S]*connection: close/i);
});

test('bad input gets a clear error or the end, and others are served on', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const status = async (bytes: string | Buffer) => Number((await raw(h.port, bytes)).split(' ')[1]);
  assert.equal(await status(post('/', 'hello')), 500);
  assert.equal(await status(post('/jsonrpc', '{')), 500);
  assert.equal(await status(post('/jsonrpc', '[]')), 500);
  const bomb =
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>';
  assert.match(await raw(h.port, post('/', bomb)), /500[\s\S]*text\/html[\s\S]*refused/);
  assert.equal(
    await status(
      post('/', `<methodCall><methodName>m</methodName><params><param>${'<value><array><data>'.repeat(5000)}`),
    ),
    500,
  );
  assert.equal(await status(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 400000\r\n\r\n${'a'.repeat(1000)}`), 413);
  assert.equal(
    await status(
      `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${`fffe\r\n${'a'.repeat(0xfffe)}\r\n`.repeat(6)}`,
    ),
    413,
  );
  assert.equal(await status('nonsense\r\n\r\n'), 400);
  assert.equal(await status(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`), 431);
  assert.equal(await status('PUT /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), 404);
  assert.equal(await status('PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), 501);
  assert.equal(await status('CONNECT nowhere:80 HTTP/1.1\r\nhost: x\r\n\r\n'), 404);
  assert.equal(await status('GET //[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), 404);

  const notUtf8 = Buffer.concat([
    Buffer.from('<methodCall><methodName>VM.get_all</methodName><params><param><value>'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('</value></param></params></methodCall>'),
  ]);
  assert.match(await raw(h.port, post('/', notUtf8)), /200 OK[\s\S]*<value>INVALID_VALUE<\/value>/);
  const c = (method: string, ...params: unknown[]) => jsonrpc(h.url, method, s, ...params);
  const big = 'x'.repeat(250_000);
  await assert.rejects(c('VM.get_by_uuid', big), /UUID_INVALID/);
  await assert.rejects(
    c('pool.set_name_label', h.house.pool, 'a\ud800'),
    (e: Loose) => e.wire[0] === 'INVALID_VALUE' && /UTF-8/.test(e.wire[2]),
  );
  await assert.rejects(
    c('pool.set_name_label', h.house.pool, 'a\u0000b'),
    (e: Loose) => e.wire[0] === 'INVALID_VALUE' && /NUL/.test(e.wire[2]),
  );
  await assert.rejects(c('pool.set_ha_overcommitted', h.house.pool, true), /MESSAGE_METHOD_UNKNOWN/);
  await assert.rejects(c('event.from', ['vm'], '', 'soon'), (e: Loose) => e.wire[0] === 'FIELD_TYPE_ERROR');
  const huge = await raw(
    h.port,
    post('/jsonrpc', `{"method":"VM.set_memory","params":["${s}","OpaqueRef:x",9007199254740993],"id":1}`),
  );
  assert.match(huge, /INVALID_VALUE[\s\S]*2\^53/);
  for (const name of ['"', "it's", 'a\nb', '../..', ';reboot', 'a,b=c', '<&>', '𝄞']) {
    await c('pool.set_name_label', h.house.pool, name);
    assert.equal(await xmlrpc(h.url, 'pool.get_name_label', s, h.house.pool), name);
  }
});

test('half-closed clients are answered, those that vanish disturb nobody', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  assert.match(await raw(h.port, post('/', xmlCall('pool.get_all', [s])), true), /Success/);
  for (let i = 0; i < 20; i++) {
    const socket = connect(h.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(post('/', xmlCall('VM.get_all_records', [s])).subarray(0, 40 + i));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
  }
  assert.deepEqual(await xmlrpc(h.url, 'pool.get_all', s), [h.house.pool]);
});

test('pages: the welcome, and what browsers of other origins ask first', async () => {
  await using h = await apiHouse();
  const page = await fetch(h.url);
  assert.equal(page.headers.get('content-type'), 'text/html');
  assert.match(await page.text(), /JSON-RPC/);
  const options = await fetch(`${h.url}/jsonrpc`, { method: 'OPTIONS' });
  assert.equal(options.status, 200);
  assert.equal(options.headers.get('access-control-allow-origin'), '*');
});

const routes: Route[] = [
  {
    method: 'GET',
    path: '/thing',
    role: 'vm-operator',
    handle: ({ res, session, url }) => void res.end(`${session.user} ${url.searchParams.get('a')}`),
  },
  { method: 'GET', path: '/thing/longer', handle: ({ res }) => void res.end('longer') },
  {
    method: 'GET',
    path: '/moved',
    handle: () => {
      throw new HttpError(302, 'elsewhere', { location: 'http://other/x' });
    },
  },
  {
    method: 'PUT',
    path: '/upload',
    task: 'upload',
    async handle({ req, task }) {
      let size = 0;
      for await (const chunk of req) size += chunk.length;
      if (size === 13) throw fail('VDI_IO_ERROR', ['thirteen']);
      task.progress(1);
      return `${size} bytes`;
    },
  },
  {
    method: 'CONNECT',
    path: '/console',
    handle: ({ socket, head }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.write(head);
      socket.pipe(socket);
    },
  },
  {
    method: 'UPGRADE',
    path: '/console',
    handle: ({ socket }) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nhello'),
  },
  {
    method: 'RAW-POST',
    path: '/cli',
    bodyLimit: 1000,
    handle: ({ socket, body, caller }) => {
      socket.write(`raw ${body} ${caller.local}\n`);
      socket.pipe(socket);
    },
  },
];

test('routes: sessions, roles, prefixes, tasks', async () => {
  const users = { reader: { user: 'reader', superuser: false, roles: ['read-only'] as const, password: 'r' } };
  await using h = await apiHouse({ routes, users });
  const s = await login(h.url);
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const r = await fetch(h.url + path, { headers, redirect: 'manual' });
    return [r.status, await r.text(), r.headers] as const;
  };
  assert.deepEqual((await get(`/thing?a=1&session_id=${s}`)).slice(0, 2), [200, 'root 1']);
  assert.deepEqual((await get('/thing?a=2&session_id=x', { cookie: `a=b; session_id=${s}` })).slice(0, 2), [
    200,
    'root 2',
  ]);
  assert.deepEqual((await get('/thing?a=3', { authorization: `Basic ${btoa(`root:${password}`)}` })).slice(0, 2), [
    200,
    'root 3',
  ]);
  assert.equal(h.db.count('session'), 1, 'the session of Basic is gone');
  assert.deepEqual((await get(`/thing/longer/x?session_id=${s}`)).slice(0, 2), [200, 'longer']);
  const [status, , headers] = await get('/thing');
  assert.deepEqual([status, headers.get('www-authenticate')], [401, 'Basic realm="guesthouse"']);
  assert.equal((await get('/thing?session_id=x'))[0], 401);
  assert.equal((await get('/thing', { authorization: `Basic ${btoa('root:wrong')}` }))[0], 401);
  assert.equal((await get('/thing', { authorization: `Basic ${btoa('reader:r')}` }))[0], 403);
  assert.deepEqual(
    [(await get(`/moved?session_id=${s}`))[0], (await get(`/moved?session_id=${s}`))[2].get('location')],
    [302, 'http://other/x'],
  );

  const put = (query: string, body: string) =>
    fetch(`${h.url}/upload?session_id=${s}${query}`, { method: 'PUT', body });
  const mine = await jsonrpc(h.url, 'task.create', s, 'mine', '');
  const r = await put(`&task_id=${mine}`, 'hello');
  assert.deepEqual([r.status, r.headers.get('task-id')], [200, mine]);
  assert.deepEqual(
    [h.db.get('task', mine).status, h.db.get('task', mine).result],
    ['success', '<value>5 bytes</value>'],
  );
  const failed = await put('', 'x'.repeat(13));
  assert.equal(failed.status, 500);
  const made = h.db.get('task', failed.headers.get('task-id') as string);
  assert.deepEqual(
    [made.name_label, made.status, made.error_info],
    ['upload', 'failure', ['VDI_IO_ERROR', 'thirteen']],
  );
  assert.equal((await put(`&task_id=${mine}`, 'again')).status, 500, 'a task that has ended cannot be used again');
});

test('CONNECT, upgrades and raw connections are handed over', async () => {
  await using h = await apiHouse({ routes, local: true });
  const s = await login(h.url);
  assert.equal(
    await raw(h.port, `CONNECT /console?session_id=${s} HTTP/1.0\r\n\r\nearly`, true),
    'HTTP/1.1 200 OK\r\n\r\nearly',
  );
  assert.match(await raw(h.port, 'CONNECT /console HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 401 /);
  assert.match(
    await raw(
      h.port,
      `GET /console?session_id=${s} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    ),
    /^HTTP\/1\.1 101 [\s\S]*hello$/,
  );
  assert.match(
    await raw(h.port, `GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n`),
    /^HTTP\/1\.1 200 /,
  );
  assert.equal(
    await raw(h.port, 'POST /cli HTTP/1.0\r\ncontent-length: 4\r\n\r\nbodyand more', true),
    'raw body false\nand more',
  );
  const path = join(h.dir, 'api.sock');
  assert.equal(
    await raw({ path, allowHalfOpen: true }, 'POST /cli HTTP/1.0\r\ncontent-length: 4\r\n\r\nbody', true),
    'raw body true\n',
  );
  assert.match(await raw(h.port, 'POST /cli HTTP/1.0\r\ncontent-length: 4000\r\n\r\n'), /^HTTP\/1\.1 413 /);
  assert.match(await raw(h.port, `POST /cli HTTP/1.0\r\nx: ${'a'.repeat(20_000)}`), /^HTTP\/1\.1 431 /);
  const slow = await new Promise<Socket>((resolve) => {
    const socket = connect(h.port, '127.0.0.1', () => resolve(socket));
  });
  let text = '';
  slow.on('data', (d) => (text += d));
  for (const piece of ['PO', 'ST /c', 'li HTTP/1.0\r\n', 'content-length: 2\r\n\r', '\nab']) {
    slow.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  slow.end();
  await new Promise((resolve) => slow.once('close', resolve));
  assert.equal(text, 'raw ab false\n');
  assert.match(await raw(h.port, post('/cl', 'x')), /^HTTP\/1\.1 404 /);
});

test('TLS with a certificate of our own; the local socket logs root in', async () => {
  await using h = await apiHouse({ routes, tls: true, local: true });
  const { tls, socketPath } = h.api.listening;
  const ask = (options: https.RequestOptions, secure: boolean, body: string) =>
    new Promise<Loose>((resolve, reject) => {
      const done = (res: http.IncomingMessage) => {
        let text = '';
        res.on('data', (d) => (text += d));
        res.on('end', () => resolve(JSON.parse(text)));
      };
      const all = { ...options, path: '/jsonrpc', method: 'POST' };
      const req = secure ? https.request(all, done) : http.request(all, done);
      req.on('error', reject);
      req.end(body);
    });
  const call = (method: string, ...params: unknown[]) => JSON.stringify({ id: 1, method, params });
  const { result } = await ask(
    { host: '127.0.0.1', port: tls?.port ?? 0, rejectUnauthorized: false },
    true,
    call('session.login_with_password', 'root', password),
  );
  assert.match(result, /^OpaqueRef:/);
  assert.equal(statSync(join(h.dir, 'tls', 'server.key')).mode & 0o777, 0o600);
  assert.equal(statSync(socketPath as string).mode & 0o777, 0o600);
  const local = await ask({ socketPath }, false, call('session.login_with_password', 'root', 'anything'));
  const cli = tlsConnect({ host: '127.0.0.1', port: tls?.port ?? 0, rejectUnauthorized: false });
  cli.write('POST /cli HTTP/1.0\r\ncontent-length: 4\r\n\r\nbody');
  assert.equal(String((await once(cli, 'data'))[0]), 'raw body false\n');
  cli.destroy();
  const me = await ask({ socketPath }, false, call('session.get_is_local_superuser', local.result, local.result));
  assert.equal(me.result, true);
});

test('a wrong password is refused late, and nobody else waits for it', async () => {
  await using h = await apiHouse({ loginDelayMs: 60_000 });
  let refused = false;
  const wrong = xmlrpc(h.url, 'session.login_with_password', 'root', 'wrong').catch(() => (refused = true));
  const s = await login(h.url);
  assert.deepEqual(await xmlrpc(h.url, 'pool.get_all', s), [h.house.pool]);
  assert.equal(refused, false);
  await h.api.close();
  await wrong;
});

test('slow senders are told so, and let go', async () => {
  await using h = await apiHouse({ patience: { headMs: 100, bodyMs: 100 } });
  assert.match(await raw(h.port, 'POST / HTTP/1.1\r\nhost: x\r\nslow'), /^HTTP\/1\.1 408 /);
  assert.match(
    await raw(h.port, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n<methodCall>'),
    /^HTTP\/1\.1 408 /,
  );
});

test('a client that does not read is waited for, without its answer piling up', async () => {
  await using h = await apiHouse();
  for (let i = 0; i < 5000; i++) h.db.create('VM', { name_label: 'x'.repeat(500) });
  const s = await login(h.url);
  const socket = connect(h.port, '127.0.0.1');
  socket.pause();
  socket.write(post('/', xmlCall('VM.get_all_records', [s])));
  assert.deepEqual(await xmlrpc(h.url, 'pool.get_all', s), [h.house.pool]);
  let size = 0;
  socket.on('data', (d) => (size += d.length));
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  assert.ok(size > 5000 * 5000, `${size} bytes came`);
});

test('one address cannot take every connection', async () => {
  await using h = await apiHouse({ connections: 8 });
  const from = async (localAddress: string) => {
    const socket = connect({ port: h.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  const held = [];
  for (let i = 0; i < 4; i++) held.push(await from('127.0.0.2'));
  await once((await from('127.0.0.2')).resume(), 'close');
  const s = await login(h.url);
  assert.deepEqual(await xmlrpc(h.url, 'pool.get_all', s), [h.house.pool]);
  held[0]?.destroy();
  const again = () => raw({ port: h.port, host: '127.0.0.1', localAddress: '127.0.0.2' }, post('/', 'x'));
  let answer = '';
  while (answer === '') answer = await again().catch(() => '');
  assert.match(answer, /^HTTP\/1\.1 500 /);
  for (const socket of held) socket.destroy();
});
