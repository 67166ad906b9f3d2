import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, settle } from '../base/clock.ts';
import { seededIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { Storage } from '../contracts/storage.ts';
import type { PowerState, Xenops, XenopsEvent } from '../contracts/xenops.ts';
import { classes } from '../datamodel/index.ts';
import { openDb } from '../db/memory-db.ts';
import { startFollowing } from './follow.ts';

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

async function world() {
  const clock = new ManualClock();
  const encode = { xml: () => Buffer.alloc(0), json: () => Buffer.alloc(0) };
  const db = await openDb({ store: nowhere, classes, clock, ids: seededIds(), log: silentLog, encode });
  const metrics = db.create('host_metrics', { memory_total: 0, memory_free: 0 });
  const host = db.create('host', { metrics });
  const sr = db.create('SR', { type: 'file' });
  db.create('PBD', { SR: sr, host, currently_attached: true });
  const vm = db.create('VM', {});
  const vdi = db.create('VDI', { SR: sr, managed: true, physical_utilisation: 1 });
  db.create('VBD', { VM: vm, VDI: vdi, mode: 'RW', type: 'Disk' });
  const ground = { memoryTotal: 100, memoryFree: 60 };
  const asked = { host: 0, disks: 0 };
  let tell: (event: XenopsEvent) => void = () => undefined;
  const xenops = {
    host: {
      stat: async () => {
        asked.host++;
        return ground;
      },
    },
    watch: (listener: typeof tell) => {
      tell = listener;
      return () => {
        tell = () => undefined;
      };
    },
  } as unknown as Xenops;
  const storage = {
    vdi: {
      stat: async () => {
        asked.disks++;
        return { physicalUtilisation: 77 };
      },
    },
    sr: { stat: async () => ({ total: 1000, used: 77 }) },
  } as unknown as Storage;
  const stop = startFollowing({ db, xenops, storage, host, clock, log: silentLog });
  const id = db.get('VM', vm).uuid;
  const power = (p: PowerState) => tell({ id, vm: { state: { power: p } } } as unknown as XenopsEvent);
  return { db, clock, ground, asked, metrics, vdi, sr, stop, power };
}

test('memory follows, many events at once', async () => {
  const w = await world();
  for (let i = 0; i < 100; i++) w.power('Running');
  await w.clock.advance(1000);
  await settle();
  assert.equal(w.asked.host, 1);
  assert.equal(w.db.get('host_metrics', w.metrics).memory_free, 60);
  w.ground.memoryFree = 40;
  w.power('Halted');
  await w.clock.advance(1000);
  await settle();
  assert.equal(w.db.get('host_metrics', w.metrics).memory_free, 40);
  w.stop();
  w.power('Running');
  assert.equal(w.clock.pending, 0);
});

test('sizes of disks are read when their VM has stopped, once', async () => {
  const w = await world();
  w.power('Running');
  await w.clock.advance(1000);
  assert.equal(w.asked.disks, 0);
  w.power('Halted');
  w.power('Halted');
  await w.clock.advance(1000);
  await settle();
  w.power('Halted');
  await w.clock.advance(1000);
  await settle();
  assert.equal(w.asked.disks, 1);
  assert.equal(w.db.get('VDI', w.vdi).physical_utilisation, 77);
  assert.deepEqual([w.db.get('SR', w.sr).physical_size, w.db.get('SR', w.sr).physical_utilisation], [1000, 77]);
  w.stop();
});
