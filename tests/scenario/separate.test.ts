/** `guesthouse up --separate`: each daemon by itself, meeting over sockets; each is killed, and the host goes on. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { down } from '../../src/apps/down.ts';
import { places } from '../../src/apps/places.ts';
import { checkSeparate } from '../../src/apps/separate.ts';
import { look } from '../../src/apps/status.ts';
import { systemClock } from '../../src/base/clock.ts';
import { nodeTransport } from '../../src/client/node-transport.ts';

const root = join(import.meta.dirname, '../..');
const quiet = { out: () => undefined, say: () => undefined };

async function up(data: string, ...more: string[]): Promise<ChildProcess> {
  const args = ['up', '--data', data, '--hypervisor', 'simulator', '--listen', '127.0.0.1:0', '--listen-tls', 'none'];
  const child = spawn(join(root, 'bin/guesthouse'), [...args, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => text.includes('ready ') && resolve());
    child.once('exit', (code) => reject(new Error(`up ended with ${code}: ${said}`)));
  });
  return child;
}
const processesOf = async (data: string) =>
  new Map((await look(data)).processes.filter((p) => p.running).map((p) => [p.id, p.pid]));

test('each daemon is a process; each is killed, and the host goes on with what it had', {
  timeout: 300_000,
}, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'separate-'));
  const at = places(data);
  let first: ChildProcess | undefined = await up(data, '--separate');
  t.after(async () => {
    await down({ data, timeoutS: 1 }, quiet);
    rmSync(data, { recursive: true });
  });
  const transport = nodeTransport({ socketPath: at.xapiSocket });
  let session = '';
  /** A house that was killed is away for a moment, and its sessions with it. */
  const ask = async (method: string, ...params: unknown[]): Promise<unknown> => {
    for (let again = 0; ; again++) {
      try {
        session ||= String(await transport.call('session.login_with_password', ['root', '', '1.0', 'test']));
        return await transport.call(method, [session, ...params]);
      } catch (error) {
        session = '';
        if (again === 100) throw error;
        await systemClock.sleep(100);
      }
    }
  };
  const named = async (name: string) => ((await ask('VM.get_by_name_label', name)) as string[])[0];
  const made = async (name: string) => {
    const vm = await ask('VM.clone', await named('Other install media'), name);
    await ask('VM.provision', vm);
    return String(vm);
  };
  await ask('VM.start', await made('first'), false, false);
  const daemons = ['room-network', 'room-storage', 'room-xenops', 'house'];
  const before = await processesOf(data);
  assert.deepEqual(
    daemons.filter((id) => !before.has(id)),
    [],
  );
  for (const id of daemons) {
    const pid = (await processesOf(data)).get(id) ?? 0;
    process.kill(pid, 'SIGKILL');
    for (;;) {
      const now = (await processesOf(data)).get(id);
      if (now !== undefined && now !== pid) break;
      await systemClock.sleep(20);
    }
    const other = await made(`after ${id}`);
    await ask('VM.start', other, false, false);
    assert.equal(await ask('VM.get_power_state', other), 'Running', id);
    await ask('VM.hard_shutdown', other);
    assert.equal(await ask('VM.get_power_state', other), 'Halted', id);
  }
  // What is not named again stays: the host was made so.
  const over = new Promise((resolve) => first?.once('exit', resolve));
  first.kill('SIGTERM');
  await over;
  first = undefined;
  assert.equal((await processesOf(data)).size, 0);
  await up(data);
  assert.ok((await processesOf(data)).has('room-xenops'));
  assert.notEqual(await named('after house'), undefined);
  transport.close();
});

test('a host that was made otherwise is refused', () => {
  const data = mkdtempSync(join(tmpdir(), 'separate-'));
  const at = places(data);
  checkSeparate(at, true);
  assert.ok(existsSync(at.separateMark));
  checkSeparate(at, true);
  writeFileSync(join(data, 'state.db'), '');
  assert.throws(() => checkSeparate(at, false), /was made with --separate and stays so/);
  rmSync(at.separateMark);
  assert.throws(() => checkSeparate(at, true), /was made without --separate and stays so/);
  checkSeparate(at, false);
  rmSync(data, { recursive: true });
});
