import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { type Api, type Call, ContractError, contract, method } from '../contracts/contract.ts';
import { s } from '../contracts/schema.ts';
import { connectContract, type ServeOptions, serveContract } from './index.ts';

const toys = contract({
  name: 'toys',
  methods: {
    toy: {
      echo: method('Say it again.', s.object({ text: s.string, times: s.optional(s.size) }), s.string),
      fail: method('Fail.', s.object({ how: s.oneOf('declared', 'plain') }), s.nothing),
      wait: method('Wait for the signal.', s.object({}), s.nothing),
      count: method('Report progress.', s.object({ to: s.size }), s.size),
      big: method('Many bytes.', s.object({ bytes: s.size }), s.string),
    },
  },
  event: s.object({ n: s.int }),
});

class Toys {
  readonly listeners = new Set<(event: { readonly n: number }) => void>();
  /** Resolves when a `wait` has begun. */
  readonly waits: AbortSignal[] = [];
  onWait: () => void = () => undefined;
  readonly toy = {
    echo: async (a: { readonly text: string; readonly times?: number | undefined }) => a.text.repeat(a.times ?? 1),
    fail: async (a: { readonly how: string }) => {
      if (a.how === 'declared') throw new ContractError('Broken', { part: 'wheel' }, 'the wheel is broken');
      throw new Error('unforeseen');
    },
    wait: (_: object, call?: Call) =>
      new Promise<void>((_resolve, reject) => {
        const signal = call!.signal!;
        this.waits.push(signal);
        signal.addEventListener('abort', () => reject(new Error('stopped')));
        this.onWait();
      }),
    count: async (a: { readonly to: number }, call?: Call) => {
      for (let i = 1; i <= a.to; i++) call?.progress?.(i / a.to);
      return a.to;
    },
    big: async (a: { readonly bytes: number }) => 'x'.repeat(a.bytes),
  };
  watch(listener: (event: { readonly n: number }) => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  emit(n: number) {
    for (const l of this.listeners) l({ n });
  }
}

async function served(t: TestContext, more: Partial<ServeOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'rpc-'));
  const socketPath = join(folder, 'toys.sock');
  const toy = new Toys();
  const options = { socketPath, log: silentLog, ...more };
  let server = await serveContract(toys, toy as Api<typeof toys>, options);
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  return {
    toy,
    socketPath,
    client: (o = {}) => {
      const client = connectContract(toys, socketPath, o);
      t.after(() => client.close());
      return client;
    },
    close: () => server.close(),
    again: async () => {
      server = await serveContract(toys, toy as Api<typeof toys>, options);
    },
  };
}
/** Resolves when the server has taken what the client sent before. */
const settled = (client: Api<typeof toys>) => client.toy.echo({ text: '' });
const kind = (k: string) => (e: unknown) => e instanceof ContractError && e.kind === k;

test('a call, its result, its progress', async (t) => {
  const { client } = await served(t);
  const c = client();
  assert.equal(await c.toy.echo({ text: 'hé\n"', times: 2 }), 'hé\n"hé\n"');
  const seen: number[] = [];
  assert.equal(await c.toy.count({ to: 4 }, { progress: (f) => seen.push(f) }), 4);
  assert.deepEqual(seen, [0.25, 0.5, 0.75, 1]);
});

test('declared errors keep kind and arguments; others are Internal_error', async (t) => {
  const { client } = await served(t);
  const c = client();
  await assert.rejects(c.toy.fail({ how: 'declared' }), (e: ContractError) => {
    assert.equal(e.kind, 'Broken');
    assert.deepEqual(e.args, { part: 'wheel' });
    assert.equal(e.message, 'the wheel is broken');
    return e instanceof ContractError;
  });
  await assert.rejects(c.toy.fail({ how: 'plain' }), kind('Internal_error'));
});

test('arguments of the wrong shape never reach the implementation', async (t) => {
  const { client } = await served(t);
  const c = client();
  await assert.rejects(c.toy.echo({ text: 7 } as never), /toy\.echo\.text: expected a string, got 7/);
  await assert.rejects(c.toy.echo({ text: 'a', tims: 2 } as never), kind('Bad_request'));
});

