/** host: questions — time, memory, methods, certificates, plugins. */
import type { host as hostClass } from '../../datamodel/classes/host.ts';
import { lifeState } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { classes } from '../../datamodel/index.ts';
import { allMessages } from '../../datamodel/messages.ts';
import { ask } from '../ask.ts';
import { hostCertificate } from '../certificate.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { refreshHostMemory } from '../host-memory.ts';
import { wireTime } from '../wire-time.ts';
import { assertThisHost } from './host-here.ts';

/** Names of all calls that are not removed. */
function methods(): string[] {
  const alive = (life: string) => lifeState(life) !== 'removed';
  return Object.values(classes)
    .filter((c) => alive(c.life))
    .flatMap((c) => [...allMessages(c).values()].filter((m) => alive(m.life)).map((m) => m.method));
}

/** This machine's clock in its own time zone, marked as the API marks times without a zone. */
function localTime(ctx: Ctx): string {
  const now = ctx.clock.now();
  const offsetMs = new Date(now).getTimezoneOffset() * 60_000;
  return wireTime(now - offsetMs).slice(0, -1);
}

async function certificate(ctx: Ctx): Promise<string> {
  const pem = await hostCertificate(ctx.dataDir);
  if (pem !== undefined) return pem;
  throw fail('OPERATION_NOT_ALLOWED', { reason: 'This host has no certificate: TLS was never turned on' });
}

export const hostInfo = {
  list_methods: methods,
  get_servertime(ctx, a) {
    assertThisHost(ctx, a.host);
    return wireTime(ctx.clock.now());
  },
  get_server_localtime(ctx, a) {
    assertThisHost(ctx, a.host);
    return localTime(ctx);
  },
  async compute_free_memory(ctx, a) {
    assertThisHost(ctx, a.host);
    await ask(ctx, () => refreshHostMemory(ctx));
    return (await ask(ctx, (call) => ctx.xenops.host.stat({}, call))).memoryFree;
  },
  async compute_memory_overhead(ctx, a) {
    assertThisHost(ctx, a.host);
    return ctx.db.get('host', a.host).memory_overhead;
  },
  get_management_interface(ctx, a) {
    const found = ctx.db.where('PIF', 'host', a.host).find((r) => ctx.db.get('PIF', r).management);
    if (!found) throw fail('HOST_HAS_NO_MANAGEMENT_IP', {});
    return found;
  },
  is_in_emergency_mode: () => false,
  local_assert_healthy: () => undefined,
  get_server_certificate(ctx, a) {
    assertThisHost(ctx, a.host);
    return certificate(ctx);
  },
  get_uncooperative_resident_VMs: () => [],
  get_uncooperative_domains: () => [],
  list_timezones: () => Intl.supportedValuesOf('timeZone'),
  call_plugin(ctx, a) {
    assertThisHost(ctx, a.host);
    throw fail('XENAPI_MISSING_PLUGIN', { name: a.plugin });
  },
  has_extension(ctx, a) {
    assertThisHost(ctx, a.host);
    return false;
  },
  call_extension(ctx, a) {
    assertThisHost(ctx, a.host);
    throw fail('MESSAGE_METHOD_UNKNOWN', { method: a.call });
  },
} satisfies SomeHandlers<typeof hostClass>;
