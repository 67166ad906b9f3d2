import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ManualClock, systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { isKind } from '../../../contracts/contract.ts';
import { GuestAgent } from './agent.ts';
import { AgentChannel, AgentError, AgentSilence, longestAnswer } from './agent-channel.ts';
import { reportOf } from './agent-report.ts';
import type { Domain } from './domain.ts';
import type { QmpEvent } from './qmp.ts';

interface Asked {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}
type Answer = (asked: Asked, socket: Socket) => unknown;

/** An agent that gets into step, and answers other commands with what `answer` returns; undefined: nothing. */
async function fakeAgent(t: TestContext, answer: Answer): Promise<{ path: string; asked: Asked[]; sockets: Socket[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'qga-'));
  const path = join(folder, 'agent');
  const asked: Asked[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1').replaceAll('\xff', '');
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const command = JSON.parse(line) as Asked;
        if (command.execute === 'guest-sync-delimited') {
          const synced = `stale\n\xff${JSON.stringify({ return: command.arguments?.['id'] })}\n`;
          socket.write(Buffer.from(synced, 'latin1'));
          continue;
        }
        asked.push(command);
        const said = answer(command, socket);
        if (said !== undefined) socket.write(typeof said === 'string' ? said : `${JSON.stringify(said)}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { path, asked, sockets };
}
const never = 60_000;

test('answers come in turn; a refusal is one; what was said before is of no account', async (t) => {
  const { path, sockets } = await fakeAgent(t, ({ execute }) =>
    execute === 'no' ? { error: { class: 'GenericError', desc: 'not here' } } : { return: execute },
  );
  const channel = new AgentChannel(path, systemClock);
  t.after(() => channel.close());
  const both = [channel.call('one', undefined, never), channel.call('two', { a: 1 }, never)];
  assert.deepEqual(await Promise.all(both), ['one', 'two']);
  await assert.rejects(channel.call('no', undefined, never), AgentError);
  assert.equal(await channel.call('three', undefined, never), 'three');
  assert.equal(sockets.length, 1);
});

test('an answer that is too long, no JSON, or none at all ends the connection; the next command has a new one', async (t) => {
  const said: Record<string, unknown> = {
    long: `{"return":"${'x'.repeat(longestAnswer)}"}\n`,
    garbage: 'neither\n',
    list: '[1]\n',
    deep: `${'['.repeat(900_000)}\n`,
    ok: { return: 'ok' },
  };
  const { path, sockets } = await fakeAgent(t, ({ execute }) => said[execute]);
  const clock = new ManualClock();
  const channel = new AgentChannel(path, clock);
  t.after(() => channel.close());
  for (const bad of ['long', 'garbage', 'deep']) {
    await assert.rejects(channel.call(bad, undefined, never), AgentSilence, bad);
    assert.equal(await channel.call('ok', undefined, never), 'ok');
  }
  const silent = assert.rejects(channel.call('silent', undefined, 1000), /no answer within 1000 ms/);
  while (sockets.length < 4) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.advance(1000);
  await silent;
  assert.equal(await channel.call('ok', undefined, never), 'ok');
});

test('nothing is read from a guest that talks unasked', async (t) => {
  let sent = 0;
  const { path, sockets } = await fakeAgent(t, () => ({ return: {} }));
  const channel = new AgentChannel(path, systemClock);
  t.after(() => channel.close());
  await channel.call('guest-ping', undefined, never);
  const socket = sockets[0];
  assert.ok(socket);
  const flood = Buffer.alloc(1 << 16, 'a');
  // Until the pipe is full: then nobody takes any more.
  while (sent < 1 << 26 && socket.writableLength < 1 << 22) {
    socket.write(flood);
    sent += flood.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(socket.writableLength >= 1 << 22, 'the flood waits at the sender');
  await assert.rejects(channel.call('guest-ping', undefined, never), AgentSilence);
});

test('reports of any shape are read, and bounded', () => {
  const report = reportOf({
    info: { version: '7.2.22', supported_commands: [{ name: 'guest-shutdown', enabled: true }, null, 7] },
    osInfo: {
      'pretty-name': `Debian\u0007 ${'x'.repeat(5000)}`,
      id: 'debian',
      'version-id': '12.5',
      'kernel-release': '6.1',
    },
    hostName: { 'host-name': 'web' },
    interfaces: [
      {
        'hardware-address': '52:54:00:AA:00:01',
        'ip-addresses': [{ 'ip-address': '10.0.0.2' }, { 'ip-address': '<b>' }, 3],
      },
      { 'hardware-address': '__proto__', 'ip-addresses': [{ 'ip-address': '10.0.0.3' }] },
      { 'hardware-address': 'constructor' },
      ...Array.from({ length: 500 }, (_, i) => ({
        'hardware-address': `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
      })),
      'nonsense',
    ],
    filesystems: Array.from({ length: 500 }, () => ({
      mountpoint: '/',
      name: 'vda1',
      type: 'ext4',
      'total-bytes': -1,
      'used-bytes': 5,
    })),
  });
  assert.equal(report.os['name']?.length, 200);
  assert.ok(!report.os['name']?.includes('\u0007'));
  assert.deepEqual([report.os['distro'], report.os['major'], report.os['minor']], ['debian', '12', '5']);
  assert.deepEqual(report.addresses['52:54:00:aa:00:01'], ['10.0.0.2']);
  assert.ok(Object.keys(report.addresses).length <= 16);
  assert.equal(report.disks.length, 32);
  assert.deepEqual([report.disks[0]?.total, report.disks[0]?.used], [null, 5]);
  assert.deepEqual(report.can, ['shutdown']);
  for (const nonsense of [null, 1, 'x', [], [[]], { version: {} }])
    assert.deepEqual(
      reportOf({ info: nonsense, osInfo: nonsense, interfaces: nonsense, filesystems: nonsense }).os,
      {},
    );
});

