/** pool: of one host. What needs more hosts, or HA, is refused or not implemented yet. */
import type { pool as poolClass } from '../../datamodel/classes/pool.ts';
import { fail } from '../../datamodel/errors.ts';
import type { ClassHandlers } from '../context.ts';
import { assertThisHost } from './host-here.ts';

export const pool: ClassHandlers<typeof poolClass> = {
  sync_database: (ctx) => ctx.db.durable(),
  is_slave(ctx, a) {
    ctx.db.get('host', a.host);
    return false;
  },
  /** This host is the coordinator already. */
  designate_new_master: (ctx, a) => assertThisHost(ctx, a.host),
  recover_slaves: () => [],
  get_license_state(ctx, a) {
    ctx.db.get('pool', a.self);
    return { edition: 'free', expiry: 'never' };
  },
  apply_edition(ctx, a) {
    const { editions } = ctx.db.get('host', ctx.host);
    if (!editions.includes(a.edition)) throw fail('INVALID_EDITION', { edition: a.edition });
    ctx.db.set('host', ctx.host, { edition: a.edition });
  },
  has_extension(ctx, a) {
    ctx.db.get('pool', a.self);
    return false;
  },
  disable_ha() {
    throw fail('HA_NOT_ENABLED', {});
  },
  ha_prevent_restarts_for() {
    throw fail('HA_NOT_ENABLED', {});
  },
  set_ha_host_failures_to_tolerate() {
    throw fail('HA_NOT_ENABLED', {});
  },
  // With a single host nothing can be restarted after its failure.
  ha_compute_max_host_failures_to_tolerate: () => 0,
  ha_compute_hypothetical_max_host_failures_to_tolerate: () => 0,
  ha_failover_plan_exists: (_, a) => a.n <= 0,
};
