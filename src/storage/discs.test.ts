import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { iso9660 } from '../wire/iso9660.ts';
import { discVerbs } from './discs.ts';

test('a volume is made once, mended when it is torn, and gone when its user is done', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'discs-'));
  try {
    const discs = discVerbs(dir);
    assert.deepEqual(await discs.users({}), []);
    const asked = { user: 'vm-1', label: 'cidata', files: { 'meta-data': 'instance-id: ä\n' } };
    const disk = await discs.open(asked);
    const image = iso9660('cidata', { 'meta-data': Buffer.from('instance-id: ä\n') });
    assert.deepEqual(readFileSync(disk.path), image);
    assert.deepEqual([disk.format, disk.readOnly, statSync(disk.path).mode & 0o777], ['raw', true, 0o640]);
    const { ino } = statSync(disk.path);
    assert.deepEqual(await discs.open(asked), disk);
    assert.equal(statSync(disk.path).ino, ino);
    truncateSync(disk.path, 100);
    await discs.open(asked);
    assert.deepEqual(readFileSync(disk.path), image);
    const other = await discs.open({ ...asked, files: { 'meta-data': 'instance-id: b\n' } });
    assert.notEqual(other.path, disk.path);
    assert.deepEqual(await discs.users({}), ['vm-1']);
    await discs.close({ user: 'vm-1' });
    await discs.close({ user: 'vm-1' });
    assert.equal(existsSync(disk.path), false);
    assert.deepEqual(await discs.users({}), []);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('names that lead elsewhere and too much text are refused', async () => {
  const discs = discVerbs('/nowhere');
  const bad = (error: unknown) => isKind(error, 'Bad_data');
  await assert.rejects(discs.open({ user: '../x', label: 'a', files: {} }), bad);
  await assert.rejects(discs.close({ user: '..' }), bad);
  await assert.rejects(discs.open({ user: 'vm', label: 'a', files: { '../b': '' } }), bad);
  await assert.rejects(discs.open({ user: 'vm', label: 'a', files: { b: 'x'.repeat(17 << 20) } }), bad);
});
