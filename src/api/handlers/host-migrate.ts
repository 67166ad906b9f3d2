/** host: taking VMs of other pools. */
import type { host as hostClass } from '../../datamodel/classes/host.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { assertHere } from './vm-power.ts';

/** The host's address on the network; '' when it has none there. */
function addressOn(ctx: Ctx, network: string): string {
  const pif = ctx.db.where('PIF', 'network', network).find((r) => ctx.db.get('PIF', r).host === ctx.host);
  return pif ? ctx.db.get('PIF', pif).IP : '';
}

export const hostMigrate = {
  /**
   * Who knows the answer may bring guests here for an hour. Beside the reference's members it has `certificate`: the one of this
   * host, in PEM, which the sender believes ('' when this host is reached on this machine, without TLS).
   */
  async migrate_receive(ctx, a) {
    ctx.db.get('network', a.network);
    assertHere(ctx, a.host);
    const invited = await ctx.invite(addressOn(ctx, a.network) || ctx.db.get('host', a.host).address);
    if ('refused' in invited) throw fail('OPERATION_NOT_ALLOWED', { reason: invited.refused });
    const { base, ticket, certificate } = invited;
    return {
      host: a.host,
      SM: new URL('/services/SM', base).href,
      xenops: new URL(`/services/xenops?ticket=${ticket}`, base).href,
      session_id: ctx.session.ref,
      master: base,
      certificate,
    };
  },
} satisfies SomeHandlers<typeof hostClass>;
