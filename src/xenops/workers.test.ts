import assert from 'node:assert/strict';
import test from 'node:test';
import { settle } from '../base/clock.ts';
import { Workers } from './workers.ts';

test('workers come and go: more begin at once, too many go when they are released', async () => {
  const workers = new Workers(2);
  let atWork = 0;
  for (let n = 0; n < 6; n++) void Promise.resolve(workers.acquire()).then(() => atWork++);
  await settle();
  assert.equal(atWork, 2);
  workers.resize(3);
  await settle();
  assert.equal(atWork, 3);
  workers.resize(1);
  workers.release();
  workers.release();
  await settle();
  assert.equal(atWork, 3, 'two are gone, one is at work');
  workers.release();
  await settle();
  assert.equal(atWork, 4, 'the next has the place of the last');
  workers.resize(9);
  await settle();
  assert.equal(atWork, 6);
});
