/** bin/xenopsd and bin/xenops-cli as processes: settings, what is missing, one xenopsd per socket, TERM. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { xenopsdOver } from './xenopsd-queue.ts';

const bin = (name: string) => join(import.meta.dirname, '../../bin', name);
interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}
function run(name: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(bin(name), args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let out = '';
  let err = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      resolve();
    });
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status) => resolve({ status, out, err }));
  });
  return { child: child as ChildProcess, ready: Promise.race([ready, ended]), ended };
}

test('xenopsd runs by a file, refuses a wrong one, and is found by xenops-cli', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ghp-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const paths = `sockets-path = ${folder}\ndatabase-path = ${folder}/db\npidfile = ${folder}/pid\nloglevel = warn\n`;
  const wrong = write('wrong.conf', `${paths}persist = perhaps\n`);
  assert.deepEqual(await run('xenopsd', ['-config', wrong]).ended, {
    status: 1,
    out: '',
    err: `${wrong}:5:11: persist: "perhaps" is neither true nor false\n`,
  });
  const blind = write('blind.conf', `${paths}hypervisor = qemu\nqemu-system-i386 = /nowhere/qemu\n`);
  const missing = await run('xenopsd', ['-config', blind]).ended;
  assert.equal(missing.status, 1);
  assert.match(
    missing.err,
    /\/nowhere\/qemu\), which is needed for running guests: install the package qemu-system-x86, or/,
  );

  const config = write('xenopsd.conf', `${paths}queue = org.xen.xapi.xenops.simulator\n`);
  const daemon = run('xenopsd', ['-config', config]);
  t.after(() => daemon.child.kill('SIGKILL'));
  await daemon.ready;
  assert.equal(readFileSync(join(folder, 'pid'), 'utf8').trim(), String(daemon.child.pid));
  const second = await run('xenopsd', ['-config', config]).ended;
  assert.equal(second.status, 1);
  assert.match(second.err, /another xenopsd serves there/);
  const cli = (...args: string[]) => run('xenops-cli', ['--socket', join(folder, 'xenopsd'), ...args]).ended;
  const file = write('a.cfg', "name = 'a'\nmemory = 32\n");
  const { out, status } = await cli('add', file);
  assert.equal(status, 0);
  assert.match(out, /^[0-9a-f-]{36}\n$/);
  assert.equal((await cli('create')).status, 2);
  assert.match((await cli('list')).out, /\na +- +32 +1 +Halted/);
  daemon.child.kill('SIGTERM');
  assert.equal((await daemon.ended).status, 0);
  assert.equal(existsSync(join(folder, 'pid')), false);
  const alone = await cli('list');
  assert.equal(alone.status, 1);
  assert.match(alone.err, /is xenopsd running\?\n$/);
});

test('xenopsd takes calls over a message switch, also those that came while it was away', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ghs-'));
  const path = join(folder, 'sock');
  const daemon = run('message-switch', ['--path', path, '--statedir', folder]);
  t.after(() => {
    daemon.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20));
  await xenopsdOver(t, path);
});
