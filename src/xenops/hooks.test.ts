import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { silentLog } from '../base/log.ts';
import { folderHooks, type HookEvent } from './hooks.ts';
import { testHouse, testSpec } from './testing/house.ts';

const never = new AbortController().signal;

test('programs run in the order of their names with what happens; 1 goes on, others refuse', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ghh-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const log = join(dir, 'log');
  const folder = join(dir, 'vm-pre-start');
  mkdirSync(folder);
  const put = (name: string, status: number, mode = 0o755) =>
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> ${log}\necho said\nexit ${status}\n`, { mode });
  put('20-b', 1);
  put('10-a', 0);
  put('15-no', 7, 0o644);
  const hooks = folderHooks(dir, silentLog);
  await hooks.run({ name: 'vm-pre-start', vm: 'u', reason: 'none', domid: 3 }, never);
  const args = '-vmuuid u -reason none -vmdomid 3';
  assert.equal(readFileSync(log, 'utf8'), `10-a ${args}\n20-b ${args}\n`);
  put('30-c', 2);
  await assert.rejects(hooks.run({ name: 'vm-pre-start', vm: 'u', reason: 'none' }, never), {
    kind: 'Hook_failed',
    args: { hook: `vm-pre-start/${folder}/30-c`, reason: 'none', output: 'said\n', status: '2' },
  });
  await hooks.run({ name: 'vm-post-resume', vm: 'u', reason: 'none' }, never);
});

test('which hooks run around which operation; one that fails beforehand leaves the VM as it was', async () => {
  const seen: string[] = [];
  let refuse = '';
  const run = async ({ name, reason }: HookEvent) => {
    seen.push(`${name} ${reason}`);
    if (name === refuse) throw new Error('refused');
  };
  const h = await testHouse({ hooks: { run } });
  const vm = testSpec(1);
  await h.xenops.vm.add(vm);
  const { id } = vm;
  const image = { kind: 'path', path: '/image', format: 'raw' } as const;
  refuse = 'vm-pre-start';
  await assert.rejects(h.during(h.xenops.vm.start({ id, paused: false })), /refused/);
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  refuse = '';
  await h.during(h.xenops.vm.start({ id, paused: false }));
  await h.during(h.xenops.vm.suspend({ id, image }));
  await h.during(h.xenops.vm.resume({ id, paused: false }));
  await h.during(h.xenops.vm.reboot({ id, timeoutS: null }));
  refuse = 'vm-post-destroy';
  await h.during(h.xenops.vm.shutdown({ id, timeoutS: 60 }));
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  assert.deepEqual(seen, [
    ...['vm-pre-start none', 'vm-pre-start none'],
    ...['vm-pre-suspend suspend', 'vm-pre-shutdown suspend', 'vm-post-destroy suspend'],
    ...['vm-pre-resume none', 'vm-post-resume none'],
    ...['vm-pre-shutdown hard-reboot', 'vm-pre-reboot hard-reboot', 'vm-pre-start none', 'vm-post-destroy hard-reboot'],
    ...['vm-pre-shutdown clean-shutdown', 'vm-post-destroy clean-shutdown'],
  ]);
});