test('unknown methods are refused, inherited names too', async (t) => {
  const { socketPath } = await served(t);
  for (const call of [
    'toy.none',
    'none.echo',
    'toy',
    'constructor.call',
    'toy.toString',
    '__proto__.x',
    'toy.echo.x',
  ]) {
    const [, answer] = await raw(socketPath, `${JSON.stringify({ id: 1, call, args: {} })}\n`, 2);
    assert.equal(answer?.error?.kind, 'Method_unknown', call);
  }
});

test('cancel reaches the work; what it throws then is Cancelled', async (t) => {
  const { client, toy } = await served(t);
  const abort = new AbortController();
  toy.onWait = () => abort.abort();
  await assert.rejects(client().toy.wait({}, { signal: abort.signal, label: 'job' }), kind('Cancelled'));
  await assert.rejects(client().toy.wait({}, { signal: abort.signal }), kind('Cancelled'));
  assert.equal(toy.waits.length, 1);
});

test('events reach every watcher in order until it stops', async (t) => {
  const { client, toy } = await served(t);
  const c = client();
  const a: number[] = [];
  const b: number[] = [];
  const stopA = c.watch((e) => a.push(e.n));
  const stopB = c.watch((e) => b.push(e.n));
  await settled(c);
  assert.equal(toy.listeners.size, 1);
  toy.emit(1);
  toy.emit(2);
  await settled(c);
  stopA();
  toy.emit(3);
  await settled(c);
  stopB();
  await settled(c);
  assert.deepEqual(
    [a, b],
    [
      [1, 2],
      [1, 2, 3],
    ],
  );
  assert.equal(toy.listeners.size, 0);
});

test('a lost connection fails the calls in flight, stops their work, and watchers come back', async (t) => {
  const s1 = await served(t);
  const { promise: back, resolve: reconnected } = Promise.withResolvers<void>();
  const c = s1.client({ onReconnect: reconnected });
  const seen: number[] = [];
  c.watch((e) => seen.push(e.n));
  const began = new Promise<void>((resolve) => {
    s1.toy.onWait = resolve;
  });
  const waiting = assert.rejects(c.toy.wait({}), kind('Connection_lost'));
  await began;
  await s1.close();
  await waiting;
  assert.equal(s1.toy.waits[0]?.aborted, true);
  await s1.again();
  await back;
  await settled(c);
  s1.toy.emit(5);
  await settled(c);
  assert.deepEqual(seen, [5]);
});

test('nobody there: Not_reachable at once when no waiting is asked for; close fails what waits', async () => {
  const c = connectContract(toys, '/nonexistent/x.sock', { connectTimeoutMs: 0 });
  await assert.rejects(c.toy.echo({ text: '' }), kind('Not_reachable'));
  const d = connectContract(toys, '/nonexistent/x.sock', { connectTimeoutMs: 60_000 });
  const call = assert.rejects(d.toy.echo({ text: '' }), kind('Closed'));
  d.close();
  await call;
});

test('a socket of another contract is refused by name', async (t) => {
  const { socketPath } = await served(t);
  const other = contract({ name: 'other', methods: toys.methods, event: s.any });
  const c = connectContract(other, socketPath, { connectTimeoutMs: 0 });
  await assert.rejects(c.toy.echo({ text: '' }), /serves toys, not other/);
  c.close();
});

test('the socket is private; a live one is not taken over, a stale one is', async (t) => {
  const s1 = await served(t);
  assert.equal(statSync(s1.socketPath).mode & 0o777, 0o600);
  await assert.rejects(s1.again(), /another process serves toys there/);
  await s1.close();
  writeFileSync(s1.socketPath, '');
  await s1.again();
  assert.equal(await s1.client().toy.echo({ text: 'ok' }), 'ok');
});

