import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { Line } from './line.ts';

/** A switch that answers each request with what `answer` writes. */
async function lineTo(t: TestContext, answer: (socket: Socket, request: string) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'gh-line-'));
  const path = join(folder, 'sock');
  const server = createServer((socket) => {
    socket.setEncoding('latin1').on('data', (text) => answer(socket, String(text)));
    socket.on('error', () => socket.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  const line = new Line(path);
  t.after(() => {
    line.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return line;
}
const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const login = { op: 'login', token: 'me' } as const;
const gone = (reason: RegExp) => (error: unknown) => isKind(error, 'Switch_gone') && reason.test(String(error));

test('requests go ahead of the answers, which come in their order and in pieces', async (t) => {
  const seen: string[] = [];
  const line = await lineTo(t, (socket, text) => {
    seen.push(...text.split('\r\n').filter((each) => each.startsWith('GET')));
    if (seen.length < 3) return;
    const bytes = Buffer.from(['ü1', 'ü2', 'ü3'].map(ok).join(''));
    let at = 0;
    const piece = () => {
      if (at < bytes.length) socket.write(bytes.subarray(at, ++at), piece);
    };
    piece();
  });
  const asked = { op: 'ack', id: ['q', 7] } as const;
  assert.deepEqual(await Promise.all([line.ask(login), line.ask(asked), line.ask(login)]), ['ü1', 'ü2', 'ü3']);
  assert.deepEqual(seen, ['GET /login/me HTTP/1.1', 'GET /ack/q/7 HTTP/1.1', 'GET /login/me HTTP/1.1']);
});

test('an answer that nobody asked for ends the connection', async (t) => {
  const line = await lineTo(t, (socket) => socket.write(ok('one') + ok('two')));
  assert.equal(await line.ask(login), 'one');
  await assert.rejects(line.ask(login), gone(/what nobody asked/));
});

test('a refusal leaves the connection as it is', async (t) => {
  let n = 0;
  const line = await lineTo(t, (socket) =>
    socket.write(
      n++ === 0 ? ok('').replace('200 OK', '404 Not Found').replace('0\r\n', '14\r\n') + 'Please log in.' : ok('fine'),
    ),
  );
  await assert.rejects(line.ask(login), (error) => isKind(error, 'Not_logged_in'));
  assert.equal(await line.ask(login), 'fine');
});

test('what is no answer ends the connection for every call', async (t) => {
  for (const [said, why] of [
    ['HTTP/1.1 200 OK\r\n\r\n', /no length/],
    ['nonsense\r\n\r\n', /no status/],
    ['x'.repeat(20_000), /no HTTP/],
  ] as const) {
    const line = await lineTo(t, (socket) => socket.write(said));
    const both = await Promise.allSettled([line.ask(login), line.ask(login)]);
    for (const one of both) assert.ok(one.status === 'rejected' && gone(why)(one.reason), said.slice(0, 30));
    await assert.rejects(line.ask(login), gone(why));
  }
});

test('a call that is stopped, and a switch that goes, end it', async (t) => {
  const quiet = await lineTo(t, () => undefined);
  const stop = new AbortController();
  const stopped = quiet.ask(login, '', stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(stopped, /enough/);
  await assert.rejects(quiet.ask(login), gone(/a call was stopped/));
  const leaving = await lineTo(t, (socket) => socket.destroy());
  await assert.rejects(leaving.ask(login), gone(/the connection was lost/));
});
