/** The host's links and addresses, by iproute2. */
import { isKind } from '../contracts/contract.ts';
import { parseSubnet, type Subnet } from './subnet.ts';
import { runTool } from './tool.ts';

export interface Link {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly carrier: boolean;
  /** `bridge`, `tun`, `veth`, …; '' for a device. */
  readonly kind: string;
  readonly ether: boolean;
  readonly alias: string;
  readonly master: string | null;
  /** The user that may open a tap. */
  readonly tapUser: string | undefined;
  /** `10.0.0.1/24`, `fe80::1/64`. */
  readonly addresses: readonly string[];
}
export interface RawLink {
  readonly ifname: string;
  readonly address?: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly link_type: string | number;
  readonly ifalias?: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly user?: string | number } };
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}
/** What one element of `ip -j -d -N addr show` says; undefined for none. */
export function toLink(raw: Partial<RawLink>): Link | undefined {
  if (raw.ifname === undefined) return undefined;
  const flags = raw.flags ?? [];
  const user = raw.linkinfo?.info_data?.user;
  return {
    name: raw.ifname,
    mac: raw.address ?? '',
    mtu: raw.mtu ?? 0,
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    kind: raw.linkinfo?.info_kind ?? '',
    // With numbers for users (-N) this is one as well, in brackets: ARPHRD_ETHER.
    ether: /^(ether|\[?1\]?)$/.test(String(raw.link_type)),
    alias: raw.ifalias ?? '',
    master: raw.master ?? null,
    tapUser: user === undefined ? undefined : String(user),
    addresses: (raw.addr_info ?? []).flatMap((a) => (a.local === undefined ? [] : [`${a.local}/${a.prefixlen}`])),
  };
}
const json = <T>(text: string): readonly T[] => (text.trim() === '' ? [] : (JSON.parse(text) as readonly T[]));

export async function listLinks(): Promise<readonly Link[]> {
  const found = json<Partial<RawLink>>(await runTool('ip', ['-j', '-d', '-N', 'addr', 'show']));
  return found.map(toLink).filter((link) => link !== undefined);
}
export async function findLink(name: string): Promise<Link | undefined> {
  try {
    const [raw] = json<Partial<RawLink>>(await runTool('ip', ['-j', '-d', '-N', 'addr', 'show', 'dev', name]));
    return raw && toLink(raw);
  } catch (error) {
    if (isKind(error, 'Tool_failed') && /does not exist|Cannot find device/.test(String(error))) return undefined;
    throw error;
  }
}
/** Runs lines of `ip` in one process; words must hold no spaces. The first that fails ends it. */
export async function ip(...lines: readonly (readonly (string | number)[])[]): Promise<void> {
  if (lines.length > 0) await runTool('ip', ['-batch', '-'], lines.map((words) => `${words.join(' ')}\n`).join(''));
}
/** The IPv4 networks that the host reaches by its routes (default routes aside) and not through `except`. */
export async function routedSubnets(except: ReadonlySet<string>): Promise<readonly Subnet[]> {
  const text = await runTool('ip', ['-j', '-4', 'route', 'show', 'table', 'all']);
  return json<{ dst?: string; dev?: string; type?: string }>(text)
    .filter((route) => route.dst !== 'default' && !except.has(route.dev ?? ''))
    .map((route) => parseSubnet(route.dst ?? ''))
    .filter((subnet) => subnet !== undefined);
}
/** A device of the host, not something that was made on it. */
export const isPhysical = (link: Link): boolean => link.ether && link.kind === '';
