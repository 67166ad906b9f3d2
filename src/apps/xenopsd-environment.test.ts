import assert from 'node:assert/strict';
import test from 'node:test';
import { missingText, scanEnvironment, searchFolders } from './xenopsd-environment.ts';

test('what is missing is named with its feature, its package and the lines that would name it', () => {
  const found = scanEnvironment('qemu', new Map(), ['/usr/bin'], (path) => path !== '/usr/bin/qemu-img');
  const missing = found.filter((f) => !f.path);
  assert.deepEqual(
    missing.map((f) => missingText(f)),
    [
      'qemu-img was not found (/usr/bin/qemu-img), which is needed for disk images, and suspending to them: install the package ' +
        'qemu-utils, or name it: qemu-img=<path of qemu-img> in the configuration, --qemu-img=<path>',
    ],
  );
  const named = scanEnvironment('qemu', new Map([['qemu-system-i386', '/opt/q']]), ['/usr/bin'], (p) => p === '/opt/q');
  assert.equal(named[0]?.path, '/opt/q');
  assert.deepEqual(scanEnvironment('simulator', new Map(), []), []);
  assert.deepEqual(searchFolders('/a:b', { PATH: '/x:/y' }), ['/x', '/y', '/a']);
});
