/**
 * A descriptor that can be taken away from a library that writes to it: Xen's save looks at nothing but whether it can write.
 *
 *     lent ──signal aborts──▶ revoked: every write fails (ENOSPC), and what was lent is not touched any more
 *       └───────dispose──────────┴────▶ closed
 */
import { closeSync, openSync } from 'node:fs';
import { openLibc } from './libc.ts';

export interface Revocable extends Disposable {
  readonly fd: number;
}

/** Another descriptor for `fd`, until `signal` aborts. `fd` stays the caller's. */
export function revocable(fd: number, signal: AbortSignal | undefined): Revocable {
  const libc = openLibc();
  const lent = libc.duplicate(fd);
  const revoke = () => {
    const full = openSync('/dev/full', 'w');
    libc.replace(full, lent);
    closeSync(full);
  };
  if (signal?.aborted) revoke();
  else signal?.addEventListener('abort', revoke, { once: true });
  return {
    fd: lent,
    [Symbol.dispose]() {
      signal?.removeEventListener('abort', revoke);
      closeSync(lent);
    },
  };
}
