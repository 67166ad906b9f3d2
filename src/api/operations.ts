/**
 * Operations on objects: asked of the lifecycle table, shown in `current_operations` while they run, with
 * `allowed_operations` kept true at both ends.
 */
import type { ClassName } from '../datamodel/index.ts';
import { classes } from '../datamodel/index.ts';
import type { Db, Writer } from '../db/db.ts';
import { type Guard, guards, refreshAllowed, refreshVm } from './guards.ts';

export interface Operation {
  readonly cls: ClassName;
  readonly ref: string;
  readonly op: string;
  /** Reference of the task that holds it. */
  readonly task: string;
  /** Checked, but not shown. */
  readonly quiet?: boolean;
}

/** Checks that the operation may start, holds it while `work` runs, and lets go of it. Throws what the lifecycle table says. */
export async function holding<T>(db: Db, o: Operation, work: () => Promise<T>): Promise<T> {
  const guard: Guard | undefined = guards[o.cls];
  const refusal = guard?.check(db, o.ref, o.op);
  if (refusal) throw refusal();
  if (!guard || o.quiet || !classes[o.cls]?.fields['current_operations']) return work();
  db.write((w) => {
    change(db, w, o, (current) => ({ ...current, [o.task]: o.op }));
    refreshAllowed(db, w, o.cls, o.ref);
  });
  try {
    return await work();
  } finally {
    release(db, o);
  }
}
function release(db: Db, o: Operation): void {
  if (!db.has(o.cls, o.ref)) return;
  db.write((w) => {
    change(db, w, o, ({ [o.task]: _, ...others }) => others);
    if (o.cls === 'VM') refreshVm(db, w, o.ref);
    else refreshAllowed(db, w, o.cls, o.ref);
  });
}
type Current = Readonly<Record<string, string>>;
function change(db: Db, w: Writer, o: Operation, f: (current: Current) => Current): void {
  const record = db.get(o.cls, o.ref) as unknown as { readonly current_operations: Current };
  w.set(o.cls, o.ref, { current_operations: f(record.current_operations) } as never);
}
