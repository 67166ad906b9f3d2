/** Guests between this host and others: who is believed, where they arrive, and how they are sent. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ensureCertificate } from '../api/tls.ts';
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type Xenops, xenopsErrors } from '../contracts/xenops.ts';
import { readConfig, type XenopsdConfig } from '../doors/xenopsd/config.ts';
import type { Migrate } from '../doors/xenopsd/parts.ts';
import { fingerprintsOf, type HostServer, type Hosts, type Identity, reachHosts, serveHosts } from '../rpc/index.ts';

export interface MigrationOptions {
  /** `ADDRESS:PORT`; '' when no guests arrive. */
  readonly listen: string;
  /** Path of the certificates of other hosts, in PEM; '' for none. */
  readonly trust: string;
  readonly plain: boolean;
  /** How long another host may say nothing before it is out of reach. */
  readonly silenceS: number;
}
export interface Migration {
  readonly hosts: Hosts;
  /** Where guests arrive from now on; undefined when none do. */
  serve(xenops: Xenops): Promise<HostServer | undefined>;
}

/** What `DATA/migration.conf` says, with the keys of xenopsd's configuration. Throws `ConfigError`. */
export function migrationSettings(data: string): MigrationOptions {
  const file = join(data, 'migration.conf');
  const files = existsSync(file) ? [{ file, text: readFileSync(file, 'utf8') }] : [];
  return migrationOptions(readConfig(new Map(), files));
}
export const migrationOptions = ({ values }: XenopsdConfig): MigrationOptions => ({
  listen: values['migration-listen'],
  trust: values['migration-trust'],
  plain: values['migration-plain'] === 'true',
  silenceS: Math.max(1, Number(values['migration-silence'])),
});

/** `data`: the folder of the host's certificate (`tls/server.crt`, made on first need) and, in `run`, of sockets. */
export async function openMigration(o: MigrationOptions, data: string, log: Log): Promise<Migration> {
  const identity = o.trust === '' ? undefined : await identityOf(o, data);
  const at = o.listen === '' ? undefined : addressOf(o.listen);
  if (at && !identity && !o.plain)
    throw new Error(
      'migration-listen: needs migration-trust, the certificates of the hosts that guests come from (or migration-plain = true: whoever reaches the port is believed)',
    );
  const silenceMs = o.silenceS * 1000;
  const secure = o.plain && o.trust === '' ? undefined : identity;
  return {
    hosts: reachHosts({ identity, plain: o.plain, dir: join(data, 'run'), silenceMs, clock: systemClock, log }),
    serve: async ({ incoming }) => (at ? serveHosts({ ...at, identity: secure, incoming, silenceMs, log }) : undefined),
  };
}
async function identityOf({ trust, listen }: MigrationOptions, data: string): Promise<Identity> {
  const names = [hostname(), ...(listen === '' ? [] : [addressOf(listen).host])];
  // First: other hosts may need it before there is anything to trust here.
  const own = await ensureCertificate(join(data, 'tls'), names, Date.now());
  const others = `copy the certificates of other hosts into it; this one's is ${join(data, 'tls', 'server.crt')}`;
  const refuse = (why: string) => new Error(`migration-trust: ${trust}: ${why}; ${others}`);
  const trusted = (() => {
    try {
      return fingerprintsOf(readFileSync(trust, 'utf8'));
    } catch (error) {
      throw refuse((error as Error).message);
    }
  })();
  if (trusted.size === 0) throw refuse('it holds no certificate in PEM');
  return { ...own, trusted };
}
function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d{1,5})$/.exec(listen) ?? [];
  if (host === '' || Number(port) > 65_535)
    throw new Error(`migration-listen: "${listen}" is no address; write ADDRESS:PORT, 0.0.0.0:8002 for example`);
  return { host, port: Number(port) };
}
/** `VM.migrate` of the xenopsd interface; an empty URL is this host. */
export function migrateOver(xenops: Xenops, hosts: Hosts): Migrate {
  return async ({ id, url, compress, vdiMap }, call) => {
    if (Object.keys(vdiMap).length > 0)
      throw xenopsErrors.make('Unimplemented', { function: 'VM.migrate with other disks', backend: 'this interface' });
    const to = url === '' ? null : withCompression(url, compress);
    // A URL that is refused changes nothing.
    if (to !== null) await hosts.connect(to);
    await xenops.vm.migrate({ id, to, live: true }, call);
  };
}
function withCompression(text: string, compress: boolean): string {
  if (!compress || !URL.canParse(text)) return text;
  const url = new URL(text);
  url.searchParams.set('compress', 'zstd');
  return url.href;
}
