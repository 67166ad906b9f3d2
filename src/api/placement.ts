/** Where a call runs: on this host, or on the one that holds its object. */
import { nullRef } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import type { FullMessage } from '../datamodel/messages.ts';
import type { Db } from '../db/db.ts';

/** The host that must run the call, or undefined for any. Reads the declaration's `runsOn` and the first parameter. */
export function hostOf(db: Db, m: FullMessage, args: Readonly<Record<string, unknown>>): string | undefined {
  if (m.runsOn !== 'resident-host') return undefined;
  const [name, type] = Object.entries(m.params)[0] ?? [];
  const ref = name === undefined ? undefined : args[name];
  if (type?.kind !== 'ref' || typeof ref !== 'string') return undefined;
  const host = type.cls === 'VM' ? db.find('VM', ref)?.resident_on : type.cls === 'host' ? ref : undefined;
  return host === nullRef ? undefined : host;
}
/** HOST_OFFLINE [host] when the call belongs to another host: there is no way to it yet. */
export function assertHere(db: Db, here: string, m: FullMessage, args: Readonly<Record<string, unknown>>): void {
  const host = hostOf(db, m, args);
  if (host !== undefined && host !== here && db.has('host', host)) throw fail('HOST_OFFLINE', { host });
}
