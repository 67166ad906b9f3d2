/** PIF: interfaces of this host. Its own configuration is the business of its system, so PIFs are unmanaged here. */
import type { PIF } from '../../datamodel/classes/pif.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { type ApiError, fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { syncPifs } from '../pifs.ts';
import { assertThisHost } from './host-here.ts';

/** PIF_UNMANAGED: what would change the interface is refused, whoever else looks after it. */
function refuse(ctx: Ctx, self: Ref<'PIF'>): ApiError {
  ctx.db.get('PIF', self);
  return fail('PIF_UNMANAGED', { PIF: self });
}

/** The PIF of the interface with this address, made when the host has such an interface. */
async function introduce(ctx: Ctx, mac: string, device: string): Promise<Ref<'PIF'>> {
  await ask(ctx, () => syncPifs(ctx));
  for (const ref of ctx.db.where('PIF', 'host', ctx.host)) {
    const pif = ctx.db.get('PIF', ref);
    if (pif.physical && pif.MAC.toLowerCase() === mac.toLowerCase() && (device === '' || device === pif.device))
      return ref;
  }
  throw fail('COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS', { device, mac });
}

export const pif: ClassHandlers<typeof PIF> = {
  scan(ctx, a) {
    assertThisHost(ctx, a.host);
    return ask(ctx, () => syncPifs(ctx));
  },
  introduce(ctx, a) {
    assertThisHost(ctx, a.host);
    return introduce(ctx, a.MAC, a.device);
  },
  /** Up already: nothing to do. */
  plug(ctx, a) {
    if (!ctx.db.get('PIF', a.self).currently_attached) throw refuse(ctx, a.self);
  },
  unplug(ctx, a) {
    const { currently_attached, management } = ctx.db.get('PIF', a.self);
    if (!currently_attached) return;
    throw management ? fail('PIF_IS_MANAGEMENT_INTERFACE', { PIF: a.self }) : refuse(ctx, a.self);
  },
  reconfigure_ip(ctx, a) {
    throw refuse(ctx, a.self);
  },
  reconfigure_ipv6(ctx, a) {
    throw refuse(ctx, a.self);
  },
  set_disallow_unplug: (ctx, a) => ctx.db.set('PIF', a.self, { disallow_unplug: a.value }),
  set_primary_address_type(ctx, a) {
    const { IP, IPv6 } = ctx.db.get('PIF', a.self);
    const has = a.primary_address_type === 'IPv6' ? IPv6.length > 0 : IP !== '';
    if (!has) throw fail('PIF_HAS_NO_NETWORK_CONFIGURATION', { PIF: a.self });
    ctx.db.set('PIF', a.self, { primary_address_type: a.primary_address_type });
  },
};
