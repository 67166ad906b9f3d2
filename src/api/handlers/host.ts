/** host: this machine as a place for VMs. */
import type { host as hostClass } from '../../datamodel/classes/host.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { advertiseKey, checkAdvertised, locateConsoles } from '../advertise.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { disabledKey } from '../seed/host-rows.ts';
import { assertThisHost } from './host-here.ts';
import { hostInfo } from './host-info.ts';
import { hostMigrate } from './host-migrate.ts';

/** `lasting`: disabled over restarts of the toolstack too. */
function setEnabled(ctx: Ctx, host: Ref<'host'>, enabled: boolean, lasting: boolean): void {
  assertThisHost(ctx, host);
  const { [disabledKey]: _, ...rest } = ctx.db.get('host', host).other_config;
  const other_config = !enabled && lasting ? { ...rest, [disabledKey]: 'true' } : rest;
  ctx.db.write((w) => {
    w.set('host', host, { enabled, other_config });
    refreshAllowed(ctx.db, w, 'host', host);
  });
}

/** VMs that would have to leave; there is no other host that they could go to. */
function stuckVms(ctx: Ctx, host: Ref<'host'>): Ref<'VM'>[] {
  return ctx.db.get('host', host).resident_VMs.filter((r) => !ctx.db.get('VM', r).is_control_domain);
}
const why = ['NO_HOSTS_AVAILABLE'] as const;

/** A label of letters, digits and hyphens, or several with dots between them. */
const hostnamePattern =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

export const host: ClassHandlers<typeof hostClass> = {
  ...hostInfo,
  ...hostMigrate,
  disable: (ctx, a) => setEnabled(ctx, a.host, false, !a.auto_enable),
  enable: (ctx, a) => setEnabled(ctx, a.host, true, false),
  get_vms_which_prevent_evacuation: (ctx, a) => Object.fromEntries(stuckVms(ctx, a.self).map((vm) => [vm, why])),
  assert_can_evacuate(ctx, a) {
    const stuck = stuckVms(ctx, a.host);
    if (stuck.length > 0)
      throw fail('CANNOT_EVACUATE_HOST', { errors: stuck.map((vm) => `${why[0]},${vm}`).join('|') });
  },
  evacuate(ctx, a) {
    assertThisHost(ctx, a.host);
    if (stuckVms(ctx, a.host).length > 0) throw fail('NO_HOSTS_AVAILABLE', {});
  },
  syslog_reconfigure(ctx, a) {
    assertThisHost(ctx, a.host);
    const to = ctx.db.get('host', a.host).logging['syslog_destination'] ?? '';
    if (to === '') return;
    const reason = `Logs cannot be sent to ${to} from here: have the system's own log service forward them`;
    throw fail('OPERATION_NOT_ALLOWED', { reason });
  },
  /** The name in the record; the machine's own belongs to its administrator. */
  set_hostname_live(ctx, a) {
    assertThisHost(ctx, a.host);
    if (!hostnamePattern.test(a.hostname)) {
      const reason = `"${a.hostname}": use letters, digits and hyphens, and dots between the parts`;
      throw fail('HOST_NAME_INVALID', { reason });
    }
    ctx.db.set('host', a.host, { hostname: a.hostname });
  },
  set_power_on_mode: (ctx, a) =>
    ctx.db.set('host', a.self, { power_on_mode: a.power_on_mode, power_on_config: a.power_on_config }),
  destroy(ctx, a) {
    if (a.self === ctx.host) throw fail('HOST_CANNOT_DESTROY_SELF', { host: a.self });
    ctx.db.get('host', a.self);
    throw fail('HOST_IS_LIVE', { host: a.self });
  },
  declare_dead(ctx, a) {
    ctx.db.get('host', a.host);
    throw fail('HOST_IS_LIVE', { host: a.host });
  },
  dmesg(ctx, a) {
    assertThisHost(ctx, a.host);
    return ask(ctx, () => ctx.xenops.host.messages({ clear: false }));
  },
  dmesg_clear(ctx, a) {
    assertThisHost(ctx, a.host);
    return ask(ctx, () => ctx.xenops.host.messages({ clear: true }));
  },
  send_debug_keys(ctx, a) {
    assertThisHost(ctx, a.host);
    return ask(ctx, () => ctx.xenops.host.sendDebugKeys({ keys: a.keys }));
  },
  emergency_ha_disable() {
    throw fail('HA_NOT_ENABLED', {});
  },
  apply_edition(ctx, a) {
    if (!ctx.db.get('host', a.host).editions.includes(a.edition)) throw fail('INVALID_EDITION', { edition: a.edition });
    ctx.db.set('host', a.host, { edition: a.edition });
  },
  /** An address that nobody could use is refused here; consoles that are there have the new one at once. */
  set_other_config(ctx, a: { self: Ref<'host'>; value: Readonly<Record<string, string>> }) {
    checkAdvertised(a.value[advertiseKey] ?? '');
    ctx.db.write((w) => {
      w.set('host', a.self, { other_config: a.value });
      if (a.self === ctx.host) locateConsoles(ctx, w);
    });
  },
  sync_data: (ctx) => ctx.db.durable(),
};
