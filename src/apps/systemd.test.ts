import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { isJournal } from './systemd.ts';

test("only what systemd's journal itself keeps counts as the journal", () => {
  const fd = openSync('/dev/null', 'w');
  try {
    const { dev, ino } = fstatSync(fd);
    assert.equal(isJournal(fd, `${dev}:${ino}`), true);
    // inherited by a terminal
    assert.equal(isJournal(fd, `${dev}:${ino + 1}`), false);
    assert.equal(isJournal(fd, ''), false);
  } finally {
    closeSync(fd);
  }
});
