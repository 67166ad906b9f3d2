import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUuid } from '../../../base/ids.ts';
import { fileOfName, idOfFile } from './index-file.ts';

test('ids of files are UUIDs, the same every time, different for every name', () => {
  assert.equal(idOfFile('debian.iso'), idOfFile('debian.iso'));
  assert.notEqual(idOfFile('debian.iso'), idOfFile('Debian.iso'));
  assert.ok(isUuid(idOfFile('ü, "x".iso')));
  assert.match(idOfFile('a.iso'), /^.{14}5.{4}[89ab]/);
});
test('any name becomes the name of one plain file', () => {
  assert.equal(fileOfName('debian 12.iso', 'id'), 'debian 12.iso');
  assert.equal(fileOfName('debian', 'id'), 'debian.iso');
  assert.equal(fileOfName('', 'id'), 'id.iso');
  for (const name of ['../x', '.hidden', 'a/b', 'a\nb', '\ud800', 'ü'.repeat(500)]) {
    const file = fileOfName(name, 'id');
    assert.ok(!/[/\n\0]/.test(file) && !file.startsWith('.') && file.endsWith('.iso'), file);
    assert.ok(Buffer.byteLength(file) <= 200, file);
  }
});
