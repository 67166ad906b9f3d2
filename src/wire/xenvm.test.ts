import assert from 'node:assert/strict';
import test from 'node:test';
import { readStartup, readXenvm } from './xenvm-config.ts';
import { parseXenvmDisk, parseXenvmDisplay, parseXenvmNic, parseXenvmPci } from './xenvm-devices.ts';
import { parseInteger } from './xenvm-syntax.ts';

test('the grammar: blanks, comments, first "=", last scalar wins, lists grow, both spellings', () => {
  const c = readXenvm(
    'f',
    '\t memory =  0x40 \r\n# memory = 1\nno equals\ncmdline = a=b c # d\nvcpus=1\nvcpus = 2\non_reboot = reboot\nvif =\nnic = id=2\n',
  );
  assert.equal(c.number('memory'), 64);
  assert.equal(c.text('cmdline'), 'a=b c # d');
  assert.equal(c.number('vcpus'), 2);
  assert.equal(c.text('on_restart'), 'reboot');
  assert.deepEqual(
    c.list('nic').map((s) => s.value),
    ['', 'id=2'],
  );
  assert.deepEqual(
    [c.flag('hvm'), c.flag('usb'), c.text('boot'), c.number('videoram')],
    [false, true, 'cd', undefined],
  );
  assert.deepEqual(['0o17', '0b11', '-3', '1.5', ''].map(parseInteger), [15, 3, -3, undefined, undefined]);
});

test('every mistake is told with its place', () => {
  const text =
    'uuid = x\n  memroy = 3\nhvm=maybe\ndebug = 1\nmemory = 0\ncpuid = 0x1:eax=0101\ndisk = /a:tape:hda:w:disk\ndisk = /a:phy:hda:w:disk:odd\nvif = mac=1\npci = 0,zz\ndisplay = x\nnotify = tcp6,::1\nstartup = restor /x\nname = a\u0001b\n';
  const expected = [
    'f:1:8: uuid: "x" is no UUID',
    'f:2:3: memroy: there is no such key',
    'f:3:5: hvm: "maybe" is neither true nor false',
    'f:4:9: debug: "1" is neither true nor false',
    'f:5:10: memory: 0 is not from 1 to 16777216',
    'f:6:9: cpuid: "0x1:eax=0101" is not NODE[+NODE]:REGISTER=MASK with 32 of 0, 1, x, s, k',
    'f:7:11: disk: the type is "tape"; it may be phy, file, qcow, vhd, aio, vdi',
    'f:8:26: disk: the snapshot is "odd"; it may be temporary, temporary-encrypted, coalesce, scripted, scripted-author, scripted-no-snapshot',
    'f:9:11: vif: mac: "1" is no address such as 00:16:3e:00:00:01, nor random, nor vm',
    'f:10:9: pci: "zz" is no address such as 0000:00:19.0',
    'f:11:11: display: the display is "x"; it may be none, vnc, sdl, intel',
    'f:12:10: notify: "tcp6,::1" is not unix,PATH or tcp,ADDRESS:PORT or dbus[,PATH]',
    'f:13:11: startup: "restor /x" is none of start, paused, shutdown, restore /FILE, restore-del /FILE',
    'f:14:9: name: it has a control character',
  ];
  assert.throws(
    () => readXenvm('f', text),
    (error: Error) => {
      assert.deepEqual(error.message.split('\n'), expected);
      return true;
    },
  );
  assert.throws(() => readXenvm('f', 'a'.repeat((1 << 20) + 1)), /f:1:1: file: it has 1048577 characters/);
});

test('drives: five, six and more fields, names and numbers', () => {
  const disk = (text: string) => parseXenvmDisk(text);
  assert.deepEqual(disk('/dev/vg/test:phy:sda:w:disk').number, { bus: 'sd', disk: 0, partition: 0 });
  assert.deepEqual(disk('/a:file:/dev/hdd1:r:cdrom:none').number, { bus: 'hd', disk: 3, partition: 1 });
  assert.equal(disk('/a:vhd:hda:w:disk:temporary:key-dir=/k').snapshot, 'temporary');
  assert.equal(disk('/a:phy:hda:w:disk:backend-domid=3:junk').options.get('backend-domid'), '3');
  assert.deepEqual(disk('/a:phy:hda:w:disk::backend-domid=0').snapshot, '');
  for (const [number, bus, index, partition] of [
    [768, 'hd', 0, 0],
    [5633, 'hd', 2, 1],
    [23360, 'hd', 19, 0],
    [2065, 'sd', 1, 1],
    [51728, 'xvd', 1, 0],
  ] as const)
    assert.deepEqual(disk(`/a:phy:${number}:w:disk`).number, { bus, disk: index, partition });
  for (const wrong of [
    '',
    'a:b',
    '/a:phy:fda:w:disk',
    '/a:phy:257:w:disk',
    '/a:phy:hda:x:disk',
    ':phy:hda:w:disk',
    'rel:phy:hda:w:disk',
  ])
    assert.throws(() => disk(wrong), { name: 'Mistake' });
});

test('interfaces, PCI devices, screens, what is done at the start', () => {
  const nic = parseXenvmNic('id=3,bridge=br0,mac=02:00:00:00:00:0A,wireless=true,odd=1');
  assert.deepEqual([nic.id, nic.bridge, nic.mac, nic.wireless], [3, 'br0', '02:00:00:00:00:0a', true]);
  assert.equal(parseXenvmNic('').id, -1);
  for (const wrong of ['id=32', 'junk', 'wireless=x', 'mac=03:00:00:00:00:01', 'bridge=a/b'])
    assert.throws(() => parseXenvmNic(wrong), { name: 'Mistake' });
  const pci = parseXenvmPci('1,bind,0000:03:10.1,msitranslate=1');
  assert.deepEqual([pci.id, pci.bind, pci.address, pci.options.get('msitranslate')], [1, true, '0000:03:10.1', '1']);
  assert.deepEqual(parseXenvmDisplay('vnc:use-port-unused,keymap=en-us,port=5901'), {
    kind: 'vnc',
    keymap: 'en-us',
    port: 5901,
  });
  assert.deepEqual(parseXenvmDisplay('sdl:x').kind, 'sdl');
  assert.throws(() => parseXenvmDisplay('vnc:port=x'), { name: 'Mistake', offset: 4 });
  assert.deepEqual(readStartup('restore-del /a b'), { do: 'restore', file: '/a b', remove: true });
  assert.deepEqual([readStartup('poweroff').do, readStartup('started').do], ['shutdown', 'start']);
});
