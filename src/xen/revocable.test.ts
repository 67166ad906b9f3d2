import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { revocable } from './revocable.ts';

const folder = mkdtempSync(join(tmpdir(), 'ghl-revocable-'));
after(() => rmSync(folder, { recursive: true }));

test('what is lent is written to until it is revoked, and its owner writes on', () => {
  const path = join(folder, 'lent');
  const fd = openSync(path, 'w');
  const stop = new AbortController();
  const lent = revocable(fd, stop.signal);
  writeSync(lent.fd, 'lent ');
  stop.abort();
  assert.throws(() => writeSync(lent.fd, 'lost'), { code: 'ENOSPC' });
  lent[Symbol.dispose]();
  writeSync(fd, 'own');
  closeSync(fd);
  assert.equal(readFileSync(path, 'utf8'), 'lent own');
});

test('with a signal that has aborted nothing is lent; after the end a signal does nothing', () => {
  const path = join(folder, 'late');
  const fd = openSync(path, 'w');
  using none = revocable(fd, AbortSignal.abort());
  assert.throws(() => writeSync(none.fd, 'lost'), { code: 'ENOSPC' });
  const stop = new AbortController();
  const lent = revocable(fd, stop.signal);
  lent[Symbol.dispose]();
  // Its number is another's now.
  const next = openSync(join(folder, 'next'), 'w');
  assert.equal(next, lent.fd);
  stop.abort();
  writeSync(next, 'kept');
  assert.equal(readFileSync(join(folder, 'next'), 'utf8'), 'kept');
  closeSync(next);
  closeSync(fd);
});
