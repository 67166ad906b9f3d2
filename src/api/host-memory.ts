/** `host_metrics` as the domain manager sees the machine. */
import type { Xenops } from '../contracts/xenops.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db } from '../db/db.ts';
import { wireTime } from './wire-time.ts';

export interface MemoryParts {
  readonly db: Db;
  readonly xenops: Xenops;
  readonly host: Ref<'host'>;
  readonly clock: { now(): number };
}

/** Writes what is there and what is free, in bytes. */
export async function refreshHostMemory({ db, xenops, host, clock }: MemoryParts): Promise<void> {
  const { memoryTotal: memory_total, memoryFree: memory_free } = await xenops.host.stat({});
  const metrics = db.find('host', host)?.metrics;
  if (metrics === undefined || !db.has('host_metrics', metrics)) return;
  const before = db.get('host_metrics', metrics);
  if (before.memory_total === memory_total && before.memory_free === memory_free) return;
  db.set('host_metrics', metrics, { memory_total, memory_free, last_updated: wireTime(clock.now()) });
}
