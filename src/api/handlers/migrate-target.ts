/** What a host of another pool must have for a VM: asked of it through its own API, with the session in `dest`. */
import { X509Certificate } from 'node:crypto';
import { type Client, createClient } from '../../client/client.ts';
import { nodeTransport } from '../../client/node-transport.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { ApiError, fail } from '../../datamodel/errors.ts';
import type { Ctx } from '../context.ts';

/** How long the other host may take for one call of its API. */
const answerMs = 60_000;
const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export interface Target {
  /** Its API. */
  readonly api: Client;
  /** Its domain manager: an address for `xenops.vm.migrate`. */
  readonly address: string;
  readonly host: Ref<'host'>;
  close(): void;
}
type Dest = Readonly<Record<string, string>>;
const parts = ['host', 'xenops', 'master', 'session_id'] as const;

/** INVALID_VALUE when `dest` is not an answer of `host.migrate_receive` of this software. */
export function targetOf(ctx: Ctx, dest: Dest, options: Readonly<Record<string, string>>): Target {
  const invalid = (key: string, why: string) => fail('INVALID_VALUE', { field: `dest:${key}`, value: why });
  for (const key of parts)
    if (!dest[key]) throw invalid(key, 'it is missing; dest is the answer of host.migrate_receive');
  const url = (key: 'xenops' | 'master') => {
    const given = URL.parse(dest[key] ?? '');
    if (given?.protocol !== 'https:' && !(given?.protocol === 'http:' && loopback.test(given.hostname)))
      throw invalid(key, 'it is no https URL');
    return given;
  };
  const [master, xenops] = [url('master'), url('xenops')];
  const certificate = dest['certificate'] ?? '';
  if (xenops.protocol === 'https:') xenops.searchParams.set('fingerprint', fingerprint(certificate, invalid));
  if (options['compress'] === 'true') xenops.searchParams.set('compress', 'zstd');
  const secure = master.protocol === 'https:';
  const transport = nodeTransport({
    host: master.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(master.port || (secure ? 443 : 80)),
    // Its own certificate, whatever name is in it.
    ...(secure ? { tls: { ca: certificate, checkServerIdentity: () => undefined } } : {}),
  });
  const call = async (method: string, params: readonly unknown[]) => {
    try {
      return await transport.call(method, params, AbortSignal.any([ctx.task.signal, AbortSignal.timeout(answerMs)]));
    } catch (error) {
      if (ctx.task.signal.aborted) throw fail('TASK_CANCELLED', { task: ctx.task.ref });
      if (error instanceof ApiError) throw error;
      ctx.log.info('a host that was to receive a VM is out of reach', { host: master.host, error: String(error) });
      throw fail('VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED', {}, { cause: error });
    }
  };
  return {
    api: createClient({ call }, dest['session_id'] ?? ''),
    address: xenops.href,
    host: dest['host'] as Ref<'host'>,
    close: () => transport.close(),
  };
}
function fingerprint(pem: string, invalid: (key: string, why: string) => ApiError): string {
  try {
    return new X509Certificate(pem).fingerprint256;
  } catch {
    throw invalid('certificate', 'it is no certificate in PEM');
  }
}

/** DUPLICATE_VM, HOST_DISABLED. */
export async function checkHost(ctx: Ctx, { api, host }: Target, vm: Ref<'VM'>): Promise<void> {
  if (!(await api.host.get_enabled({ self: host }))) throw fail('HOST_DISABLED', { host });
  if (await found(() => api.VM.get_by_uuid({ uuid: ctx.db.get('VM', vm).uuid }))) throw fail('DUPLICATE_VM', { vm });
}
/**
 * Disks stay where they are, so each must be in a shared repository that the other host has too. VDI_NOT_IN_MAP when it is in none,
 * VM_REQUIRES_SR when the host is not connected to it, NOT_IMPLEMENTED when the map asks for another.
 */
export async function checkDisks(
  ctx: Ctx,
  { api, host }: Target,
  vm: Ref<'VM'>,
  vdiMap: Readonly<Record<string, string>>,
): Promise<void> {
  for (const vbd of ctx.db.get('VM', vm).VBDs) {
    const { empty, VDI: vdi } = ctx.db.get('VBD', vbd);
    if (empty || !ctx.db.has('VDI', vdi)) continue;
    const { SR, uuid, cbt_enabled } = ctx.db.get('VDI', vdi);
    const sr = ctx.db.get('SR', SR);
    if (cbt_enabled) throw fail('VDI_CBT_ENABLED', { vdi });
    const there = await found(() => api.SR.get_by_uuid({ uuid: sr.uuid }));
    const wanted = vdiMap[vdi] ?? there;
    if (!wanted || (!sr.shared && wanted === there)) throw fail('VDI_NOT_IN_MAP', { vdi });
    if (wanted !== there) throw fail('NOT_IMPLEMENTED', { function: 'VM.migrate_send of disks into another SR' });
    const pbds = await Promise.all(
      (await api.SR.get_PBDs({ self: there })).map((self) => api.PBD.get_record({ self })),
    );
    if (!pbds.some((pbd) => pbd.host === host && pbd.currently_attached)) throw fail('VM_REQUIRES_SR', { vm, sr: SR });
    // It may not have looked since the disk was made.
    await api.SR.scan({ sr: there });
    if (!(await found(() => api.VDI.get_by_uuid({ uuid })))) throw fail('VDI_NOT_IN_MAP', { vdi });
  }
}
/** The bridges there, by the UUID of the interface. VIF_NOT_IN_MAP. */
export async function bridgesThere(
  ctx: Ctx,
  { api }: Target,
  vm: Ref<'VM'>,
  vifMap: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const bridges: Record<string, string> = {};
  for (const vif of ctx.db.get('VM', vm).VIFs) {
    const network = vifMap[vif];
    if (network === undefined) throw fail('VIF_NOT_IN_MAP', { vif });
    bridges[ctx.db.get('VIF', vif).uuid] = await api.network.get_bridge({ self: network as Ref<'network'> });
  }
  return bridges;
}
/** Undefined when there is no object with the UUID. */
async function found<T>(f: () => Promise<T>): Promise<T | undefined> {
  try {
    return await f();
  } catch (error) {
    if (error instanceof ApiError && error.code === 'UUID_INVALID') return undefined;
    throw error;
  }
}
