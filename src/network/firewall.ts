/** Makes the nftables table say what the records say. */

import { readFile, writeFile } from 'node:fs/promises';
import type { Log } from '../base/log.ts';
import { networkErrors } from '../contracts/network.ts';
import type { Ground } from './driver.ts';
import { portKey } from './records.ts';
import { type Forwarded, rulesetText } from './ruleset.ts';
import { parseSubnet, toNumber } from './subnet.ts';
import { runTool } from './tool.ts';

/** Replaces the table in one transaction; leaves all others alone. */
export async function applyRules({ marks, records, dhcp }: Ground): Promise<void> {
  const networks = records.networks.list();
  const nat = networks.flatMap(({ bridge, kind, subnet }) => {
    const parsed = kind === 'nat' && subnet !== null ? parseSubnet(subnet) : undefined;
    return parsed ? [{ bridge, subnet: parsed }] : [];
  });
  const internal = networks.filter(({ kind }) => kind === 'internal').map(({ bridge }) => bridge);
  const bridges = new Set(nat.map(({ bridge }) => bridge));
  const forwards = records.ports.list().flatMap((port): Forwarded[] => {
    const address = bridges.has(port.bridge) ? dhcp.addressOf(port.bridge, port.mac) : undefined;
    if (address === undefined) return [];
    return (records.forwards.get(portKey(port)) ?? []).map((f) => ({ ...f, address: toNumber(address) }));
  });
  await runTool('nft', ['-f', '-'], rulesetText(marks.table, { nat, internal, forwards }));
  const local = forwards.some(({ hostAddress }) => /^(127|0)\./.test(hostAddress));
  for (const { bridge } of local ? nat : []) await setKernel(`conf/${bridge}/route_localnet`, '1');
}
/** Chains of others that drop what they do not know of what is forwarded (Docker's, a host firewall's): `ip filter FORWARD`. */
export async function foreignDrops(table: string): Promise<readonly string[]> {
  const { nftables } = JSON.parse(await runTool('nft', ['-j', 'list', 'chains'])) as {
    nftables: readonly { chain?: Readonly<Record<string, unknown>> }[];
  };
  return nftables.flatMap(({ chain }) => {
    const drops = chain?.['hook'] === 'forward' && chain['policy'] === 'drop' && chain['table'] !== table;
    return drops ? [`${chain['family']} ${chain['table']} ${chain['name']}`] : [];
  });
}
/** Lets the host forward between its networks; it stays so when ours are gone, for others may have come to rely on it. */
export async function enableForwarding(log: Log): Promise<void> {
  const now = await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8');
  if (now.trim() === '1') return;
  await setKernel('ip_forward', '1');
  log.info('the host forwards IPv4 between its networks from now on (net.ipv4.ip_forward=1); it is left on');
}
/** Sets a value below net.ipv4. */
export async function setKernel(key: string, value: string): Promise<void> {
  try {
    await writeFile(`/proc/sys/net/ipv4/${key}`, value);
  } catch (error) {
    const reason = `net.ipv4.${key} cannot be set: ${(error as Error).message}`;
    throw networkErrors.make('Tool_failed', { tool: 'sysctl', reason }, { cause: error });
  }
}
