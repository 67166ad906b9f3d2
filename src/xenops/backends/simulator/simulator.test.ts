import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../../../base/clock.ts';
import { randomIds } from '../../../base/ids.ts';
import { testSpec, vmId } from '../../testing/house.ts';
import { simulatorBackend } from './index.ts';

const id = vmId(1);
const folder = (t: { after(f: () => void): void }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sim-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
};
async function boot(o: Partial<Parameters<typeof simulatorBackend>[0]>) {
  const backend = simulatorBackend({ clock: systemClock, ids: randomIds, ...o });
  await backend.open();
  return backend;
}

test('a serial console boots, says READY, echoes and ends its guest on request', async (t) => {
  const backend = await boot({ consoleDir: folder(t), bootDelayMs: 20 });
  const spec = testSpec(1, { vbds: [], vifs: [] });
  await backend.vm.create(spec, 1);
  await backend.vm.build(spec);
  await backend.vm.unpause(id);
  const socket = connect((await backend.vm.observe(id))?.consoles[0]?.socket ?? '');
  let text = '';
  let wake = () => undefined as unknown;
  socket.on('data', (bytes) => {
    text += bytes.toString();
    wake();
  });
  const says = async (pattern: RegExp) => {
    while (!pattern.test(text)) await new Promise((resolve) => (wake = () => resolve(undefined)));
  };
  await says(/READY/);
  socket.write('echo hello\r');
  await says(/echo hello\r\nhello\r\n# $/);
  const ended = new Promise((resolve) => backend.watch((e) => e.event === 'ended' && resolve(e.end.reason)));
  socket.write('poweroff\r');
  assert.equal(await ended, 'poweroff');
  await backend.close();
});

test('a host in a file outlives its process, even one that was killed while it wrote', async (t) => {
  const persistFile = join(folder(t), 'world');
  const first = await boot({ persistFile });
  for (const n of [1, 2]) {
    const spec = testSpec(n);
    await first.vm.create(spec, n);
    await first.vm.build(spec);
    await first.vm.unpause(spec.id);
  }
  await first.vm.destroy(vmId(2));
  first.kill();
  appendFileSync(persistFile, '{"vm":"half a li');
  const second = await boot({ persistFile });
  assert.deepEqual(
    (await second.observeAll()).map((d) => [d.vm, d.domid, d.power]),
    [[id, 1, 'running']],
  );
  assert.equal(readFileSync(persistFile, 'utf8').split('\n').length, 2);
});
