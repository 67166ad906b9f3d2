import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readXl, type XlDomain } from './xl-config.ts';
import { mutations } from './xl-corpus.ts';
import { cpusText, parseXlCpus } from './xl-cpus.ts';
import { deviceName, parseDeviceNumber } from './xl-device-number.ts';
import { parseXlDisk } from './xl-disk.ts';
import { parseXl, XlError } from './xl-syntax.ts';
import { parseXlPci, parseXlVif } from './xl-vif.ts';
import { writeXl, xlString } from './xl-write.ts';

const refuse = (index: number, why: string) => new XlError('f', { line: 1, column: index }, 'k', why);
const disk = (text: string) => parseXlDisk(text, refuse);
const quoted = (text: string) => ({ kind: 'string' as const, text, at: { line: 1, column: 1 } });
const read = (text: string): XlDomain => readXl('f', text).domain;
const told = (text: string): string => {
  try {
    readXl('f', text);
  } catch (error) {
    assert.ok(error instanceof XlError, String(error));
    return error.message;
  }
  return 'fine';
};

test("the seeds' file means what it meant", () => {
  const d = read(
    "disk=[ 'phy:/dev/loop0,hda,w', ',hdb:cdrom,r' ]\nvif=[ 'mac=00:16:3E:74:3d:77,model=rtl8139,bridge=xenbr0' ]\npci=[  ]\n",
  );
  assert.deepEqual(
    d.disks.map(({ target, vdev, readOnly, type }) => ({ target, vdev, readOnly, type })),
    [
      { target: '/dev/loop0', vdev: 'hda', readOnly: false, type: 'disk' },
      { target: '', vdev: 'hdb', readOnly: true, type: 'cdrom' },
    ],
  );
  const [vif] = d.vifs;
  assert.deepEqual(
    [d.type, d.memory, vif?.mac, vif?.bridge, vif?.model],
    ['hvm', 64, '00:16:3e:74:3d:77', 'xenbr0', 'rtl8139'],
  );
});

test('the grammar: separators, comments, escapes, numbers, nesting, +=', () => {
  const { settings, warnings } = parseXl(
    'f',
    `a=1;b = 0x1f # c\nc='it\\'s \\x41\\102\\n' ; d=[ 'x', [ 010, ], ]\nd += 'y'\na=2\n`,
  );
  const value = (key: string) => settings.get(key)?.value;
  assert.deepEqual(
    [value('a'), value('b')].map((v) => v?.kind === 'number' && v.value),
    [2, 31],
  );
  const c = value('c');
  assert.equal(c?.kind === 'string' && c.text, "it's AB\n");
  const d = value('d');
  assert.deepEqual(d?.kind === 'list' && d.items.map((v) => v.kind), ['string', 'list', 'string']);
  assert.deepEqual(warnings, ['f:4:1: a: is there twice; the one in line 1 is not used']);
});

test('a mistake is told by file, line, column, key and why', () => {
  for (const [text, message] of [
    ['x', 'f:1:2: x: expected "=" or "+=", the file ends'],
    ['\n  X=1', 'f:2:3: syntax: expected the name of a setting, found "X"'],
    ["name='a", "f:1:6: name: the string has no end: ' is missing"],
    ['vcpus=[1', 'f:1:7: vcpus: the list has no end: "]" is missing'],
    ['vcpus=1 2', 'f:1:9: vcpus: expected the end of the setting: a new line or ";", found "2"'],
    [
      'memory = 64.5',
      'f:1:12: memory: expected the end of the setting: a new line or ";", found "."; Python syntax is not supported, only literals',
    ],
    ['vcpus=089', 'f:1:7: vcpus: 089 is no number: decimal, 0x… or octal with a leading 0'],
    ["vcpus='many'", 'f:1:7: vcpus: a number is expected, not "many"'],
    ['vcpus=0', 'f:1:7: vcpus: 0 is not possible; it must be between 1 and 4096'],
    ['memory=64\nmaxmem=32', 'f:2:8: maxmem: 32 is less than memory, 64'],
    ["name='x'\nfoo=1", 'f:2:1: foo: there is no such setting'],
    ["name='\\q'", 'f:1:7: name: \\q is no escape: \\\\ \\\' \\" \\n \\r \\t \\xHH \\ooo are'],
    ["disk=['/x,xvda','/y,hdz']", 'f:1:21: disk: "hdz" is no drive: xvda, hdc, sdb, fda, d0p1 or a number'],
    [
      "vif=['bridge=b','max=1']",
      'f:1:18: vif: there is no setting "max"; there are mac, bridge, type, model, mtu, devid, rate, vifname, script, ip, backend, gatewaydev, netdev, vlan, accel, forwarddev, colo-forwarddev, trusted, untrusted',
    ],
    ["type='pv'", 'f:1:1: kernel: a pv guest needs kernel or bootloader'],
    ["usbdev=['type=hostdev']", 'f:1:8: usbdev: this list is not supported; leave it out'],
    ['altp2m="mixed"', 'f:1:8: altp2m: "mixed" is not supported; leave it out, or write "disabled"'],
  ] as const)
    assert.equal(told(text), message);
});

test('old keys of xm are passed over with a warning; restart sets the actions', () => {
  const { domain, warnings } = readXl('f', "vhpt=1\nrestart='always'\n");
  assert.deepEqual(warnings, ['f:1:1: vhpt: only xend knew it; it is not used']);
  assert.deepEqual([domain.onPoweroff, domain.onReboot, domain.onCrash], ['restart', 'restart', 'restart']);
});

