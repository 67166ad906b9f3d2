import assert from 'node:assert/strict';
import test from 'node:test';
import { ConfigError, readConfig, readOptions, usualConfig } from './config.ts';

const read = (text: string, ...args: string[]) => readConfig(readOptions(args), [{ file: 'x.conf', text }]);

test('lines, comments, quotes; the file wins over the command line, which wins over what is usual', () => {
  const { values, paths, warnings } = read(
    '# about\n\nqueue = "a.simulator" # mine\npersist=false\nvgpu-ready-timeout = 60\nqemu-system-i386 = /opt/qemu\n',
    '-persist',
    'true',
    '--sockets-path=/run/x',
  );
  assert.deepEqual(
    [values.queue, values.persist, values['sockets-path'], values['worker-pool-size']],
    ['a.simulator', 'false', '/run/x', '4'],
  );
  assert.deepEqual([...paths], [['qemu-system-i386', '/opt/qemu']]);
  assert.deepEqual(warnings, ['x.conf:5:22: vgpu-ready-timeout: it changes nothing here']);
});

test('a mistake is told by file, line, column, key and why', () => {
  for (const [text, message] of [
    ['\n  nonsense = 1', 'x.conf:2:3: nonsense: there is no such setting'],
    ['persist = maybe', 'x.conf:1:11: persist: "maybe" is neither true nor false'],
    ['worker-pool-size = -1', 'x.conf:1:20: worker-pool-size: "-1" is no number'],
    ['database-path = db', 'x.conf:1:17: database-path: "db" is no absolute path'],
    ['numa-placement = true', 'x.conf:1:18: numa-placement: "true" is not supported; leave it out, or write false'],
    ['queue', 'x.conf:1:1: queue: "key = value" is expected'],
    ['__proto__ = 1', 'x.conf:1:1: __proto__: there is no such setting'],
  ] as const)
    assert.throws(() => read(text), new ConfigError(message));
  assert.throws(() => readOptions(['what']), { message: 'what: is no option; see xenopsd --help' });
  assert.throws(() => readOptions(['-queue']), { message: '--queue: its value is missing' });
  assert.throws(() => readConfig(readOptions(['--foo=1']), []), { message: '--foo: there is no such setting' });
});

test('the usual configuration is read without a word', () => {
  assert.deepEqual(read(usualConfig()).warnings, []);
});
