import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { charDevice, cpio, file, folder, link } from './cpio.ts';

const hasCpio = spawnSync('cpio', ['--version']).status === 0;

test('cpio reads back what was written', { skip: !hasCpio && 'the program cpio is not installed' }, () => {
  const archive = cpio([
    folder('dev'),
    charDevice('dev/console', 5, 1),
    file('a', Buffer.from('12345'), 0o755),
    file('name-of-odd-length', Buffer.from('')),
    link('b', 'a'),
  ]);
  assert.equal(archive.length % 4, 0);
  const listed = spawnSync('cpio', ['-tv', '--quiet'], {
    input: archive,
    encoding: 'utf8',
    env: { LC_ALL: 'C', TZ: 'UTC' },
  });
  assert.equal(listed.status, 0, listed.stderr);
  const lines = listed.stdout
    .trim()
    .split('\n')
    .map((l) => l.replaceAll(/\s+/g, ' '));
  assert.deepEqual(
    lines.map((l) => l.replace(/ root root /, ' ').replace(/ Jan 1 1970/, '')),
    [
      'drwxr-xr-x 2 0 dev',
      'crw------- 1 5, 1 dev/console',
      '-rwxr-xr-x 1 5 a',
      '-rw-r--r-- 1 0 name-of-odd-length',
      'lrwxrwxrwx 1 1 b -> a',
    ],
  );
});
