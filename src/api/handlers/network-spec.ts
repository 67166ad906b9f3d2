/**
 * What a network is on the host, kept in its `other_config`: `guesthouse-kind` is `nat` (addresses, DHCP and DNS of ours, the way
 * out by masquerading), `internal` (a bridge and nothing else), `bridge` (an existing bridge of the host, named by `bridge`: guests
 * are on its LAN), `user` (the hypervisor's own, for hosts without root) or `none` (no bridge: guests cannot use it).
 * `guesthouse-subnet` is the address and prefix of a `nat` network, chosen when absent.
 */
import type { Network, NetworkSpec } from '../../contracts/network.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Reader, Writer } from '../../db/db.ts';

export const kindKey = 'guesthouse-kind';
export const subnetKey = 'guesthouse-subnet';
export type Kind = NetworkSpec['kind'];
const kinds: readonly string[] = ['nat', 'internal', 'bridge', 'user'] satisfies Kind[];

/** The kind that `other_config` names; undefined when it names none. VALUE_NOT_SUPPORTED for an unknown one. */
export function kindOf(other_config: Readonly<Record<string, string>>): Kind | 'none' | undefined {
  const kind = other_config[kindKey];
  if (kind === undefined || kind === 'none') return kind;
  if (kinds.includes(kind)) return kind as Kind;
  const reason = `It is one of ${kinds.join(', ')}`;
  throw fail('VALUE_NOT_SUPPORTED', { field: `other_config:${kindKey}`, value: kind, reason });
}

/** What the network room is told; undefined for a network without a bridge. Networks of other doors use the bridge they name. */
export function specOf(network: Rec<'network'>): NetworkSpec | undefined {
  const kind = kindOf(network.other_config) ?? 'bridge';
  if (kind === 'none' || network.bridge === '') return undefined;
  const subnet = network.other_config[subnetKey];
  const mtu = network.MTU === 1500 || network.MTU <= 0 ? undefined : network.MTU;
  return {
    bridge: network.bridge,
    kind,
    ...(kind === 'nat' && subnet !== undefined ? { subnet } : {}),
    ...(mtu === undefined ? {} : { mtu }),
  };
}

/** Makes the network on the host as its record says, and notes the subnet that was chosen. */
export async function ensureNetwork(
  parts: { readonly db: Reader & Writer; readonly network: Network },
  ref: Ref<'network'>,
): Promise<void> {
  const { db, network } = parts;
  const spec = specOf(db.get('network', ref));
  if (!spec) return;
  const info = await network.network.ensure(spec);
  const { other_config } = db.get('network', ref);
  if (info.subnet !== null && info.kind === 'nat' && other_config[subnetKey] !== info.subnet)
    db.set('network', ref, { other_config: { ...other_config, [subnetKey]: info.subnet } });
}

/** A bridge name that no network has: `gh`, six digits of the host's UUID and a number, so that two installations do not meet. */
export function freeBridge(db: Reader, host: Ref<'host'>, taken: ReadonlySet<string>): string {
  const stem = `gh${db.get('host', host).uuid.replaceAll('-', '').slice(0, 6)}`;
  const used = new Set(taken);
  for (const [, n] of db.rows('network')) used.add(n.bridge);
  for (let i = 0; ; i++) if (!used.has(`${stem}n${i}`)) return `${stem}n${i}`;
}
