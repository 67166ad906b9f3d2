import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeSwitch } from '../../tests/conformance/switch.ts';
import { ManualClock, settle, systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import { emptyDisk, openMemoryStore } from '../store/memory.ts';
import { connectSwitch } from './client.ts';
import { parseSwitchConfig } from './config.ts';
import { openSwitch } from './core.ts';
import { switchServer } from './http.ts';
import { SwitchCaller, SwitchServer } from './peer.ts';

const parts = { clock: systemClock, log: silentLog };
const request = (payload: string) => ({ payload, kind: { request: 'reply' } });

async function overHttp(store = openMemoryStore()) {
  const core = await openSwitch({ ...parts, store });
  const folder = mkdtempSync(join(tmpdir(), 'gh-switch-'));
  const path = join(folder, 'sock');
  const server = switchServer({ core, ...parts, onShutdown: () => undefined });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    core,
    switch: connectSwitch(path),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await core.close();
      rmSync(folder, { recursive: true });
    },
  };
}
describeSwitch('in memory', {
  async make() {
    const core = await openSwitch({ ...parts, store: openMemoryStore() });
    return { switch: core, close: () => core.close() };
  },
});
describeSwitch('over HTTP', { make: () => overHttp() });

test('persistent queues come back after a restart, transient ones do not, and numbers go on', async () => {
  const disk = emptyDisk();
  const first = await openSwitch({ ...parts, store: openMemoryStore({ disk }) });
  const a = await first.login('a');
  await a.create('kept', 'persistent');
  await a.create('gone', 'transient');
  for (const text of ['0', '1', '2']) await a.send('kept', request(text));
  await a.ack(['kept', 2]);
  await a.ack(['kept', 0]);
  const { next } = await a.transfer({ queues: ['kept'], timeoutS: 0 });
  await first.close();

  const second = await openSwitch({ ...parts, store: openMemoryStore({ disk }) });
  const b = await second.login('a');
  assert.deepEqual(await b.list(''), ['kept']);
  // Also for one who goes on with a `from` of before.
  const { messages } = await b.transfer({ queues: ['kept'], from: next, timeoutS: 0 });
  assert.deepEqual(
    messages.map((m) => m.id),
    [['kept', 1]],
  );
  assert.deepEqual(await b.send('kept', request('3')), ['kept', 3]);
});

test('a message that could not be written is not in the queue', async () => {
  const store = openMemoryStore({ fault: (n) => (n === 2 ? 'fail' : undefined) });
  const core = await openSwitch({ ...parts, store });
  const me = await core.login('me');
  await me.create('q', 'persistent');
  await assert.rejects(me.send('q', request('lost')));
  assert.deepEqual((await me.transfer({ queues: ['q'], timeoutS: 0 })).messages, []);
});

test('what is answered survives a crash at any commit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 12 }), fc.array(fc.boolean(), { maxLength: 10 }), async (at, acks) => {
      const disk = emptyDisk();
      const core = await openSwitch({
        ...parts,
        store: openMemoryStore({ disk, fault: (n) => (n === at ? 'crash' : undefined) }),
      });
      const me = await core.login('me');
      const sent = new Set<number>();
      const acked = new Set<number>();
      const life = (async () => {
        await me.create('q', 'persistent');
        for (const [i, ack] of acks.entries()) {
          const id = await me.send('q', request(`${i}`));
          sent.add(id?.[1] ?? -1);
          if (ack) {
            acked.add(id?.[1] ?? -1);
            await me.ack(id ?? ['q', -1]);
          }
        }
      })();
      void life.catch(() => undefined);
      await settle(200);
      const after = await openSwitch({ ...parts, store: openMemoryStore({ disk }) });
      const { messages } = await (await after.login('me')).transfer({ queues: ['q'], timeoutS: 0 });
      const there = new Set(messages.map((m) => m.id[1]));
      for (const n of sent) assert.ok(there.has(n) || acked.has(n), `message ${n} was answered and is lost`);
    }),
    { numRuns: 100 },
  );
});