const commands = ['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw', 'guest-shutdown'];
/** An agent that can freeze, and the domain that it is of; `tell` is an event of QEMU's. */
async function agentOf(t: TestContext, frozen = false) {
  const served = await fakeAgent(t, ({ execute }) => {
    if (execute === 'guest-info')
      return { return: { version: '7.2', supported_commands: commands.map((name) => ({ name, enabled: true })) } };
    if (execute === 'guest-fsfreeze-freeze' || execute === 'guest-fsfreeze-thaw') return { return: 1 };
    if (execute === 'guest-ping') return { return: {} };
    if (execute === 'guest-shutdown') return undefined;
    return { error: { desc: 'unknown' } };
  });
  const clock = new ManualClock();
  const listeners = new Set<(event: QmpEvent) => void>();
  const changes = { count: 0, wake: () => undefined as unknown };
  const patience = { agentMs: 100, agentTellMs: 200, agentEagerMs: 1000, agentIdleMs: 5000, freezeMs: 30_000 };
  const fake = {
    vm: 'vm',
    power: 'running',
    record: { frozen },
    needs: { clock, log: silentLog, patience, folders: { paths: () => ({ agent: served.path }) } },
    listen: (f: (event: QmpEvent) => void) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
    execute: async (command: string) => (command === 'qom-get' ? { stats: {} } : []),
    update: async (change: object) => Object.assign(fake.record, change),
    changed: () => {
      changes.count++;
      changes.wake();
    },
  };
  const agent = new GuestAgent(fake as unknown as Domain);
  t.after(() => agent.close());
  const tell = (open: boolean) => {
    for (const f of listeners) f({ event: 'VSERPORT_CHANGE', data: { id: 'agent', open } });
  };
  const changed = (f: () => void) =>
    new Promise<void>((resolve) => {
      changes.wake = () => resolve();
      f();
    });
  await changed(() => tell(true));
  return { agent, tell, clock, record: fake.record, asked: served.asked };
}
const names = (asked: readonly Asked[]) => asked.map((a) => a.execute);
const quiet = {};

test('a report comes when the guest opens its port, and goes when it closes it', async (t) => {
  const { agent, tell } = await agentOf(t);
  assert.deepEqual(agent.report?.can, ['shutdown', 'freeze']);
  tell(false);
  assert.equal(agent.report, undefined);
  await assert.rejects(agent.freeze(quiet), (e) => isKind(e, 'Failed_to_freeze'));
});

test('frozen filesystems are let go once, and by themselves when nobody does', async (t) => {
  const { agent, clock, record, asked } = await agentOf(t);
  await agent.freeze(quiet);
  await agent.freeze(quiet);
  assert.equal(record.frozen, true);
  await agent.thaw();
  await agent.thaw();
  assert.equal(record.frozen, false);
  const count = (name: string) => names(asked).filter((n) => n === name).length;
  assert.deepEqual([count('guest-fsfreeze-freeze'), count('guest-fsfreeze-thaw')], [1, 1]);
  await agent.freeze(quiet);
  clock.advance(30_000);
  while (record.frozen) await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(agent.thaw(), (e) => isKind(e, 'Failed_to_freeze'));
});

test('a toolstack that finds them frozen lets them go', async (t) => {
  const { record, asked } = await agentOf(t, true);
  assert.equal(record.frozen, false);
  assert.ok(names(asked).includes('guest-fsfreeze-thaw'));
});

test('a freeze that is cancelled lets them go', async (t) => {
  const { agent, record, asked } = await agentOf(t);
  await assert.rejects(agent.freeze({ signal: AbortSignal.abort(new Error('enough')) }), /enough/);
  assert.equal(record.frozen, false);
  assert.equal(names(asked).at(-1), 'guest-fsfreeze-thaw');
});

test('an agent that is to end its guest says nothing, which is well; one that cannot says so', async (t) => {
  const { agent, clock, asked } = await agentOf(t);
  const told = agent.requestEnd('reboot');
  while (!names(asked).includes('guest-shutdown')) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(200);
  assert.equal(await told, true);
  assert.deepEqual(asked.at(-1)?.arguments, { mode: 'reboot' });
  assert.deepEqual([agent.firstRequest('reboot'), agent.firstRequest('reboot')], [true, false]);
});
