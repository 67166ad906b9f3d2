import assert from 'node:assert/strict';
import test from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { seededIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { Ref } from '../datamodel/dsl.ts';
import { classes } from '../datamodel/index.ts';
import { openDb } from '../db/memory-db.ts';
import { checkedSchedule, lastDue } from './schedule.ts';
import { startSchedules } from './schedules.ts';
import { wireTime } from './wire-time.ts';

const nowhere: Parameters<typeof openDb>[0]['store'] = {
  // biome-ignore lint/correctness/useYield: an empty store
  async *load() {
    return;
  },
  tables: async () => [],
  commit: async () => undefined,
  revision: async () => 0,
  close: async () => undefined,
};

/** Local time; 4 January 2027 is a Monday. */
const at = (day: number, hour: number, min: number) => new Date(2027, 0, day, hour, min).getTime();
const code = (expected: string) => (error: Error & { wire?: readonly string[] }) => error.wire?.[0] === expected;

test('a schedule was due last at …', () => {
  const hourly = { frequency: 'hourly', schedule: { min: '15' } } as const;
  assert.equal(lastDue(hourly, at(4, 10, 15)), at(4, 10, 15));
  assert.equal(lastDue(hourly, at(4, 10, 14)), at(4, 9, 15));
  assert.equal(lastDue(hourly, at(4, 0, 0)), at(3, 23, 15));
  const daily = { frequency: 'daily', schedule: { hour: '3', min: '30' } } as const;
  assert.equal(lastDue(daily, at(4, 3, 30)), at(4, 3, 30));
  assert.equal(lastDue(daily, at(4, 3, 29)), at(3, 3, 30));
  const weekly = { frequency: 'weekly', schedule: { days: 'Monday, Friday', hour: '22', min: '0' } } as const;
  assert.equal(lastDue(weekly, at(4, 22, 1)), at(4, 22, 0));
  assert.equal(lastDue(weekly, at(4, 21, 59)), at(1, 22, 0));
  assert.equal(lastDue(weekly, at(7, 12, 0)), at(4, 22, 0));
});

test('keys and values that a frequency does not take are refused; absent ones are filled in', () => {
  assert.deepEqual(checkedSchedule({ frequency: 'daily', schedule: { hour: '4' } }), { hour: '4', min: '0' });
  for (const [frequency, schedule] of [
    ['hourly', { hour: '1' }],
    ['daily', { min: '7' }],
    ['daily', { hour: '24' }],
    ['weekly', { days: 'Someday' }],
  ] as const)
    assert.throws(() => checkedSchedule({ frequency, schedule }), code('VALUE_NOT_SUPPORTED'));
});

test('schedules run when they are due, once, and not for what was missed', async () => {
  const clock = new ManualClock(at(4, 9, 50));
  const encode = { xml: () => Buffer.alloc(0), json: () => Buffer.alloc(0) };
  const db = await openDb({ store: nowhere, classes, clock, ids: seededIds(), log: silentLog, encode });
  const make = (enabled: boolean) => {
    const common = { type: 'snapshot', frequency: 'hourly', schedule: { min: '0' } } as const;
    const vmss = db.create('VMSS', { name_label: 'hourly', enabled, retained_snapshots: 3, ...common });
    db.create('VM', { name_label: 'on it', snapshot_schedule: vmss });
    return vmss;
  };
  const [on] = [make(true), make(false)];
  const taken: string[] = [];
  let fails = false;
  const stop = startSchedules({
    db,
    clock,
    log: silentLog,
    async take(ref: Ref<'VMSS'>) {
      taken.push(`${ref} ${new Date(clock.now()).getHours()}`);
      db.set('VMSS', ref, { last_run_time: wireTime(clock.now()) });
      if (fails) throw new Error('no');
    },
  });
  await clock.advance(9 * 60_000);
  assert.deepEqual(taken, []);
  await clock.advance(30 * 60_000);
  assert.deepEqual(taken, [`${on} 10`]);
  fails = true;
  await clock.advance(120 * 60_000);
  assert.deepEqual(
    taken,
    [10, 11, 12].map((hour) => `${on} ${hour}`),
  );
  stop();
  assert.equal(clock.pending, 0);
});
