import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandName, shellWord } from './to-type.ts';
import { root } from './version.ts';

test('a command is named so that it is found', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-type-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.equal(commandName('xe', { PATH: '/nowhere' }, root), 'bin/xe');
  assert.equal(commandName('xe', { PATH: '/nowhere' }, '/'), shellWord(join(root, 'bin', 'xe')));
  symlinkSync(join(root, 'bin', 'xe'), join(folder, 'xe'));
  assert.equal(commandName('xe', { PATH: `/nowhere:${folder}` }, '/'), 'xe');
  // Another program of that name is not ours.
  writeFileSync(join(folder, 'guesthouse'), '', { mode: 0o755 });
  assert.equal(commandName('guesthouse', { PATH: folder }, root), 'bin/guesthouse');
});

test('words come through a shell as they were', () => {
  assert.equal(shellWord('/var/lib/guesthouse'), '/var/lib/guesthouse');
  for (const word of ['a b', "it's", '$HOME', '`x`', 'a\nb', '', '*', '"'])
    assert.equal(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' }), word);
});
