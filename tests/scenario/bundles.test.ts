/** Commands that run from a bundle notice when one of its sources is newer, and run from the source then. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { bundles, optionsFor } from '../../tools/bundle.ts';

const root = join(import.meta.dirname, '../..');

for (const [file, entry] of Object.entries(bundles)) {
  const command = join(root, 'bin', parse(file).name);
  // xe names the few that its bytes depend on, since it starts in a hundredth of a second.
  if (!existsSync(command) || parse(file).name === 'xe') continue;
  test(`bin/${parse(file).name} looks at every source of ${file}`, async () => {
    const { metafile } = await build({ ...optionsFor(file, entry), metafile: true, write: false, absWorkingDir: root });
    const text = readFileSync(command, 'utf8');
    const patterns = /for source in (.*); do/.exec(text)?.[1]?.replaceAll('"$root"', '').replaceAll('"', '').split(' ');
    const watched = new Set((patterns ?? []).flatMap((pattern) => globSync(pattern.replace(/^\//, ''), { cwd: root })));
    const sources = Object.keys(metafile.inputs).filter((path) => path.startsWith('src/'));
    assert.ok(sources.length > 3);
    assert.deepEqual(
      sources.filter((path) => !watched.has(path)),
      [],
    );
  });
}
