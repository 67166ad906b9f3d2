/** xenvm over the one core: the examples of OpenXT's page as they are written, every command of it, and what goes wrong. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { type Monitor, type MonitorOptions, type NoMonitor, openMonitor } from '../../src/doors/xenvm/monitor.ts';
import { sendCommand } from '../../src/doors/xenvm/socket.ts';
import { type TestHouse, testHouse } from './house.ts';

const pv = `uuid = 00000000-0000-0000-0000-000000000001
hvm = false
kernel = /boot/vmlinuz-2.6.18-xenU
cmdline = root=/dev/sda1 ro
memory = 64
disk = /dev/vg/test:phy:sda:w:disk
vif =
`;
const hvm = `uuid = 00000000-0000-0000-0000-000000000002
hvm = true
memory = 256
disk = /dev/vg/testhvm:phy:hda:w:disk
disk = /var/opt/xen/iso_import/w2k3eesp2.iso:file:hdd:r:cdrom
boot = dc
pae = true
acpi = true
apic = true
`;
const pvId = '00000000-0000-0000-0000-000000000001';

function doorOf(h: TestHouse) {
  const warned: string[] = [];
  const monitors: Monitor[] = [];
  const file = (text: string, name = 'vm.cfg') => {
    const path = join(h.data, name);
    writeFileSync(path, text);
    return path;
  };
  const open = async (o: MonitorOptions) => {
    const monitor = await openMonitor(o, {
      xenops: h.house.xenops,
      uuid: () => crypto.randomUUID(),
      bridge: 'xenbr0',
      socketOf: (uuid) => join(h.data, 'run', 'xenvm', `vm-${uuid}`),
      warn: (line) => void warned.push(line),
      log: silentLog,
      readFile: (path) => {
        if (!existsSync(path)) throw new Error(`${path}: there is no such file`);
        return readFileSync(path, 'utf8');
      },
      createFile: (path) => writeFileSync(path, '', { flag: 'wx' }),
      removeFile: (path) => rmSync(path, { force: true }),
    });
    monitors.push(monitor);
    const ask = (method: string, params = {}) => sendCommand(monitor.socketPath, method, params, 30_000);
    const refusal = async (method: string, params = {}): Promise<string> =>
      ask(method, params).then(
        () => 'it was not refused',
        (error: Error) => error.message,
      );
    return { monitor, ask, refusal };
  };
  const noMonitor = async (o: MonitorOptions): Promise<readonly [number, string]> => {
    try {
      (await open(o)).monitor.quit('unwanted');
    } catch (error) {
      return [(error as NoMonitor).status, (error as Error).message];
    }
    return [0, 'it was opened'];
  };
  const quit = () => {
    for (const monitor of monitors) monitor.quit('the test is over');
  };
  return { file, open, noMonitor, warned, [Symbol.dispose]: quit };
}

test('the examples run as they are written, and one VM is seen by all', async () => {
  await using h = await testHouse();
  using door = doorOf(h);
  const { open, file, warned } = door;
  const { db } = h.house;
  const first = await open({ file: file(pv) });
  const second = await open({ file: file(hvm, 'hvm.cfg') });
  assert.deepEqual([first.monitor.id, warned], [pvId, []]);
  const record = db.get('VM', db.byUuid('VM', pvId));
  assert.deepEqual(
    [record.power_state, record.memory_static_max, record.PV_args],
    ['Running', 64 << 20, 'root=/dev/sda1 ro'],
  );
  const installed = db.get('VM', db.byUuid('VM', second.monitor.id));
  assert.deepEqual(
    [installed.power_state, installed.HVM_boot_params['order'], installed.VBDs.length],
    ['Running', 'dc', 2],
  );
  assert.equal(await second.ask('status'), 'running');
  await h.house.root('VM.pause', db.byUuid('VM', pvId));
  assert.equal(await first.ask('status'), 'paused');
  await h.house.root('VM.unpause', db.byUuid('VM', pvId));
  await h.house.root('VM.hard_shutdown', db.byUuid('VM', pvId));
  assert.equal(await first.ask('status'), 'shutdown');
  await h.house.root('VM.destroy', db.byUuid('VM', pvId));
  assert.equal(await first.monitor.ended, 'the VM was forgotten');
  second.monitor.quit('done');
});

test('every command of the page', async () => {
  await using h = await testHouse();
  using door = doorOf(h);
  const { open, file } = door;
  const { monitor, ask, refusal } = await open({ file: file(pv) });
  const image = join(h.data, 'image');
  assert.match(await ask('help'), /^suspend file=… \[live=…\] /m);
  const steps: readonly (readonly [string, Record<string, string>, string])[] = [
    ['pause', {}, 'paused'],
    ['unpause', {}, 'running'],
    ['suspend', { file: image }, 'suspended'],
    ['restore', { file: image }, 'running'],
    ['suspend', { file: image, live: 'true' }, 'suspended'],
    ['restore', { file: image, delete: 'false', paused: 'true' }, 'paused'],
    ['unpause', {}, 'running'],
    ['checkpoint', { file: `${image}.2` }, 'running'],
    ['restart', {}, 'running'],
    ['shutdown', {}, 'shutdown'],
    ['restore', { file: `${image}.2` }, 'running'],
    ['destroy', {}, 'shutdown'],
    ['start', { paused: 'true' }, 'paused'],
    ['destroy', {}, 'shutdown'],
    ['start', {}, 'running'],
    ['reboot', { forced: 'true', 'auto-start': 'false' }, 'shutdown'],
    ['start', {}, 'running'],
  ];
  for (const [command, params, state] of steps) {
    assert.equal(await ask(command, params), '');
    assert.equal(await ask('get-status'), state, command);
  }
  assert.ok(existsSync(image) && !existsSync(`${image}.2`), 'restore deletes what it was not told to keep');
  assert.equal(await refusal('suspend', { file: image }), `EEXIST: file already exists, open '${image}'`);
  assert.match(await refusal('suspend', { file: 'relative' }), /file: "relative" is no absolute path/);
  assert.match(await refusal('suspend'), /file: it is missing/);
  assert.match(await refusal('start', { pased: 'true' }), /pased: start does not take it; it takes paused/);
  assert.match(await refusal('start', { paused: 'perhaps' }), /neither true nor false/);
  assert.equal(await refusal('constructor'), 'unknown RPC');
  assert.equal(await ask('s3suspend', { timeout: '60' }), '');
  assert.equal(await ask('trigger', { params: 's3resume' }), '');
  assert.match(await refusal('s3suspend', { timeout: 'long' }), /"long" is no number of seconds/);
  assert.match(await refusal('trigger', { params: 'nmi' }), /"nmi" is no trigger/);
  assert.match(await refusal('s4suspend'), /not asked to hibernate/);
  assert.equal(await ask('set', { field: 'memory', value: '131072' }), '');
  assert.equal(await ask('get', { field: 'memory' }), '131072');
  assert.equal(await ask('device', { type: 'vbd', cmd: 'add', extra: '/x:file:hdc:r:cdrom' }), '');
  assert.match(await ask('device', { type: 'disk', cmd: 'list' }), /^(hd|xvd)c \| CD \| RO \| \/x$/m);
  assert.equal(await ask('nic-add', { bridge: 'xenbr0' }), '');
  assert.match(await ask('nic-list'), /^1 \| f2:48:68:4f:d0:81 \| xenbr0$/m);
  await ask('read-config');
  assert.equal(await ask('get', { field: 'memory' }), '65536');
  await ask('quit');
  assert.equal(await monitor.ended, 'quit');
  assert.equal((await h.house.xenops.vm.stat({ id: pvId })).state.power, 'Running', 'quit leaves the VM');
  assert.equal(existsSync(monitor.socketPath), false);
});

test('a restore that fails leaves the VM as it was', async () => {
  await using h = await testHouse({ quiet: true });
  using door = doorOf(h);
  const { open, file } = door;
  const { monitor, ask, refusal } = await open({ file: file(`startup = shutdown\n${pv}`) });
  assert.notEqual(await refusal('restore', { file: '/nowhere/image' }), 'it was not refused');
  assert.equal(await ask('status'), 'shutdown');
  await ask('start');
  const image = join(h.data, 'image');
  await ask('suspend', { file: image });
  assert.match(await refusal('restore', { file: `${image}.other` }), /the VM was saved to .*image, not to .*other/);
  assert.equal(await ask('status'), 'suspended');
  await ask('destroy');
  assert.equal(await ask('status'), 'shutdown');
  monitor.quit('done');
});

test('startup = restore goes on with what was saved', async () => {
  await using h = await testHouse();
  using door = doorOf(h);
  const { open, file, noMonitor } = door;
  const first = await open({ file: file(pv) });
  const image = join(h.data, 'image');
  await first.ask('suspend', { file: image });
  await first.ask('quit');
  assert.match((await noMonitor({ file: file(pv) }))[1], /it is suspended in .*image; startup = restore FILE goes on/);
  const second = await open({ file: file(`${pv}startup = restore-del ${image}\n`) });
  assert.deepEqual([await second.ask('status'), existsSync(image)], ['running', false]);
  second.monitor.quit('done');
});

test('whoever is named in notify hears of every change', async (t) => {
  await using h = await testHouse();
  using door = doorOf(h);
  const { open, file } = door;
  const heard: string[] = [];
  const path = join(h.data, 'listener');
  const told = Promise.withResolvers<void>();
  const listener = createServer((socket) =>
    socket.setEncoding('utf8').on('data', (line: string) => {
      heard.push(line.trim());
      if (line.includes(':hup')) told.resolve();
    }),
  ).listen(path);
  t.after(() => listener.close());
  const { monitor } = await open({ file: file(`${pv}notify = unix,${path}\n`) });
  await h.house.xenops.vm.pause({ id: pvId });
  await h.house.xenops.vm.shutdown({ id: pvId, timeoutS: null });
  monitor.quit('done');
  await told.promise;
  for (const line of ['0:ping', '61440:vm:state:running', '61440:vm:state:paused', '61440:vm:state:shutdown', '1:hup'])
    assert.ok(heard.includes(`${pvId}:${line}`), `${line}: ${heard.join(' ')}`);
});

test('what is wrong is said with its status, and nothing is left of it', async () => {
  await using h = await testHouse({ quiet: true });
  using door = doorOf(h);
  const { open, file, noMonitor } = door;
  const before = (await h.house.xenops.vm.list({})).length;
  assert.deepEqual(await noMonitor({ file: file('hvm = maybe\nmemory = x\n') }), [
    3,
    `${join(h.data, 'vm.cfg')}:1:7: hvm: "maybe" is neither true nor false\n${join(h.data, 'vm.cfg')}:2:10: memory: "x" is no whole number`,
  ]);
  assert.deepEqual(await noMonitor({ file: '/none' }), [3, '/none: there is no such file']);
  assert.deepEqual(await noMonitor({}), [3, 'name a file, or the --uuid of a VM that is there']);
  assert.match((await noMonitor({ uuid: pvId }))[1], /there is no VM/);
  const [status, why] = await noMonitor({ file: file('hvm=1\nname=big\nmemory=16000000\n') });
  assert.deepEqual([status, /^big: the VM .* needs .* bytes of memory/.test(why)], [4, true]);
  assert.equal((await h.house.xenops.vm.list({})).length, before, 'no VM was left');
  const { monitor } = await open({ file: file(pv) });
  assert.equal((await noMonitor({ file: file(pv) }))[0], 2);
  assert.equal((await noMonitor({ uuid: pvId }))[0], 1);
  monitor.quit('done');
});
