import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openLibc } from '../../xen/libc.ts';
import { RingLog, type RingState, readRingLog } from './ring-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'ghl-ring-log-'));
after(() => rmSync(folder, { recursive: true }));
const libc = openLibc();
const state = (domid: number, more: Partial<RingState> = {}): RingState => ({
  domid,
  consumer: 2 ** 32 - 1,
  replied: 0,
  output: '',
  unfinished: 0,
  input: '',
  nextTransaction: 1,
  transactions: [],
  ...more,
});

test('the last of each domain is read, while the writer still has the file', () => {
  const file = join(folder, 'a');
  const log = new RingLog(file, libc);
  assert.equal(readRingLog(file).size, 0);
  const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
  log.keep(state(1));
  log.keep(state(2, { output: bytes, input: bytes, transactions: [3, 4] }));
  log.keep(state(1, { consumer: 7 }));
  const read = readRingLog(file);
  assert.deepEqual(read.get(1), state(1, { consumer: 7 }));
  assert.deepEqual(read.get(2), state(2, { output: bytes, input: bytes, transactions: [3, 4] }));
  log.close();
  assert.equal(readRingLog(file).size, 2);
});

test('a full file is replaced by one with the last lines; domains that are gone go', () => {
  const file = join(folder, 'b');
  const log = new RingLog(file, libc);
  log.keep(state(9));
  log.forget(9);
  for (let i = 0; i < 3000; i++) log.keep(state(1 + (i % 3), { consumer: i, input: 'x'.repeat(i % 4000) }));
  const read = readRingLog(file);
  assert.deepEqual([...read.keys()].sort(), [1, 2, 3]);
  assert.equal(read.get(3)?.consumer, 2999);
  log.close();
});

test('a busy ring goes from half to half of one file, and at every instant the newest counts', () => {
  const file = join(folder, 'halves');
  const log = new RingLog(file, libc);
  log.keep(state(2, { nextTransaction: 9 }));
  const { ino } = statSync(file);
  const halves = new Set<number>();
  for (let i = 0; i < 400; i++) {
    log.keep(state(1, { consumer: i, input: 'x'.repeat(1000) }));
    halves.add(readFileSync(file).readUInt32LE(8) >>> 31);
    assert.equal(readRingLog(file).get(1)?.consumer, i);
    assert.equal(readRingLog(file).get(2)?.nextTransaction, 9);
  }
  assert.deepEqual([...halves].sort(), [0, 1]);
  assert.equal(statSync(file).ino, ino, 'the file is still the same');
  log.close();
});

test('a kill while the other half is written leaves the one that counts', () => {
  const file = join(folder, 'torn');
  const log = new RingLog(file, libc);
  log.keep(state(1, { consumer: 5 }));
  log.close();
  const bytes = readFileSync(file);
  bytes.write('{"domid":1,"cons', 16 + Math.floor((bytes.length - 16) / 2), 'latin1');
  writeFileSync(file, bytes);
  assert.deepEqual(readRingLog(file), new Map([[1, state(1, { consumer: 5 })]]));
});

test('lines that fill a half get a larger file', () => {
  const file = join(folder, 'larger');
  const log = new RingLog(file, libc);
  const before = statSync(file).size;
  for (let domid = 1; domid <= 40; domid++) log.keep(state(domid, { input: 'y'.repeat(4000) }));
  assert.ok(statSync(file).size > before);
  const read = readRingLog(file);
  assert.equal(read.size, 40);
  for (const each of read.values()) assert.equal(each.input.length, 4000);
  log.close();
});

test('a new file holds what a predecessor wrote; what is not such a file is refused', () => {
  const file = join(folder, 'c');
  new RingLog(file, libc, [state(5, { nextTransaction: 8 })]).close();
  assert.equal(readRingLog(file).get(5)?.nextTransaction, 8);
  assert.equal(readRingLog(join(folder, 'none')).size, 0);
  writeFileSync(file, 'nonsense');
  assert.throws(() => readRingLog(file), /not what a xenstored wrote about its rings; move it away/);
});