test('paths that the kernel would cut are refused with the reason', () => {
  assert.throws(() => connectContract(toys, `/${'x'.repeat(120)}`), /at most 107 bytes.*shorter data folder/);
});

test('garbage and oversized frames end that connection only', async (t) => {
  const s1 = await served(t, { maxBytes: 1000 });
  const c = s1.client();
  await settled(c);
  for (const bytes of [
    'hello\n',
    '[1]\n',
    'null\n',
    '{"id":1}\n',
    '\u0000\xff\n',
    'x'.repeat(2000),
    `${'y'.repeat(1001)}\n`,
  ]) {
    const answers = await raw(s1.socketPath, bytes, 9);
    assert.deepEqual(answers, [{ hello: 'toys' }], JSON.stringify(bytes.slice(0, 20)));
  }
  assert.equal(await c.toy.echo({ text: 'still here' }), 'still here');
  await assert.rejects(c.toy.big({ bytes: 1001 }), kind('Too_long'));
  const small = s1.client({ maxBytes: 1000 });
  await assert.rejects(small.toy.echo({ text: 'é'.repeat(500) }), kind('Too_long'));
});

test('a message may arrive byte by byte and several in one chunk', async (t) => {
  const { socketPath } = await served(t);
  const one = `${JSON.stringify({ id: 1, call: 'toy.echo', args: { text: 'slow' } })}\n`;
  const answers = await raw(
    socketPath,
    [...Buffer.from(one)].map((b) => Buffer.of(b)),
    2,
  );
  assert.deepEqual(answers[1], { id: 1, result: 'slow' });
  const two = one + one.replace('"id":1', '"id":2');
  assert.equal((await raw(socketPath, two, 3)).length, 3);
});

test('a peer that never reads is disconnected, not waited for', async (t) => {
  const { socketPath, toy } = await served(t, { maxBytes: 64 * 1024 });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const socket = connect(socketPath, () => socket.write('{"watch":true}\n'));
  socket.pause();
  socket.on('close', () => resolve());
  socket.on('error', () => resolve());
  while (toy.listeners.size === 0) await new Promise((r) => setImmediate(r));
  for (let n = 0; toy.listeners.size > 0 && n < 1_000_000; n++) {
    toy.emit(n);
    if (n % 1000 === 0) await new Promise((r) => setImmediate(r));
  }
  assert.equal(toy.listeners.size, 0);
  socket.resume();
  await gone;
});

test('too many calls in flight on one connection are refused', async (t) => {
  const { client, toy } = await served(t, { maxCalls: 2 });
  const c = client();
  const abort = new AbortController();
  const waits = [1, 2].map(() => assert.rejects(c.toy.wait({}, { signal: abort.signal }), kind('Cancelled')));
  await assert.rejects(c.toy.echo({ text: '' }), kind('Too_many_calls'));
  assert.equal(toy.waits.length, 2);
  abort.abort();
  await Promise.all(waits);
  assert.equal(await c.toy.echo({ text: 'free again' }), 'free again');
});

test('a server that sends garbage loses its client with an error, not a crash', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rpc-'));
  const path = join(folder, 's');
  const server = createServer((socket) => {
    socket.write('{"hello":"toys"}\n');
    socket.on('data', () => socket.end('{{{\n'));
  }).listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const c = connectContract(toys, path, { connectTimeoutMs: 0 });
  await assert.rejects(c.toy.wait({}), kind('Connection_lost'));
  c.close();
});

type Answer = { readonly id?: number; readonly hello?: string; readonly error?: { readonly kind: string } };
/** Sends bytes as they are; the first `count` answers, or fewer when the connection ends. */
function raw(path: string, bytes: string | readonly Buffer[], count: number): Promise<Answer[]> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    const answers = () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((l) => JSON.parse(l) as Answer);
    socket.setEncoding('utf8').on('data', (d: string) => {
      text += d;
      if (answers().length >= count) socket.destroy();
    });
    socket.on('error', () => undefined).on('close', () => resolve(answers()));
    for (const part of typeof bytes === 'string' ? [bytes] : bytes) socket.write(part);
  });
}
