/** The message switch on a real NATS JetStream: the contract, and what of it holds when processes are killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../../src/api/tls.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { switchAt } from '../../src/switch/at.ts';
import { loginToNats } from '../../src/switch/nats/session.ts';
import { SwitchCaller, SwitchServer } from '../../src/switch/peer.ts';
import { parseSwitchAddress } from '../../src/wire/switch-address.ts';
import { describeSwitch } from '../conformance/switch.ts';
import { xenopsdOver } from '../scenario/xenopsd-queue.ts';
import { cannotNats, type NatsServer, natsServer } from './nats-server.ts';

const parts = { clock: systemClock, log: silentLog };
const request = (payload: string) => ({ payload, kind: { request: 'reply' } });

describe('NATS', { skip: cannotNats() ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-nats-'));
  let server: NatsServer;
  let spaces = 0;
  const fresh = () => switchAt(`nats://${server.host}/test-${spaces++}`, parts);
  before(async () => {
    server = await natsServer(folder);
  });
  after(async () => {
    await server.kill();
    rmSync(folder, { recursive: true });
  });
  describeSwitch('over NATS JetStream', {
    make: async () => ({ switch: fresh(), close: async () => undefined }),
  });

  test('what was answered is there after kill -9 of the server, and numbers go on', async () => {
    const space = `nats://${server.host}/kept`;
    const one = await switchAt(space, parts).login('one');
    await one.create('q', 'persistent');
    for (const text of ['0', '1', '2']) await one.send('q', request(text));
    await one.ack(['q', 1]);
    const { next } = await one.transfer({ queues: ['q'], timeoutS: 0 });
    const waiting = assert.rejects(one.transfer({ queues: ['q'], from: next, timeoutS: 60 }), (e) =>
      isKind(e, 'Switch_gone'),
    );
    await server.kill();
    await waiting;
    await assert.rejects(one.send('q', request('lost')), (e) => isKind(e, 'Switch_gone'));
    await assert.rejects(switchAt(space, parts).login('nobody there'), (e) => isKind(e, 'Switch_gone'));
    await server.start();
    const two = await switchAt(space, parts).login('two');
    // JetStream writes what is removed a little later: 1 may come again.
    const again = (await two.transfer({ queues: ['q'], timeoutS: 10 })).messages.map((m) => m.message.payload);
    for (const text of ['0', '2']) assert.ok(again.includes(text), text);
    // One who goes on from where he was gets only what came since.
    assert.deepEqual(await two.send('q', request('3')), ['q', 3]);
    const since = await two.transfer({ queues: ['q'], from: next, timeoutS: 10 });
    assert.deepEqual(
      since.messages.map((m) => m.id),
      [['q', 3]],
    );
    await two.close();
  });
  test('calls that had no answer are made again after the server was away', async () => {
    const s = switchAt(`nats://${server.host}/again`, parts);
    const caller = new SwitchCaller({ ...parts, switch: s, token: 'caller' });
    const asked = Promise.withResolvers<void>();
    const dying = new SwitchServer({ ...parts, switch: s, token: 'first' }, 'work', async () => {
      asked.resolve();
      return new Promise<string>(() => undefined);
    });
    const answer = caller.call('work', 'hello', 60);
    await asked.promise;
    await dying.close();
    await server.kill();
    await server.start();
    const next = new SwitchServer({ ...parts, switch: s, token: 'second' }, 'work', async (t) => t.toUpperCase());
    assert.equal(await answer, 'HELLO');
    await caller.close();
    await next.close();
  });
  test('a queue that is destroyed and made again is read from its beginning', async () => {
    const me = await fresh().login('me');
    await me.create('q', 'persistent');
    for (const text of ['a', 'b']) await me.send('q', request(text));
    const { next } = await me.transfer({ queues: ['q'], timeoutS: 0 });
    const waiting = me.transfer({ queues: ['q'], from: next, timeoutS: 60 });
    await me.destroy('q');
    await me.create('q', 'persistent');
    await me.send('q', request('c'));
    assert.deepEqual(
      (await waiting).messages.map((m) => m.message.payload),
      ['c'],
    );
    await me.close();
  });
  test('a transient queue that is asked for as a persistent one stays when its session ends', async () => {
    const s = fresh();
    const [one, two] = [await s.login('one'), await s.login('two')];
    await one.create('q', 'transient');
    await one.send('q', request('a'));
    await two.create('q', 'persistent');
    await one.close();
    assert.deepEqual(
      (await two.transfer({ queues: ['q'], timeoutS: 0 })).messages.map((m) => m.message.payload),
      ['a'],
    );
    await two.close();
  });
  test('a transient queue goes with a session whose process was killed', async () => {
    const address = `nats://${server.host}/leases`;
    const holder = spawn(process.execPath, [join(import.meta.dirname, 'nats-holder.ts'), address, '1', 'held'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    const parsed = parseSwitchAddress(address);
    assert.ok(parsed.kind === 'nats');
    const other = await loginToNats(parsed.nats, 'other', { ...parts, leaseS: 1 });
    await other.create('mine', 'transient');
    assert.deepEqual(await other.list(''), ['held', 'mine']);
    const gone = once(holder, 'exit');
    holder.kill('SIGKILL');
    await gone;
    while ((await other.list('')).includes('held')) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(await other.list(''), ['mine']);
    await other.close();
  });
  test('xenopsd takes calls over it, also those that came while it was away', (t) =>
    xenopsdOver(t, `nats://${server.host}/xenopsd`));
  test('over TLS, with a password; who has neither is refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gh-nats-tls-'));
    const made = await makeCertificate(['localhost'], Date.now());
    const [ca, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(ca, made.cert);
    writeFileSync(key, made.key);
    const settings = `tls { cert_file: "${ca}", key_file: "${key}" }\nauthorization { user: me, password: "s e/cret" }`;
    const guarded = await natsServer(folder, settings);
    const host = guarded.host.replace('127.0.0.1', 'localhost');
    try {
      const me = await switchAt(`tls://me:s%20e%2Fcret@${host}?ca=${ca}`, parts).login('me');
      await me.create('q', 'persistent');
      assert.deepEqual(await me.send('q', request('hello')), ['q', 0]);
      await me.close();
      for (const [address, why] of [
        [`tls://me:wrong@${host}?ca=${ca}`, /authorization/i],
        [`tls://me:s%20e%2Fcret@${host}`, /self-signed|certificate/i],
      ] as const)
        await assert.rejects(
          switchAt(address, parts).login('me'),
          (e) => isKind(e, 'Switch_gone') && why.test(e.message) && !e.message.includes('cret'),
        );
    } finally {
      await guarded.kill();
      rmSync(folder, { recursive: true });
    }
  });
});
