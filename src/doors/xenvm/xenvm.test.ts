import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { readXenvm } from '../../wire/xenvm-config.ts';
import { readCommandLine, xenvmCmd } from './command-line.ts';
import { describe, inert } from './describe.ts';
import { generatedMac } from './devices.ts';
import { getField, setField } from './fields.ts';
import { sendCommand, serveCommands } from './socket.ts';

const id = '00000000-0000-0000-0000-000000000001';
const ground = { capabilities: ['pvh', 'hvm'], bridge: 'xenbr0' };
const specOf = (text: string) => describe(readXenvm('f', text), id, ground);
const refusal = (text: string): string => {
  try {
    specOf(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'it was not refused';
};

test('generated addresses are those of OpenXT', () => {
  const mac = (n: number, model = '') => generatedMac(id, n, { model, mac: '' });
  assert.deepEqual([mac(0), mac(1), mac(0, 'e1000')], ['4e:1c:b4:98:ed:0a', 'f2:48:68:4f:d0:81', 'd6:5c:04:f4:0a:8d']);
  assert.match(generatedMac(id, 0, { model: '', mac: 'random' }), /^00:16:3e:[0-7]/);
});

test('a configuration as a description', () => {
  const pv = specOf(
    'kernel=/k\ncmdline=root=/dev/sda1 ro\nmemory=64\nmemory-max=96\ndisk=/dev/vg/test:phy:sda:w:disk\nvif=\nvif=id=0,mac=vm\non_halt=preserve\non_reboot=reboot\ncpus-affinity=0:1,2,3\nplatform=a=b=c\n',
  );
  assert.deepEqual(pv.boot, { kind: 'kernel', kernel: '/k', cmdline: 'root=/dev/sda1 ro' });
  assert.deepEqual([pv.domainType, pv.memory.staticMax, pv.memory.dynamicMin], ['pvh', 96 << 20, 64 << 20]);
  assert.deepEqual([pv.onPoweroff, pv.onReboot, pv.onCrash], ['preserve', 'restart', 'destroy']);
  assert.deepEqual(pv.platform, { mask: '1-3', a: 'b=c' });
  assert.deepEqual(
    pv.vifs.map((v) => [v.position, v.mac]),
    [
      [1, 'f2:48:68:4f:d0:81'],
      [0, '4e:1c:b4:98:ed:0a'],
    ],
  );
  const hvm = specOf(
    'hvm=1\nmemory=64\nboot=dc\nkernel=/usr/lib/xen/boot/hvmloader\nacpi=yes\ndisk=/a:qcow:hda:w:disk\ndisk=:file:hdc:r:cdrom\nnic=model=e1000\n',
  );
  assert.deepEqual(hvm.boot, { kind: 'bios', order: 'dc' });
  assert.deepEqual(hvm.platform, { acpi: 'true', disk_bus: 'ide', nic_type: 'e1000' });
  assert.deepEqual(
    hvm.vbds.map((d) => [d.position, d.type, d.mode, d.media]),
    [
      [0, 'Disk', 'RW', { kind: 'path', path: '/a', format: 'qcow2' }],
      [2, 'CD', 'RO', null],
    ],
  );
  assert.deepEqual(inert(readXenvm('f', 'memory=1\nv4v=true\n')), ['f:2:5: v4v: it has no effect here']);
});

test('what nothing here would keep is refused by place', () => {
  const base = 'hvm=1\nmemory=64\n';
  const rows: readonly (readonly [string, RegExp])[] = [
    ['kernel=/k\n', /^f:1:1: memory: it is not set/],
    ['memory=64\n', /^f:1:1: kernel: it is not set/],
    ['memory=64\nkernel=k\n', /^f:2:8: kernel: "k" is no absolute path/],
    [`${base}memory-max=32\n`, /^f:3:12: memory-max: 32 is less than memory, 64/],
    [`${base}disk=/a:vhd:hda:w:disk\n`, /^f:3:9: disk: VHD images/],
    [`${base}disk=/a:phy:hda:w:disk:temporary\n`, /^f:3:24: disk: "temporary": snapshots/],
    [`${base}disk=/a:phy:hda:w:disk:backend-domid=2\n`, /^f:3:24: disk: disks of other domains/],
    [`${base}disk=/a:phy:hda:w:disk\ndisk=/b:phy:sda:w:disk\n`, /^f:4:13: disk: sda and hda are one drive/],
    [`${base}nic=id=1\nnic=id=1\n`, /^f:4:5: nic: there is an interface 1 already/],
    [`${base}nic=network=\\/wired\n`, /^f:3:5: nic: networks are known by their bridges/],
    [`${base}pci=0,0000:00:19.0\n`, /^f:3:5: pci: PCI devices/],
    [`${base}stubdom=x\n`, /^f:3:9: stubdom: device models/],
    [`${base}passthrough-io=0x60-0x64\n`, /^f:3:16: passthrough-io: ports/],
  ];
  for (const [text, message] of rows) assert.match(refusal(text), message);
});

test('fields are read from the description and change only what they name', () => {
  const spec = {
    ...specOf('hvm=1\nmemory=64\nacpi=yes\nnx=0\nserial=pty\nplatform=a=b\ndisk=/a:phy:hda:w:disk\n'),
    name: 'renamed elsewhere',
  };
  assert.deepEqual(
    ['name', 'memory', 'acpi', 'serial', 'hap', 'timeoffset', 'required-to-boot-kib'].map((f) => getField(spec, f)),
    ['renamed elsewhere', '65536', 'yes', 'pty', 'true', '', '66560'],
  );
  const more = setField(spec, 'memory', '131072', ground);
  assert.deepEqual([more.memory.staticMax, more.name, more.vbds], [128 << 20, spec.name, spec.vbds]);
  const off = setField({ ...more, platform: { ...more.platform, other: 'door' } }, 'acpi', 'no', ground);
  assert.deepEqual([off.platform['acpi'], off.platform['other'], off.platform['a']], ['false', 'door', 'b']);
  assert.throws(() => setField(spec, 'memory', 'x', ground), /memory: "x" is no whole number/);
  assert.throws(() => setField(spec, 'name', 'a\nmemory = 1', ground), /name: it has a control character/);
  for (const field of ['uuid', 'disk', 'nothing', '__proto__'])
    assert.throws(() => getField(spec, field), /there is no field/);
});

test('the command line: key=value, and lines of words as before', () => {
  const read = (...words: string[]) => {
    const { method, params } = readCommandLine([id, ...words]);
    return [method, { ...params }];
  };
  assert.deepEqual(read('suspend', 'file=/a b', 'live=true'), ['suspend', { file: '/a b', live: 'true' }]);
  assert.deepEqual(read('suspend', 'live', '/a'), ['suspend', { live: 'true', file: '/a' }]);
  assert.deepEqual(read('shutdown', 'force'), ['shutdown', { forced: 'true' }]);
  assert.deepEqual(read('restore-no-del', '/a'), ['restore', { file: '/a', delete: 'false' }]);
  assert.deepEqual(read(), ['help', {}]);
  assert.equal(readCommandLine(['--use-socket', '--reply-timeout', '5', id, 'status']).timeoutS, 5);
  assert.throws(() => readCommandLine(['x', 'status']), /"x" is no UUID/);
  assert.throws(() => readCommandLine([id, 'start', 'now']), /start: "now" is not KEY=VALUE/);
  assert.throws(() => readCommandLine(['--reply-timeout', '0', id]), /"0" is no number of seconds/);
});

test('the socket: length and JSON in, JSON out, what is no request is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-xenvm-'));
  const path = join(folder, `vm-${id}`);
  const server = await serveCommands(path, async (method, params) => {
    if (method === 'fail') throw new Error('no');
    return method === 'nothing' ? undefined : JSON.stringify(params);
  });
  t.after(async () => {
    server.close();
    await once(server, 'close');
    rmSync(folder, { recursive: true });
  });
  const raw = async (...pieces: Buffer[]) => {
    const socket = connect(path).setEncoding('utf8');
    for (const piece of pieces) socket.write(piece);
    socket.end();
    let text = '';
    for await (const piece of socket) text += piece as string;
    return text;
  };
  const framed = (text: string) => {
    const body = Buffer.from(text);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    return Buffer.concat([head, body]);
  };
  assert.equal(await sendCommand(path, 'echo', { a: 'é' }, 10_000), '{"a":"é"}');
  assert.equal(await sendCommand(path, 'nothing', {}, 10_000), '');
  await assert.rejects(sendCommand(path, 'fail', {}, 10_000), /^Error: no$/);
  await assert.rejects(sendCommand(`${path}x`, 'echo', {}, 10_000), /no xenvm serves this VM/);
  const whole = framed('{"jsonrpc":"2.0","method":"nothing","id":7}');
  assert.equal(
    await raw(whole.subarray(0, 2), whole.subarray(2, 9), whole.subarray(9)),
    '{"jsonrpc":"2.0","result":null,"id":7}',
  );
  for (const [given, message] of [
    [framed('{'), 'the request is no JSON'],
    [framed('[]'), 'the request is no object'],
    [framed('{"method":1}'), 'method: it must be a text'],
    [framed('{"method":"m","params":{"a":1}}'), 'a: it must be a text'],
    [Buffer.from([0xff, 0xff, 0xff, 0xff]), 'the request has 4294967295 bytes'],
    [Buffer.from([0, 0]), 'the request ended before it was whole'],
  ] as const)
    assert.match(await raw(given), new RegExp(`"code":-32602,"message":"${message}`));
  const said = { out: '', err: '' };
  const io = { out: (s: string) => void (said.out += s), err: (s: string) => void (said.err += s) };
  assert.equal(await xenvmCmd([id, 'get', 'field=name'], () => path, io), 0);
  assert.equal(await xenvmCmd([id, 'fail'], () => path, io), 1);
  assert.deepEqual(said, { out: '{"field":"name"}\n', err: 'error: no\n' });
});
