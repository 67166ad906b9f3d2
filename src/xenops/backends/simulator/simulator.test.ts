import assert from 'node:assert/strict';
import { once } from 'node:events';
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

test('a screen speaks RFB: a picture in the pixels that the client asks for, the end for nonsense', async (t) => {
  const backend = await boot({ consoleDir: folder(t) });
  const spec = testSpec(1, { vbds: [], vifs: [] });
  await backend.vm.create(spec, 1);
  await backend.vm.build(spec);
  const { socket: path = '' } = (await backend.vm.observe(id))?.consoles.find((c) => c.protocol === 'rfb') ?? {};
  const dial = () => {
    const socket = connect(path);
    let seen = Buffer.alloc(0);
    const read = async (n: number): Promise<Buffer> => {
      while (seen.length < n) seen = Buffer.concat([seen, ...((await once(socket, 'data')) as Buffer[])]);
      const bytes = seen.subarray(0, n);
      seen = seen.subarray(n);
      return bytes;
    };
    return { socket, read };
  };
  const { socket, read } = dial();
  assert.equal((await read(12)).toString(), 'RFB 003.008\n');
  socket.write('RFB 003.008\n');
  assert.deepEqual([...(await read(2))], [1, 1]);
  socket.write(Buffer.from([1]));
  assert.deepEqual([...(await read(4))], [0, 0, 0, 0]);
  socket.write(Buffer.from([1]));
  const init = await read(24);
  const [width, height] = [init.readUInt16BE(0), init.readUInt16BE(2)];
  assert.equal((await read(init.readUInt32BE(20))).toString(), 'Simulated guest');
  const ask = Buffer.from([3, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
  socket.write(Buffer.concat([Buffer.from([2, 0, 0, 1, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 65, 5, 0, 0, 1, 0, 1]), ask]));
  const whole = await read(16 + width * height * 4);
  assert.deepEqual([...whole.subarray(16, 20)], [110, 40, 30, 0], 'blue, green, red at the upper left');
  const format = Buffer.from([0, 0, 0, 0, 16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0]);
  socket.write(Buffer.concat([format, ask]));
  const small = await read(16 + width * height * 2);
  assert.equal(small.readUInt16BE(16), (4 << 11) | (10 << 5) | 13);
  socket.destroy();
  const old = dial();
  await old.read(12);
  old.socket.write('RFB 003.003\n');
  assert.deepEqual([...(await old.read(4))], [0, 0, 0, 1]);
  old.socket.write(Buffer.from([0]));
  await old.read(24);
  old.socket.resume();
  const closed = new Promise((resolve) => old.socket.once('close', resolve));
  old.socket.write(Buffer.from([6, 0, 0, 0, 255, 255, 255, 255]));
  await closed;
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

test('a guest with an agent tells of itself while it runs, and holds its filesystems still', async () => {
  const backend = await boot({});
  const spec = testSpec(1, { name: 'Web #1', platform: { 'sim:agent': 'true' } });
  const seen = async () => backend.vm.observe(id);
  await backend.vm.create(spec, 1);
  await backend.vm.build(spec);
  assert.equal((await seen())?.guest, undefined);
  await backend.vm.unpause(id);
  const report = (await seen())?.guest;
  assert.equal(report?.hostName, 'web-1');
  assert.deepEqual(report?.can, ['shutdown', 'freeze', 'vcpus']);
  for (let i = 0; i < 2; i++) await backend.guest?.freeze?.(id, {});
  assert.equal(backend.world.domains.get(id)?.frozen, true);
  for (let i = 0; i < 2; i++) await backend.guest?.thaw?.(id);
  assert.equal(backend.world.domains.get(id)?.frozen, false);
  await backend.close();
});
