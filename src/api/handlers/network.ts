/** network: made on the host and in the database together. See `network-spec.ts` for the kinds. */
import { Unwind } from '../../base/unwind.ts';
import { type Call, isKind } from '../../contracts/contract.ts';
import type { network as networkClass } from '../../datamodel/classes/network.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Patch } from '../../db/db.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { assertThisHost } from './host-here.ts';
import { ensureNetwork, freeBridge, type Kind, kindKey, kindOf, specOf } from './network-spec.ts';

/** The kind that the caller asks for; a bridge that the host has already is used as it is; else a bridge and nothing more. */
function chooseKind(given: Patch<'network'>, onHost: ReadonlySet<string>): Kind | 'none' {
  const asked = kindOf(given.other_config ?? {});
  if (asked !== undefined) return asked;
  const bridge = given.bridge ?? '';
  if (bridge !== '' && onHost.has(bridge)) return 'bridge';
  return 'internal';
}

async function create(ctx: Ctx, args: Readonly<Record<string, unknown>>): Promise<Ref<'network'>> {
  const given = args as Patch<'network'>;
  const interfaces = await ask(ctx, (call) => ctx.network.interface.list({}, call));
  const onHost = new Set(interfaces.map((i) => i.name));
  const kind = chooseKind(given, onHost);
  const named = given.bridge ?? '';
  if (kind === 'bridge' && !onHost.has(named)) throw fail('BRIDGE_NOT_AVAILABLE', { bridge: named });
  for (const [, n] of ctx.db.rows('network'))
    if (named !== '' && n.bridge === named) throw fail('BRIDGE_NAME_EXISTS', { bridge: named });
  const bridge = named !== '' || kind === 'none' ? named : freeBridge(ctx.db, ctx.host, onHost);
  await using unwind = new Unwind();
  const made = ctx.db.create('network', {
    ...given,
    bridge,
    managed: kind === 'bridge' ? false : (given.managed ?? true),
    other_config: { ...given.other_config, [kindKey]: kind },
  });
  unwind.add(() => ctx.db.destroy('network', made));
  await ask(ctx, () => ensureNetwork(ctx, made));
  unwind.keep();
  return made;
}

/** Refused while something is on it. Interfaces of halted VMs go with it, as clients of such hosts expect. */
async function destroy(ctx: Ctx, self: Ref<'network'>): Promise<void> {
  const record = ctx.db.get('network', self);
  const used = record.VIFs.filter((r) => ctx.db.get('VIF', r).currently_attached);
  if (used.length > 0) throw fail('NETWORK_CONTAINS_VIF', { vifs: used.join(', ') });
  if (record.PIFs.length > 0) throw fail('NETWORK_CONTAINS_PIF', { pifs: record.PIFs.join(', ') });
  const spec = specOf(record);
  if (spec) await ask(ctx, (call) => takeDown(ctx, spec.bridge, call));
  ctx.db.write((w) => {
    for (const r of record.VIFs) {
      w.destroy('VIF_metrics', ctx.db.get('VIF', r).metrics);
      w.destroy('VIF', r);
    }
    w.destroy('network', self);
  });
}

/** A network that was never made (one of another door, or one whose start failed) is down already. */
async function takeDown(ctx: Ctx, bridge: string, call: Call): Promise<void> {
  try {
    await ctx.network.network.remove({ bridge }, call);
  } catch (error) {
    if (!isKind(error, 'Does_not_exist')) throw error;
  }
}

/** Purposes that exclude each other. */
const opposite = { nbd: 'insecure_nbd', insecure_nbd: 'nbd' } as const;

export const network: ClassHandlers<typeof networkClass> = {
  create: (ctx, a) => create(ctx, a.args),
  destroy: (ctx, a) => destroy(ctx, a.self),
  attach(ctx, a) {
    assertThisHost(ctx, a.host);
    return ask(ctx, () => ensureNetwork(ctx, a.network));
  },
  async attach_for_vm(ctx, a) {
    assertThisHost(ctx, a.host);
    for (const vif of ctx.db.get('VM', a.vm).VIFs)
      await ask(ctx, () => ensureNetwork(ctx, ctx.db.get('VIF', vif).network));
  },
  // Bridges stay: other VMs may start on them at any time.
  detach_for_vm: (ctx, a) => {
    assertThisHost(ctx, a.host);
    ctx.db.get('VM', a.vm);
  },
  pool_introduce: (ctx, a) => ctx.db.create('network', a),
  async set_default_locking_mode(ctx, a) {
    for (const r of ctx.db.get('network', a.network).VIFs) {
      const vif = ctx.db.get('VIF', r);
      if (vif.currently_attached && vif.locking_mode === 'network_default')
        throw fail('VIF_IN_USE', { network: a.network, VIF: r });
    }
    ctx.db.set('network', a.network, { default_locking_mode: a.value });
    const vms = new Set(ctx.db.get('network', a.network).VIFs.map((r) => ctx.db.get('VIF', r).VM));
    await ask(ctx, () => Promise.all([...vms].map((vm) => ctx.registrar.push(vm))));
  },
  add_purpose(ctx, a) {
    const { purpose } = ctx.db.get('network', a.self);
    const conflicting_purpose = opposite[a.value];
    if (purpose.includes(conflicting_purpose))
      throw fail('NETWORK_INCOMPATIBLE_PURPOSES', { new_purpose: a.value, conflicting_purpose });
    if (!purpose.includes(a.value)) ctx.db.set('network', a.self, { purpose: [...purpose, a.value] });
  },
  remove_purpose(ctx, a) {
    const { purpose } = ctx.db.get('network', a.self);
    ctx.db.set('network', a.self, { purpose: purpose.filter((p) => p !== a.value) });
  },
};