test('disks: positional, named, with prefixes, with commas in the path', () => {
  const of = (text: string) => {
    const { target, format, vdev, readOnly, type } = disk(text);
    return [target, format, vdev, readOnly ? 'r' : 'w', type];
  };
  assert.deepEqual(of('/img/a.qcow2,qcow2,xvda'), ['/img/a.qcow2', 'qcow2', 'xvda', 'w', 'disk']);
  assert.deepEqual(of('file:/img/a.raw,xvda1,r'), ['/img/a.raw', 'raw', 'xvda1', 'r', 'disk']);
  assert.deepEqual(of('tap:aio:/a,sda,w'), ['/a', 'raw', 'sda', 'w', 'disk']);
  assert.deepEqual(of('qcow2:/a,sda,w'), ['/a', 'qcow2', 'sda', 'w', 'disk']);
  assert.deepEqual(of('vg/lv,,hda'), ['/dev/vg/lv', 'raw', 'hda', 'w', 'disk']);
  assert.deepEqual(of('vdev=hdc, access=ro, devtype=cdrom, target=/iso/x, y.iso'), [
    '/iso/x, y.iso',
    'raw',
    'hdc',
    'r',
    'cdrom',
  ]);
  assert.deepEqual(of('/a,raw,hdc,r,cdrom'), ['/a', 'raw', 'hdc', 'r', 'cdrom']);
  assert.deepEqual(of('sm:sr/vdi,xvda,w'), ['sr/vdi', 'raw', 'xvda', 'w', 'disk']);
  assert.equal(disk('nbd:/x,xvda,w').others.get('script')?.value, 'block-nbd');
  for (const [text, message] of [
    ['foo:/x,xvda', 'f:1:0: k: "foo:" is no known kind of disk'],
    [',xvda,w', 'f:1:0: k: only a CD drive may be empty'],
    ['/x,xvda,w!', 'f:1:8: k: "w!" is no access: r, ro, w, rw'],
    ['/x,raw,xvda,w,more', 'f:1:14: k: "more" is one too many: PATH,FORMAT,VDEV,ACCESS are all there'],
    ['/x', 'f:1:2: k: the drive is missing: xvda, hdc, sdb …'],
  ] as const)
    assert.throws(() => disk(text), { message });
});

test('drives by name and number, both ways', () => {
  for (const name of ['xvda', 'xvdz15', 'xvdaa', 'hdc', 'hdt63', 'sdp15', 'fdb', 'd3p1', 'd1048575']) {
    const number = parseDeviceNumber(name);
    assert.ok(number, name);
    assert.equal(deviceName(number), name);
  }
  for (const name of ['', 'xvd', 'hdu', 'sdq', 'fdd', 'fda1', 'hda64', 'xvda16', 'xvda01', 'vda', 'd', 'xvdzzzzz'])
    assert.equal(parseDeviceNumber(name), undefined, name);
});

test('processors, rates and PCI addresses', () => {
  assert.deepEqual(parseXlCpus('0-3,5,^1', refuse), [0, 2, 3, 5]);
  assert.equal(parseXlCpus('all', refuse), undefined);
  assert.equal(cpusText([0, 2, 3, 5]), '0,2-3,5');
  for (const bad of ['', '^1', '3-1', 'nodes:0', 'x', 'all,^1', '1-99999'])
    assert.throws(() => parseXlCpus(bad, refuse), XlError);
  assert.deepEqual(parseXlVif(quoted('rate=10Mb/s@20ms'), refuse).rate, {
    bytesPerSecond: 1_250_000,
    intervalUs: 20_000,
  });
  const { domain, bus, device, fn, msitranslate } = parseXlPci(quoted('0001:0a:1f.7,msitranslate=1'), refuse);
  assert.deepEqual([domain, bus, device, fn, msitranslate], [1, 10, 31, 7, true]);
  for (const bad of ['', '0a:20.0', '0a:1f.8', 'x', '01:00.0,foo=1'])
    assert.throws(() => parseXlPci(quoted(bad), refuse), XlError);
});

test('what is written is read again', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0'));
  fc.assert(
    fc.property(text, fc.array(text), fc.nat(), (one, list, n) => {
      const { settings } = parseXl('f', writeXl({ one, list, n }));
      const [a, b, c] = ['one', 'list', 'n'].map((key) => settings.get(key)?.value);
      assert.equal(a?.kind === 'string' && a.text, one);
      assert.deepEqual(b?.kind === 'list' && b.items.map((v) => v.kind === 'string' && v.text), list);
      assert.equal(c?.kind === 'number' && c.value, n);
      assert.equal(xlString(one).includes('\n'), false);
    }),
    { numRuns: 300 },
  );
});

test('no mutation of a file does anything but be read or be refused with a place in it', () => {
  for (const text of mutations(1, 20_000)) {
    try {
      const { domain } = readXl('f', text);
      assert.ok(domain.memory > 0 && domain.maxMemory >= domain.memory && domain.vcpus > 0);
    } catch (error) {
      assert.ok(error instanceof XlError, `${JSON.stringify(text)}: ${(error as Error).stack}`);
      const lines = text.split('\n');
      assert.ok(error.at.line >= 1 && error.at.line <= lines.length, JSON.stringify([text, error.message]));
      const length = (lines[error.at.line - 1] ?? '').length;
      assert.ok(error.at.column >= 1 && error.at.column <= length + 1, JSON.stringify([text, error.message]));
    }
  }
});
