/** Whole VMs out and in by `xe`, running as they were. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from './clients/program.ts';
import { bin, cannotRun, consoleSays, type LiveHost, liveHost } from './host.ts';

const commands =
  (h: LiveHost) =>
  async (...args: string[]) => {
    const { code, out, err } = await run(bin('xe'), args, { env: { GUESTHOUSE_DATA: h.data } });
    assert.equal(code, 0, `xe ${args.join(' ')}: ${err}`);
    return out.toString().trim();
  };

test('a suspended guest goes out, is deleted, comes in and goes on', { skip: cannotRun() ?? false }, async (t) => {
  await using h = await liveHost();
  const folder = mkdtempSync(join(tmpdir(), 'gh-xva-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const xe = commands(h);
  const uuid = await xe('vm-install', 'template=Tiny Linux', 'new-name-label=traveller');
  await xe('vm-disk-add', `uuid=${uuid}`, 'disk-size=64MiB', 'device=0');
  await xe('vm-start', `uuid=${uuid}`);
  const log = join(h.data, 'domains', uuid, 'console.log');
  await consoleSays(log, 'READY');
  await xe('vm-suspend', `uuid=${uuid}`);
  const file = join(folder, 'traveller.xva');
  await xe('vm-export', `uuid=${uuid}`, `filename=${file}`, 'preserve-power-state=true', 'compress=zstd');
  assert.ok(statSync(file).size > 1 << 20, 'its memory is in it');
  await xe('vm-uninstall', `uuid=${uuid}`, 'force=true');
  assert.equal(await xe('vm-import', `filename=${file}`, 'preserve=true'), uuid);
  assert.equal(await xe('vm-param-get', `uuid=${uuid}`, 'param-name=power-state'), 'suspended');
  await xe('vm-resume', `uuid=${uuid}`);
  // It did not boot anew, and it hears the button, so it lives.
  assert.doesNotMatch(readFileSync(log, 'latin1'), /READY/);
  await xe('vm-shutdown', `uuid=${uuid}`);
  assert.equal(await xe('vm-param-get', `uuid=${uuid}`, 'param-name=power-state'), 'halted');
  // Halted, packed otherwise, as a copy on another kind of disk; and its metadata alone.
  const sr = await xe('sr-create', 'name-label=VHDs', 'type=file', 'device-config:format=vhd');
  await xe('vm-export', 'vm=traveller', `filename=${join(folder, 'b.xva')}`, 'compress=gzip');
  const copy = await xe('vm-import', `filename=${join(folder, 'b.xva')}`, `sr-uuid=${sr}`);
  assert.match(await xe('vdi-list', `sr-uuid=${sr}`, 'params=sm-config'), /format: vhd/);
  assert.notEqual(copy, uuid);
  await xe('vm-start', `uuid=${copy}`);
  await consoleSays(join(h.data, 'domains', copy, 'console.log'), 'READY');
  await xe('vm-shutdown', `uuid=${copy}`, 'force=true');
  // As a package of the kind that others read, and a disk by itself.
  await xe('vm-export', `uuid=${copy}`, `filename=${join(folder, 'c.ova')}`, 'format=ova');
  const package_ = await xe('vm-import', `filename=${join(folder, 'c.ova')}`);
  assert.equal(await xe('vm-param-get', `uuid=${package_}`, 'param-name=name-label'), 'traveller');
  const disk = await xe('vbd-list', `vm-uuid=${package_}`, 'type=Disk', 'params=vdi-uuid', '--minimal');
  await xe('vdi-export', `uuid=${disk}`, `filename=${join(folder, 'd.qcow2')}`, 'format=qcow2');
  const around = await xe('vm-import', `filename=${join(folder, 'd.qcow2')}`, 'new-name-label=bare', 'memory=64MiB');
  await xe('vm-start', `uuid=${around}`);
  await xe('vm-shutdown', `uuid=${around}`, 'force=true');
  await xe('vm-export', `uuid=${uuid}`, `filename=${join(folder, 'm.xva')}`, 'metadata=true');
  assert.ok(statSync(join(folder, 'm.xva')).size < 1 << 20);
});
