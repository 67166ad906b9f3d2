import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runSettings, SettingsFailure } from './index.ts';
import { Dict, Module, Native, repr, type Value } from './values.ts';

const addOffset = new Native('add_offset_to_ip', ({ all: [ip, n] }) => {
  const parts = String(ip).split('.').map(Number);
  parts[3] = (parts[3] ?? 0) + Number(n);
  return parts.join('.');
});
const modules = [new Module('XenoUtil', { add_offset_to_ip: addOffset })];

function run(text: string, variables: Record<string, string> = {}) {
  let [out, err] = ['', ''];
  const settings = runSettings({
    ...{ file: 'f', text, variables, modules },
    out: (t) => {
      out += t;
    },
    err: (t) => {
      err += t;
    },
  });
  return { settings, get: (name: string) => repr(settings.get(name) as Value), out: () => out, err: () => err };
}
const fails = (text: string, message: RegExp) =>
  assert.throws(
    () => run(text),
    (e) => e instanceof SettingsFailure && message.test(e.message),
  );
const value = (expression: string) => run(`x = ${expression}`).get('x');

const example = `def config_usage():
    print >>sys.stderr, "needs -D slot=1..9"
try:
    slot = int(slot)
except:
    assert()
image = "/boot/guest.gz"
ramdisk = ""
builder_fn = 'linux'
mem_size = 48
domain_name = "guest-%d" % slot
vfr_ipaddr = [XenoUtil.add_offset_to_ip('169.254.1.0', slot)]
vbd_list = [('phy:hda%d' % (4 + slot), 'hda1', 'w'), ('vd:3', 'hda2', 'r')]
vbd_expert = 0
cmdline_ip = "ip=%s:169.254.1.0:169.254.1.0:255.255.0.0::eth0:off" % vfr_ipaddr[0]
cmdline_root = "root=/dev/hda1 ro"
cmdline_extra = "3"
auto_restart = False
`;
test('a whole settings file', () => {
  const { get } = run(example, { slot: '3' });
  assert.equal(get('domain_name'), "'guest-3'");
  assert.equal(get('vfr_ipaddr'), "['169.254.1.3']");
  assert.equal(get('vbd_list'), "[('phy:hda7', 'hda1', 'w'), ('vd:3', 'hda2', 'r')]");
  assert.equal(get('cmdline_ip'), "'ip=169.254.1.3:169.254.1.0:169.254.1.0:255.255.0.0::eth0:off'");
  assert.equal(get('auto_restart'), 'False');
});
test('a file that refuses: its usage can be shown, and where it refused is told', () => {
  let err = '';
  const io = { out: () => undefined, err: (t: string) => void (err += t) };
  try {
    runSettings({ file: 'defaults', text: example, variables: {}, modules, ...io });
    assert.fail('it did not refuse');
  } catch (e) {
    assert.ok(e instanceof SettingsFailure);
    assert.match(e.message, /^defaults:6:5: AssertionError/);
    e.settings?.call('config_usage');
  }
  assert.equal(err, 'needs -D slot=1..9\n');
});
test('values', () => {
  for (const [written, shown] of [
    ['7 / 2', '3'],
    ['-7 / 2', '-4'],
    ['-7 % 3', '2'],
    ['2 ** 3 ** 2', '512'],
    ['-2 ** 2', '-4'],
    ['0x10 + 010', '24'],
    ['10L', '10'],
    ['1 < 2 < 3', 'True'],
    ['1 < 3 < 2', 'False'],
    ['not 0', 'True'],
    ['1 and 2 or 3', '2'],
    ['"a" "b"', "'ab'"],
    ["'''a\nb'''", "'a\\nb'"],
    ["r'\\n'", "'\\\\n'"],
    ['"x" * 3', "'xxx'"],
    ['[1] + [2]', '[1, 2]'],
    ['(1,)', '(1,)'],
    ['()', '()'],
    ['"%s %5d|%-5s|%05.1f %x" % ("a", 42, "b", 2.5, 255)', "'a    42|b    |002.5 ff'"],
    ['"%(a)s" % {"a": 1}', "'1'"],
    ['[1, 2, 3][-1]', '3'],
    ['"hello"[1:3]', "'el'"],
    ['[i * 2 for i in range(3) if i]', '[2, 4]'],
    ['map(int, "1 2".split())', '[1, 2]'],
    ['string.join(["a", "b"], "-")', "'a-b'"],
    ['"a" in "cat"', 'True'],
    ['{"k": [1]}["k"]', '[1]'],
    ['len("abc")', '3'],
    ['max(1, 3, 2)', '3'],
    ['"yes" if 1 else "no"', "'yes'"],
    ['(lambda a, b=2: a + b)(1)', '3'],
    ['None is None', 'True'],
    ['"it\'s"', '"it\'s"'],
  ] as const)
    assert.equal(value(written), shown, written);
});
test('statements', () => {
  assert.equal(run('a = b = 1\na += 2\n').get('a'), '3');
  assert.equal(run('a, (b, c) = 1, [2, 3]').get('c'), '3');
  assert.equal(run('if 0: a = 1\nelif 1:\n  a = 2\nelse: a = 3').get('a'), '2');
  assert.equal(run('a = 0\nfor i in range(10):\n  if i == 5: break\n  if i % 2: continue\n  a += i').get('a'), '6');
  assert.equal(run('a = 0\nwhile a < 5: a = a + 1').get('a'), '5');
  assert.equal(run('def f(n):\n  if n < 2: return 1\n  return n * f(n - 1)\na = f(5)').get('a'), '120');
  assert.equal(run('try:\n  x\nexcept NameError, e:\n  a = str(e)').get('a'), `"name 'x' is not defined"`);
  assert.equal(run('try:\n  int("x")\nexcept (KeyError, ValueError): a = 1\nelse: a = 2').get('a'), '1');
  assert.equal(run('try:\n  a = 1\nfinally:\n  b = 2').get('b'), '2');
  assert.equal(run('l = []\nl.append(1); l.append(2)\ndel l[0]').get('l'), '[2]');
  assert.equal(run('import string, sys') ? 1 : 0, 1);
  assert.equal(run('from string import *\na = upper("x")').get('a'), "'X'");
  assert.equal(run('print "a", 1,\nprint "b"').out(), 'a 1 b\n');
  assert.equal(run('x = [1,\n  2, # two\n\n  3]\n').get('x'), '[1, 2, 3]');
  assert.equal(run('if 1:\n\ta = 1\n        b = 2\n').get('b'), '2');
  assert.ok(run('d = {}\nd[1] = 2').settings.get('d') instanceof Dict);
});
test('mistakes are told with their places', () => {
  fails('a = ', /^f:1:5: a value is expected, not the end of the line/);
  fails('a = (1', /f:1:7: a bracket is not closed/);
  fails('a = "x', /f:1:5: this string has no end/);
  fails('if 1:\na = 1', /f:2:1: an indented line is expected/);
  fails('a = 1\n  b = 2', /f:2:3: this line is indented without need/);
  fails('a = 1\nb = c', /f:2:5: NameError: name 'c' is not defined/);
  fails('a = ?', /f:1:5: nothing begins with "\?"/);
  fails('1 = 2', /f:1:1: nothing can be assigned/);
  fails('import subprocess', /there is no module subprocess here/);
  fails('open("/etc/passwd")', /name 'open' is not defined/);
  fails('"".__class__', /str has no __class__/);
  fails('x = [].constructor', /list has no constructor/);
  fails('string.constructor', /has no constructor/);
});
test('a file cannot run for ever, nor fill the memory', () => {
  fails('while 1: pass', /more than 1000000 steps/);
  fails('a = "x"\nwhile 1: a = a + a', /MemoryError/);
  fails('a = "x" * 10000000', /MemoryError/);
  fails('def f(): return f()\nf()', /too deeply/);
  fails(`a = ${'('.repeat(5000)}`, /too deeply|not closed/);
  fails(`a = ${'-'.repeat(5000)}1`, /too many signs/);
  fails('a = []\na.append(a)\nb = str(a)\nwhile 1: b = b + b', /MemoryError/);
  fails('x = 9 ** 99', /OverflowError/);
});
test('any text is a settings file, or is refused with a place', () => {
  const words = fc.constantFrom(
    ...'a b = + - ( ) [ ] { } : , . "s" \'t\' 1 0x1 if else elif for in def try except return print not and or lambda % * \n'.split(
      ' ',
    ),
    '\n  ',
    '\n',
    '>>',
    'sys.stderr',
    'int',
    'range',
  );
  const texts = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 40 }).map((w) => w.join(' ')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        run(text);
      } catch (e) {
        assert.ok(e instanceof SettingsFailure, String(e));
        assert.match(e.message, /^f:\d+:\d+: /);
      }
    }),
    { numRuns: 2000 },
  );
});
