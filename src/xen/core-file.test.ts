import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { coreHeader, runsOf } from './core-file.ts';

test('stretches of pages that are there', () => {
  assert.deepEqual(runsOf([]), []);
  assert.deepEqual(runsOf([false, false]), []);
  assert.deepEqual(runsOf([true, true, false, true]), [
    [0, 2],
    [3, 4],
  ]);
});

test('a header has a segment for each range, one behind the other in the file', () => {
  const header = coreHeader([
    { start: 0, length: 0x8000 },
    { start: 2 ** 32, length: 0x1000 },
  ]);
  assert.equal(header.length, 4096);
  const segment = (i: number) => [0, 8, 16, 24].map((at) => Number(header.readBigUInt64LE(64 + 56 * i + 8 + at)));
  assert.deepEqual(segment(0), [0x1000, 0, 0, 0x8000]);
  assert.deepEqual(segment(1), [0x9000, 2 ** 32, 2 ** 32, 0x1000]);
});

const hasReadelf = spawnSync('readelf', ['--version']).status === 0;
test('readelf takes it for a core', { skip: !hasReadelf && 'the program readelf is not installed' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghl-core-'));
  const path = join(folder, 'core');
  const header = coreHeader([{ start: 0x10_0000, length: 0x2000 }]);
  writeFileSync(path, Buffer.concat([header, Buffer.alloc(0x2000)]));
  const { stdout, stderr } = spawnSync('readelf', ['-hlW', path], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  assert.match(stdout, /CORE \(Core file\)/);
  assert.match(stdout, /LOAD +0x001000 0x0*100000 0x0*100000 0x002000 0x002000 RWE/);
  assert.equal(stderr, '');
});
