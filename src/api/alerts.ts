/** Alerts: objects of the class `message`, kept until somebody deletes them or there are too many. */
import { alerts } from '../datamodel/alerts.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Rec } from '../datamodel/index.ts';
import type { Db, Writer } from '../db/db.ts';
import { wireTime } from './wire-time.ts';

/** Alerts kept; the oldest go first, so many at once, because finding them costs more than removing them. */
const limit = 10_000;
const atOnce = 100;

export type NewAlert = Pick<Rec<'message'>, 'name' | 'cls' | 'obj_uuid' | 'body'> & { readonly priority?: number };

/** Makes an alert, inside a write. Its priority is that of its name unless given. `now`: milliseconds since the epoch. */
export function alert(db: Db, w: Writer, now: number, a: NewAlert): Ref<'message'> {
  const ref = w.create('message', { ...a, priority: a.priority ?? alerts[a.name] ?? 3, timestamp: wireTime(now) });
  // In the order in which they were made.
  if (db.count('message') > limit)
    for (const oldest of Iterator.from(db.refs('message')).take(atOnce).toArray()) w.destroy('message', oldest);
  return ref;
}
