/**
 * The nftables table of this installation, as text: pure. It is always replaced as a whole, in one transaction.
 *
 * Guests of a `nat` network reach the world behind the host's address and the host itself (as far as the host's own firewall
 * lets them); nobody outside reaches them but by forwards and answers. Guests of an `internal` network reach each other only.
 */
import { hostText, networkText, type Subnet, toAddress } from './subnet.ts';

export interface Forwarded {
  readonly protocol: 'tcp' | 'udp';
  /** `0.0.0.0`: every address of the host. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly address: number;
  readonly guestPort: number;
}
export interface Rules {
  readonly nat: readonly { readonly bridge: string; readonly subnet: Subnet }[];
  readonly internal: readonly string[];
  readonly forwards: readonly Forwarded[];
}
const chain = (name: string, hook: string, rules: readonly string[]): string =>
  [`  chain ${name} {`, `    ${hook}; policy accept;`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');

const redirect = (f: Forwarded): string => {
  const to = f.hostAddress === '0.0.0.0' ? 'fib daddr type local' : `ip daddr ${f.hostAddress}`;
  return `${to} ${f.protocol} dport ${f.hostPort} dnat ip to ${toAddress(f.address)}:${f.guestPort}`;
};

/** What `nft -f` takes. Without networks the table is removed. */
export function rulesetText(table: string, rules: Rules): string {
  // Adding it first makes the removal fit a table that is there and one that is not.
  const clean = `table inet ${table}\ndelete table inet ${table}\n`;
  if (rules.nat.length === 0 && rules.internal.length === 0) return clean;
  const forwards = rules.forwards.map(redirect);
  const guard = rules.nat.map(({ bridge }) => `iifname "${bridge}" ip daddr 127.0.0.0/8 drop`);
  const forward = [
    'ct state established,related accept',
    ...rules.nat.flatMap(({ bridge, subnet }) => [
      `iifname "${bridge}" oifname "${bridge}" accept`,
      `iifname "${bridge}" meta nfproto ipv6 drop`,
      `iifname "${bridge}" ip saddr != ${networkText(subnet)} drop`,
      `oifname "${bridge}" ct status dnat accept`,
      `oifname "${bridge}" drop`,
    ]),
    ...rules.internal.flatMap((bridge) => [
      `iifname "${bridge}" oifname "${bridge}" accept`,
      `iifname "${bridge}" drop`,
      `oifname "${bridge}" drop`,
    ]),
  ];
  const masquerade = rules.nat.flatMap(({ bridge, subnet }) => [
    `ip saddr ${networkText(subnet)} oifname != "${bridge}" ip daddr != 224.0.0.0/4 masquerade`,
    `oifname "${bridge}" ct status dnat ip saddr { 127.0.0.0/8, ${networkText(subnet)} } masquerade`,
  ]);
  const chains = [
    chain('guard', 'type filter hook prerouting priority raw', guard),
    chain(
      'input',
      'type filter hook input priority filter',
      rules.internal.map((bridge) => `iifname "${bridge}" drop`),
    ),
    chain('forward', 'type filter hook forward priority filter', forward),
    chain('prerouting', 'type nat hook prerouting priority dstnat', forwards),
    chain('output', 'type nat hook output priority -100', forwards),
    chain('postrouting', 'type nat hook postrouting priority srcnat', masquerade),
  ];
  const comment = rules.nat.map(({ bridge, subnet }) => `# ${bridge} ${hostText(subnet)}\n`).join('');
  return `${clean}${comment}table inet ${table} {\n${chains.join('\n')}\n}\n`;
}
