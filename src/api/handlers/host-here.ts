import { fail } from '../../datamodel/errors.ts';
import type { Ctx } from '../context.ts';

/** HANDLE_INVALID for no host, HOST_OFFLINE for another one than this. */
export function assertThisHost(ctx: Ctx, host: string): void {
  if (host === ctx.host) return;
  ctx.db.get('host', host);
  throw fail('HOST_OFFLINE', { host });
}
