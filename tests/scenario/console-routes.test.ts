import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Rec } from '../../src/datamodel/index.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';

async function newVm(h: DiskHouse): Promise<string> {
  const template = (await h.root<string[]>('VM.get_by_name_label', 'Tiny Linux'))[0];
  const vm = await h.root('VM.clone', template, 'guest');
  await h.root('VM.provision', vm);
  return vm;
}
async function started(h: DiskHouse): Promise<string> {
  const vm = await newVm(h);
  await h.root('VM.start', vm, false, false);
  return vm;
}
/** The console record of its serial line. */
const serialOf = async (h: DiskHouse, vm: string): Promise<string> =>
  (await h.root<Rec<'VM'>>('VM.get_record', vm)).consoles[0] as string;
/** The connection after a 200, or the refusal. */
async function dial(h: DiskHouse, query: string): Promise<{ status: number; socket: Duplex }> {
  const { hostname, port } = new URL(h.url);
  const req = http.request({ hostname, port, method: 'CONNECT', path: `/console?${query}`, agent: false });
  req.end();
  const [res, socket, head] = (await once(req, 'connect')) as [http.IncomingMessage, Duplex, Buffer];
  if (head.length > 0) socket.unshift(head);
  socket.on('error', () => undefined);
  return { status: res.statusCode ?? 0, socket };
}
/** Reads until the text has come. */
async function until(socket: Duplex, text: string): Promise<string> {
  let seen = '';
  while (!seen.includes(text)) {
    const chunk = socket.read() as Buffer | null;
    if (chunk) seen += chunk.toString();
    else if (socket.readableEnded || socket.destroyed) assert.fail(`ended after ${JSON.stringify(seen)}`);
    else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  }
  return seen;
}

test('CONNECT gives the serial line of a running VM', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vm = await started(h);
  const record = await h.root<Rec<'VM'>>('VM.get_record', vm);
  assert.equal(record.consoles.length, 2);
  const { protocol, location, uuid } = await h.root<Rec<'console'>>('console.get_record', record.consoles[0]);
  assert.equal(protocol, 'vt100');
  assert.ok(location.endsWith(`/console?uuid=${uuid}`));
  for (const query of [`uuid=${uuid}`, `ref=${record.consoles[0]}`]) {
    const { status, socket } = await dial(h, `${query}&session_id=${session}`);
    assert.equal(status, 200);
    await until(socket, '# ');
    socket.write('echo hello\r');
    await until(socket, 'hello\r\nhello\r\n');
    socket.destroy();
  }
});

test('locations of consoles name the address that the host advertises, at once', async () => {
  await using h = await diskHouse();
  const [host] = await h.root<string[]>('host.get_all');
  const locations = async () =>
    Object.values(await h.root<Record<string, Rec<'console'>>>('console.get_all_records')).map((c) => c.location);
  await started(h);
  const before = await locations();
  assert.equal(before.length, 2);
  await h.root('host.add_to_other_config', host, 'advertise', 'https://outside.example:8443/lab/');
  for (const location of await locations())
    assert.match(location, /^https:\/\/outside\.example:8443\/lab\/console\?uuid=[0-9a-f-]{36}$/);
  await started(h);
  assert.equal((await locations()).filter((l) => l.startsWith('https://outside.example')).length, 4);
  for (const bad of ['outside.example:8443', 'ftp://outside.example', 'https://a:b@outside', 'http://x/?a=b'])
    await assert.rejects(h.root('host.set_other_config', host, { advertise: bad }), /VALUE_NOT_SUPPORTED/);
  await h.root('host.remove_from_other_config', host, 'advertise');
  const after = await locations();
  assert.deepEqual(
    after.filter((l) => before.includes(l)),
    before,
  );
  assert.ok(after.every((l) => !l.includes('outside')));
});

test('a VM stands for its screen, which speaks RFB; it ends with the guest', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vm = await started(h);
  const { uuid, consoles } = await h.root<Rec<'VM'>>('VM.get_record', vm);
  assert.equal(await h.root('console.get_protocol', consoles[1]), 'rfb');
  for (const query of [`uuid=${uuid}`, `ref=${consoles[1]}`, `ref=${vm}`]) {
    const { socket } = await dial(h, `${query}&session_id=${session}`);
    await until(socket, 'RFB 003.008\n');
    socket.destroy();
  }
  const { socket } = await dial(h, `ref=${vm}&session_id=${session}`);
  await until(socket, 'RFB 003.008\n');
  socket.resume();
  await h.root('VM.hard_shutdown', vm);
  await once(socket, 'close');
});

test('a WebSocket carries the same bytes', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vm = await started(h);
  const serial = await serialOf(h, vm);
  const url = `${h.url.replace('http', 'ws')}/console?ref=${serial}&session_id=${session}`;
  const ws = new WebSocket(url, ['binary']);
  const stream = createWebSocketStream(ws);
  await once(ws, 'open');
  assert.equal(ws.protocol, 'binary');
  await until(stream, '# ');
  stream.write(Buffer.from('echo over the web\r'));
  await until(stream, 'over the web\r\nover the web\r\n');
  const closed = once(ws, 'close');
  await h.root('VM.hard_shutdown', vm);
  await closed;
});

test('the end of a session ends its consoles, the end of the guest too', async () => {
  await using h = await diskHouse();
  const vm = await started(h);
  const session = h.running.api.rootSession('test');
  const serial = await serialOf(h, vm);
  const first = await dial(h, `ref=${serial}&session_id=${session}`);
  await until(first.socket, 'Booting');
  first.socket.resume();
  h.running.api.services.sessions.end(session);
  await once(first.socket, 'close');

  const second = await dial(h, `ref=${serial}&session_id=${h.running.api.rootSession('test')}`);
  await until(second.socket, '# ');
  second.socket.resume().write('poweroff\r');
  await once(second.socket, 'close');
});

test('refusals: no session, no rights, no such VM, not running', async () => {
  await using h = await diskHouse();
  const root = h.running.api.rootSession('test');
  const vm = await newVm(h);
  assert.equal((await dial(h, `ref=${vm}`)).status, 401);
  assert.equal((await dial(h, `ref=OpaqueRef:no&session_id=${root}`)).status, 404);
  assert.equal((await dial(h, `session_id=${root}`)).status, 400);
  const halted = await dial(h, `ref=${vm}&session_id=${root}`);
  assert.equal(halted.status, 500);
  assert.match(await until(halted.socket, '</html>'), /VM_BAD_POWER_STATE/);
  const { ref: reader } = h.running.api.services.sessions.create({
    user: 'reader',
    superuser: false,
    roles: ['read-only'],
    originator: 'test',
  });
  assert.equal((await dial(h, `ref=${vm}&session_id=${reader}`)).status, 403);
  const ws = new WebSocket(`${h.url.replace('http', 'ws')}/console?ref=${vm}&session_id=${reader}`);
  ws.on('error', () => undefined);
  const [, res] = (await once(ws, 'unexpected-response')) as [unknown, http.IncomingMessage];
  assert.equal(res.statusCode, 403);
  ws.terminate();
});
