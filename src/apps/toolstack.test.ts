import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { places } from './places.ts';
import { makePlaces } from './toolstack.ts';

test('the folders of a host are made, and found again', (t) => {
  const above = mkdtempSync(join(tmpdir(), 'gh-places-'));
  t.after(() => rmSync(above, { recursive: true }));
  const at = places(join(above, 'a', 'b'));
  makePlaces(at);
  makePlaces(at);
  assert.equal(statSync(at.data).mode & 0o777, 0o711);
  assert.equal(statSync(at.logs).mode & 0o777, 0o700);
  assert.ok(existsSync(at.run));
});

test('a folder that cannot be is refused with the flag and the reason', (t) => {
  const above = mkdtempSync(join(tmpdir(), 'gh-places-'));
  t.after(() => rmSync(above, { recursive: true }));
  const file = join(above, 'file');
  writeFileSync(file, '');
  const cases: [string, RegExp][] = [
    [file, /^--data .*file: it is a file; choose another folder with --data DIR$/],
    [join(file, 'x'), /it lies below a file/],
    ['/proc/guesthouse/x', /^--data \/proc\/guesthouse\/x: nobody can make a folder there|you may not write there/],
    [join(above, 'x'.repeat(120)), /--data/],
  ];
  for (const [folder, why] of cases) assert.throws(() => makePlaces(places(folder)), { name: 'Refusal', message: why });
});
