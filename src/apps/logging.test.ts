import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLogFile } from './log-file.ts';
import { openLog } from './logging.ts';

test('lines are JSON with name, level and fields; secrets are struck out; the file is private', (t) => {
  const logs = mkdtempSync(join(tmpdir(), 'log-'));
  t.after(() => rmSync(logs, { recursive: true }));
  const log = openLog({ logs }, 'house');
  log.with({ vm: 'x' }).warn('a\nb', { password: 'hunter2', deep: { session_id: 'OpaqueRef:1' } });
  log.debug('not shown');
  const text = readFileSync(join(logs, 'house.log'), 'utf8');
  const [line, ...rest] = text.trimEnd().split('\n');
  assert.deepEqual(rest, []);
  const { level, name, msg, vm } = JSON.parse(line!);
  assert.deepEqual([level, name, msg, vm], ['warn', 'house', 'a\nb', 'x']);
  assert.doesNotMatch(text, /hunter2|OpaqueRef/);
  assert.equal(statSync(join(logs, 'house.log')).mode & 0o777, 0o600);
});

test('a log file is put aside when it has grown, and only so many are kept', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a', 'x.log');
  const file = openLogFile(path, { maxBytes: 10, keep: 2 });
  for (let n = 1; n <= 8; n++) file.write(`line ${n}\n`);
  file.close();
  const all = [path, `${path}.1`, `${path}.2`].map((p) => readFileSync(p, 'utf8'));
  assert.deepEqual(all, ['line 7\nline 8\n', 'line 5\nline 6\n', 'line 3\nline 4\n']);
  assert.equal(existsSync(`${path}.3`), false);
});
