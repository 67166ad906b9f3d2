/** xenopsd behind a message switch: it is called through its queue, and what is asked while it is away waits for its successor. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { switchAt } from '../../src/switch/at.ts';

const bin = (name: string) => join(import.meta.dirname, '../../bin', name);
const queue = 'org.xen.xapi.xenops.simulator';

export async function xenopsdOver(t: TestContext, address: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ghq-'));
  const config = join(folder, 'xenopsd.conf');
  const places = `sockets-path = ${folder}\ndatabase-path = ${folder}/db\nloglevel = warn\n`;
  writeFileSync(config, `${places}queue = ${queue}\nuse-switch = true\nswitch-path = ${address}\n`);
  const daemons: ChildProcess[] = [];
  const start = async () => {
    const daemon = spawn(bin('xenopsd'), ['-config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
    daemons.push(daemon);
    await once(daemon.stdout, 'data');
    return daemon;
  };
  t.after(() => {
    for (const daemon of daemons) daemon.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const cli = async (...args: string[]) =>
    (await promisify(execFile)(bin('xenops-cli'), [...args, '--queue', queue, '--switch-path', address])).stdout;
  const first = await start();
  const file = join(folder, 'one.cfg');
  writeFileSync(file, "name='one'\ntype='pvh'\nkernel='/boot/vmlinuz'\nmemory=64\n");
  const id = (await cli('add', file)).trim();
  await cli('start', id);
  assert.match(await cli('list'), /^one .* Running/m);
  const gone = once(first, 'exit');
  first.kill('SIGKILL');
  await gone;
  const waiting = cli('list');
  const watcher = await switchAt(address, { clock: systemClock, log: silentLog }).login('watcher');
  // The request is in the queue, and nobody takes it.
  while ((await watcher.transfer({ queues: [queue], timeoutS: 1 })).messages.length === 0);
  await watcher.close();
  await start();
  assert.match(await waiting, /^one /m);
}
