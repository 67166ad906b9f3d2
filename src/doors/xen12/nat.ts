/**
 * `xen_nat_enable`: guests with addresses of 169.254/16 reach the world behind the host's address, and the host's ports 2201 to
 * 2210 lead to the SSH of the first ten. Its bridge and its table of nftables are its own; whatever else filters stays.
 */
import type { Io } from './io.ts';

const network = '169.254.0.0/16';
/** Domain 0's, as the guests' gateway. */
const gateway = '169.254.1.0';
const table = 'xen12';
const firstPort = 2201;
const forwarded = 10;

export interface NatTools extends Pick<Io, 'out' | 'err'> {
  readonly bridge: string;
  /** The interface to the world; undefined: that of the default route. */
  readonly uplink: string | undefined;
  /** Answers what the tool printed; throws with its last words. */
  readonly run: (tool: 'ip' | 'nft', args: readonly string[], input?: string) => Promise<string>;
  /** Lets the host forward between its networks. */
  readonly forward: () => Promise<void>;
}

/** Answers the exit status. It may be run again. */
export async function natEnable(t: NatTools): Promise<number> {
  try {
    const uplink = t.uplink ?? (await defaultInterface(t));
    for (const name of [t.bridge, uplink]) checkName(name);
    await t.run('ip', ['link', 'show', 'dev', uplink]);
    if (!(await interfaces(t)).includes(t.bridge))
      await t.run('ip', ['link', 'add', 'name', t.bridge, 'type', 'bridge']);
    await t.run('ip', ['address', 'replace', `${gateway}/16`, 'dev', t.bridge]);
    await t.run('ip', ['link', 'set', 'dev', t.bridge, 'up']);
    await t.run('nft', ['-f', '-'], natRules(t.bridge, uplink));
    await t.forward();
    t.out(
      `Guests on ${t.bridge} are behind ${uplink}; ports ${firstPort} to ${firstPort + forwarded - 1} lead to their SSH\n`,
    );
    return 0;
  } catch (error) {
    t.err(`xen_nat_enable: ${(error as Error).message}\n`);
    return 1;
  }
}
/** Replaces the table in one transaction. */
export function natRules(bridge: string, uplink: string): string {
  const ssh = Array.from(
    { length: forwarded },
    (_, i) => `    iifname "${uplink}" tcp dport ${firstPort + i} dnat to 169.254.1.${i + 1}:22`,
  );
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" oifname "${bridge}" accept
    iifname "${bridge}" oifname "${uplink}" ip saddr ${network} accept
    oifname "${bridge}" ct state established,related accept
    iifname "${uplink}" oifname "${bridge}" ct status dnat accept
    iifname "${bridge}" drop
    oifname "${bridge}" drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
${ssh.join('\n')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${uplink}" ip saddr ${gateway} return
    oifname "${uplink}" ip saddr ${network} masquerade
  }
}
`;
}
function checkName(name: string): void {
  if (!/^[A-Za-z0-9_.-]{1,15}$/.test(name)) throw new Error(`${JSON.stringify(name)} is no name of an interface`);
}
async function interfaces(t: NatTools): Promise<string[]> {
  const links = JSON.parse(await t.run('ip', ['-j', 'link', 'show'])) as { ifname: string }[];
  return links.map((link) => link.ifname);
}
async function defaultInterface(t: NatTools): Promise<string> {
  const text = await t.run('ip', ['-j', '-4', 'route', 'show', 'default']);
  const [route] = JSON.parse(text || '[]') as { dev?: string }[];
  if (route?.dev === undefined)
    throw new Error('the host has no default route; name the interface to the world in $XEN12_UPLINK');
  return route.dev;
}