test('a queue that is full refuses, with what it holds', async () => {
  const core = await openSwitch(parts);
  const me = await core.login('me');
  await me.create('q', 'transient');
  const large = 'x'.repeat(16 * 1024 * 1024);
  for (let i = 0; i < 16; i++) await me.send('q', request(large));
  await assert.rejects(
    me.send('q', request('one more')),
    (e) => isKind(e, 'Queue_full') && /16 messages/.test(e.message),
  );
});

test('a caller gets its answers, many at once', async () => {
  const http = await overHttp();
  const server = new SwitchServer(
    { ...parts, switch: http.switch, token: 'server' },
    'work',
    async (text) => `<${text}>`,
  );
  const caller = new SwitchCaller({ ...parts, switch: http.switch, token: 'caller' });
  const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
  assert.deepEqual(
    await Promise.all(texts.map((t) => caller.call('work', t, 60))),
    texts.map((t) => `<${t}>`),
  );
  await caller.close();
  await server.close();
  await http.close();
});

test('a caller that gets no answer says so', async () => {
  const clock = new ManualClock();
  const core = await openSwitch({ clock, log: silentLog });
  const caller = new SwitchCaller({ switch: core, clock, log: silentLog, token: 'caller' });
  const call = assert.rejects(caller.call('nobody', 'hello', 5), (e) => isKind(e, 'No_answer'));
  await clock.advance(5001);
  await call;
  await caller.close();
});

test('after the switch was away, calls that had no answer are made again', async () => {
  const disk = emptyDisk();
  let http = await overHttp(openMemoryStore({ disk }));
  const router = { login: (token: string) => connectSwitch(http.path).login(token) };
  const caller = new SwitchCaller({ ...parts, switch: router, token: 'caller' });
  const pending = caller.call('work', 'hello', 60);
  await http.close();
  http = await overHttp(openMemoryStore({ disk }));
  const server = new SwitchServer({ ...parts, switch: router, token: 'server' }, 'work', async (t) => t.toUpperCase());
  assert.equal(await pending, 'HELLO');
  await caller.close();
  await server.close();
  await http.close();
});

test('a request whose server dies before its answer comes to the next one', async () => {
  const core = await openSwitch({ ...parts, store: openMemoryStore() });
  const asked = Promise.withResolvers<void>();
  const dying = new SwitchServer({ ...parts, switch: core, token: 'first' }, 'work', async () => {
    asked.resolve();
    return new Promise<string>(() => undefined);
  });
  const caller = new SwitchCaller({ ...parts, switch: core, token: 'caller' });
  const answer = caller.call('work', 'hello', 60);
  await asked.promise;
  await dying.close();
  const next = new SwitchServer({ ...parts, switch: core, token: 'second' }, 'work', async () => 'here');
  assert.equal(await answer, 'here');
  await caller.close();
  await next.close();
});

