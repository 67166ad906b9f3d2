import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ManualClock, settle, systemClock } from '../../../base/clock.ts';
import { connectQmp, QmpClosed, QmpError, type QmpEvent, QmpTimeout } from './qmp.ts';

type Answer = (command: { execute: string; id: number; arguments?: unknown }, socket: Socket) => void;
/** A server that greets, accepts capabilities, and leaves the rest to `answer`. */
async function fakeQemu(t: TestContext, answer: Answer): Promise<{ path: string; sockets: Socket[]; server: Server }> {
  const folder = await mkdtemp(join(tmpdir(), 'qmp-'));
  const path = join(folder, 'qmp');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('{"QMP":{"version":{},"capabilities":[]}}\r\n');
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const command = JSON.parse(line) as Parameters<Answer>[0];
        if (command.execute === 'qmp_capabilities')
          socket.write(`${JSON.stringify({ return: {}, id: command.id })}\r\n`);
        else answer(command, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { path, sockets, server };
}
const never = new AbortController().signal;
function client(path: string, more: { maxLine?: number; clock?: ManualClock } = {}) {
  const events: QmpEvent[] = [];
  const closed = Promise.withResolvers<string>();
  const qmp = connectQmp(
    path,
    { clock: systemClock, deadlineMs: 60_000, onEvent: (e) => events.push(e), onClosed: closed.resolve, ...more },
    never,
  );
  return { qmp, events, closed: closed.promise };
}

test('answers find their commands, in whatever order they come', async (t) => {
  const held: (() => void)[] = [];
  const { path } = await fakeQemu(t, ({ execute, id }, socket) => {
    held.push(() => socket.write(`{"return":"${execute}","id":${id}}\n`));
    if (held.length === 2) for (const f of held.reverse()) f();
  });
  const qmp = await client(path).qmp;
  assert.deepEqual(await Promise.all([qmp.execute('one'), qmp.execute('two')]), ['one', 'two']);
  qmp.close();
});
test('a refusal carries its class, and events pass by', async (t) => {
  const { path } = await fakeQemu(t, ({ id }, socket) => {
    socket.write('{"event":"STOP","data":{"a":1},"timestamp":{}}\n');
    socket.write(`{"error":{"class":"DeviceNotFound","desc":"no such"},"id":${id}}\n`);
  });
  const { qmp, events } = client(path);
  await assert.rejects((await qmp).execute('device_del'), (e) => e instanceof QmpError && e.class === 'DeviceNotFound');
  assert.deepEqual(events, [{ event: 'STOP', data: { a: 1 } }]);
  (await qmp).close();
});
test('silence ends a command at its deadline, and a late answer is nobody’s', async (t) => {
  const clock = new ManualClock();
  const asked = Promise.withResolvers<() => void>();
  const { path } = await fakeQemu(t, ({ id, execute }, socket) => {
    const reply = () => socket.write(`{"return":"${execute}","id":${id}}\n`);
    if (execute === 'slow') asked.resolve(reply);
    else reply();
  });
  const qmp = await client(path, { clock }).qmp;
  const slow = qmp.execute('slow', undefined, 500);
  slow.catch(() => undefined);
  const reply = await asked.promise;
  await clock.advance(500);
  await assert.rejects(slow, QmpTimeout);
  reply();
  assert.equal(await qmp.execute('quick'), 'quick');
  qmp.close();
  await settle();
});
for (const [what, bytes] of [
  ['garbage', 'HTTP/1.1 200 OK\n'],
  ['a bare value', '42\n'],
  ['a line without end', 'x'.repeat(5000)],
  ['a line that is too long', `{"event":"${'x'.repeat(5000)}"}\n`],
] as const)
  test(`${what} ends the connection`, async (t) => {
    const { path, sockets } = await fakeQemu(t, () => undefined);
    const { qmp, closed } = client(path, { maxLine: 4096 });
    const waiting = (await qmp).execute('query-status');
    waiting.catch(() => undefined);
    sockets[0]?.write(bytes);
    assert.notEqual(await closed, '');
    await assert.rejects(waiting, QmpClosed);
    await assert.rejects((await qmp).execute('again'), QmpClosed);
  });
test('a closed socket is told of once, and a new client may come', async (t) => {
  const { path, sockets } = await fakeQemu(t, ({ id }, socket) => socket.write(`{"return":1,"id":${id}}\n`));
  const first = client(path);
  await first.qmp;
  sockets[0]?.destroy();
  await first.closed;
  const qmp = await client(path).qmp;
  assert.equal(await qmp.execute('query-status'), 1);
  qmp.close();
});
test('a socket that is not there yet is waited for', async (t) => {
  const { path, server } = await fakeQemu(t, () => undefined);
  await new Promise((resolve) => server.close(resolve));
  const stop = new AbortController();
  const options = { clock: systemClock, deadlineMs: 1000, onEvent: () => undefined, onClosed: () => undefined };
  const early = connectQmp(path, options, stop.signal);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  (await early).close();
  await rm(path, { force: true });
  await new Promise((resolve) => server.close(resolve));
  const vain = connectQmp(path, options, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(vain, /enough/);
});
