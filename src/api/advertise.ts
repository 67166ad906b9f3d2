/**
 * Where clients are told to find a VM's consoles: at the address that the host listens on, unless `host.other_config:advertise` names
 * another. It is for hosts whose clients come through something in between: a forwarded port, a proxy, the QEMU around a box.
 */
import type { Ref } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import type { Reader, Writer } from '../db/db.ts';

export const advertiseKey = 'advertise';

interface Parts {
  readonly db: Reader;
  readonly host: Ref<'host'>;
  /** What the host itself listens on, `https://HOST:PORT`. */
  readonly url: string;
}

/** VALUE_NOT_SUPPORTED for anything but `http` or `https`, a host, maybe a port and a path; empty is none. */
export function checkAdvertised(text: string): void {
  if (text === '') return;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const whole = url && url.username === '' && url.password === '' && !/[?#\s]/.test(text);
  if (whole && /^https?:$/.test(url.protocol)) return;
  const reason = 'Write http://HOST:PORT or https://HOST:PORT, as clients reach the host';
  throw fail('VALUE_NOT_SUPPORTED', { field: `other_config:${advertiseKey}`, value: text, reason });
}

/** Brings `console.location` up to date with the host's record. */
export function locateConsole({ db, host, url }: Parts, w: Writer, ref: Ref<'console'>): void {
  const base = db.get('host', host).other_config[advertiseKey] || url;
  w.set('console', ref, { location: `${base.replace(/\/+$/, '')}/console?uuid=${db.get('console', ref).uuid}` });
}
export function locateConsoles(parts: Parts, w: Writer): void {
  for (const ref of [...parts.db.refs('console')]) locateConsole(parts, w, ref);
}