test('bytes of the protocol', async () => {
  const http = await overHttp();
  const { request: ask, Agent } = await import('node:http');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const say = (method: string, path: string, body = '') =>
    new Promise<[number | undefined, string]>((resolve, reject) => {
      const req = ask(
        { socketPath: http.path, agent, method, path, headers: { 'content-length': body.length } },
        (res) => {
          let text = '';
          res.on('data', (d: Buffer) => {
            text += d.toString();
          });
          res.on('end', () => resolve([res.statusCode, text]));
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  assert.deepEqual(await say('GET', '/persistent/q'), [404, 'Please log in.']);
  assert.deepEqual(await say('GET', '/login/t'), [200, '']);
  assert.deepEqual(await say('GET', '/persistent/a%20b'), [200, 'a b']);
  assert.deepEqual(await say('POST', '/request/a%20b/r', 'hi'), [200, '["a b",0]']);
  assert.deepEqual(await say('POST', '/request/none/r', 'hi'), [200, 'null']);
  const [, text] = await say('POST', '/transfer', '{"timeout":0,"queues":["a b"]}');
  assert.deepEqual(JSON.parse(text).messages, [[['a b', 0], { payload: 'hi', kind: ['Request', 'r'] }]]);
  assert.deepEqual(await say('GET', '/ack/a%20b/0'), [200, '']);
  assert.deepEqual(await say('GET', '/list/a'), [200, '["a b"]']);
  for (const [method, path] of [
    ['GET', '/nothing'],
    ['POST', '/login/t'],
    ['GET', '/ack/q/x'],
    ['GET', '/%zz'],
  ] as const)
    assert.equal((await say(method, path))[0], 404, path);
  assert.equal((await say('POST', '/transfer', '{"timeout":"x"}'))[0], 400);
  assert.equal((await say('POST', '/transfer', 'no JSON'))[0], 400);
  assert.equal((await say('GET', '/list/a', 'a body'))[0], 404);
  const trace = JSON.parse((await say('GET', '/trace/-1/0'))[1]);
  assert.deepEqual(
    trace.events.map(([, e]: [number, { message: unknown[] }]) => e.message[0]),
    ['Message', 'Ack'],
  );
  agent.destroy();
  await http.close();
});

test('requests sent ahead of the answers are begun in their order', async () => {
  const http = await overHttp();
  const { connect } = await import('node:net');
  const socket = connect(http.path);
  const post = (path: string, body: string) =>
    `POST ${path} HTTP/1.1\r\nHost: s\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: s\r\n\r\n`;
  socket.write(
    [
      get('/login/t'),
      get('/persistent/q'),
      post('/request/q/r', 'x'.repeat(200_000)),
      post('/request/q/r', 'small'),
      get('/ack/q/0'),
      post('/transfer', '{"timeout":0,"queues":["q"]}'),
      get('/list/q'),
    ].join(''),
  );
  let text = '';
  for await (const bytes of socket) {
    text += String(bytes);
    if (text.endsWith('["q"]')) break;
  }
  const bodies = [...text.matchAll(/\r\n\r\n(.*?)(?=HTTP\/1|$)/gs)].map((m) => m[1]);
  assert.deepEqual(bodies.slice(0, 4), ['', 'q', '["q",0]', '["q",1]']);
  assert.match(bodies[5] ?? '', /^\{"messages":\[\[\["q",1\],\{"payload":"small"/);
  await http.close();
});

test('an acknowledgement is written with the next message, or soon by itself', async () => {
  const disk = emptyDisk();
  const clock = new ManualClock();
  const core = await openSwitch({ clock, log: silentLog, store: openMemoryStore({ disk }) });
  const me = await core.login('me');
  await me.create('q', 'persistent');
  const kept = async () => {
    await settle(50);
    const after = await openSwitch({ ...parts, store: openMemoryStore({ disk }) });
    const { messages } = await (await after.login('me')).transfer({ queues: ['q'], timeoutS: 0 });
    return messages.map((m) => m.id[1]);
  };
  await me.send('q', request('0'));
  await me.ack(['q', 0]);
  assert.deepEqual(await kept(), [0]);
  await me.send('q', request('1'));
  assert.deepEqual(await kept(), [1]);
  await me.ack(['q', 1]);
  await clock.advance(50);
  assert.deepEqual(await kept(), []);
  await me.send('q', request('2'));
  await me.ack(['q', 2]);
  await core.close();
  assert.deepEqual(await kept(), []);
});

test('configuration: settings, comments, and mistakes with their places', () => {
  const text = '; here\n((path "/run/a b")\n (statedir /var/x))';
  assert.deepEqual(parseSwitchConfig('f', text), { path: '/run/a b', statedir: '/var/x' });
  assert.throws(() => parseSwitchConfig('f', '((path /x)\n (pth /y))'), /^Error: f:2:3: pth: there is no such setting/);
  assert.throws(() => parseSwitchConfig('f', '((path))'), /f:1:7: path: a value is expected/);
  assert.throws(() => parseSwitchConfig('f', '((path /x)'), /f:1:11: settings: "\)" is expected/);
  fc.assert(
    fc.property(fc.string(), (junk) => {
      try {
        parseSwitchConfig('f', junk);
      } catch (e) {
        assert.match((e as Error).message, /^f:\d+:\d+: /);
      }
    }),
  );
});
