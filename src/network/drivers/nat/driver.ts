/** `nat`: a bridge of ours with addresses, DHCP, DNS and masquerading. */
import { networkErrors } from '../../../contracts/network.ts';
import { ensureBridge, ourBridge, removeBridge } from '../../bridge.ts';
import type { Driver, Ground } from '../../driver.ts';
import { enableForwarding, foreignDrops } from '../../firewall.ts';
import { findLink, ip, routedSubnets } from '../../link.ts';
import type { NetworkRecord, Records } from '../../records.ts';
import { freeSubnet, hostText, overlaps, parseSubnet, type Subnet, subnetTrouble } from '../../subnet.ts';
import { tapPorts } from '../../tap-ports.ts';

const impossible = (reason: string) => networkErrors.make('Not_possible', { kind: 'nat', reason });

function subnetOf(network: NetworkRecord): Subnet {
  const subnet = network.subnet === null ? undefined : parseSubnet(network.subnet);
  if (!subnet) throw impossible(`${network.bridge} has no subnet`);
  return subnet;
}
function otherSubnets(records: Records, bridge: string): readonly Subnet[] {
  const others = records.networks.list().filter((network) => network.bridge !== bridge && network.kind === 'nat');
  return others.map(subnetOf);
}
/** Whether another link of the host has addresses of it. A route that is wider, as a VPN's, does no harm. */
async function isTaken(subnet: Subnet, bridge: string): Promise<boolean> {
  const routed = await routedSubnets(new Set([bridge]));
  return routed.some((other) => other.prefix >= subnet.prefix && overlaps(subnet, other));
}
/** The subnet that was asked for; it must be one, and meet no other network of ours. */
function wishedSubnet(text: string, ours: readonly Subnet[]): Subnet {
  const subnet = parseSubnet(text);
  const trouble = subnetTrouble(subnet);
  if (!subnet || trouble) throw impossible(`the subnet ${JSON.stringify(text)}: ${trouble}`);
  if (ours.some((other) => overlaps(subnet, other))) throw impossible(`${text} meets another network of ours`);
  return subnet;
}
/** The subnet of a network as far as our own networks decide it; the host is not looked at. */
export function knownSubnet({ records }: Pick<Ground, 'records'>, { bridge, subnet }: NetworkRecord): string {
  const ours = otherSubnets(records, bridge);
  if (subnet !== null) return hostText(wishedSubnet(subnet, ours));
  const before = records.networks.get(bridge)?.subnet;
  const free = freeSubnet(ours);
  if (!before && !free) throw impossible('no private subnet is free; give one, for example 10.87.0.1/24');
  return before ?? hostText(free as Subnet);
}
/** The subnet that was asked for, checked; the one that it has; or one that meets no network of the host. */
async function chosenSubnet({ records, log }: Ground, wanted: NetworkRecord): Promise<Subnet> {
  const { bridge } = wanted;
  const before = records.networks.get(bridge);
  const ours = otherSubnets(records, bridge);
  if (wanted.subnet !== null) {
    const subnet = wishedSubnet(wanted.subnet, ours);
    if (!(await isTaken(subnet, bridge))) return subnet;
    log.warn('another link of the host uses the subnet that was asked for: it is left alone', { ...wanted });
  }
  if (before?.kind === 'nat') return subnetOf(before);
  const free = freeSubnet([...ours, ...(await routedSubnets(new Set([bridge])))]);
  if (!free) throw impossible('no private subnet is free; give one, for example 10.87.0.1/24');
  return free;
}

/** Rules of others are never touched; but the user should know that they keep guests from the world. */
async function warnOfFirewalls({ marks, log }: Ground, bridge: string): Promise<void> {
  const chains = await foreignDrops(marks.table);
  if (chains.length === 0) return;
  const rule = `nft insert rule ${chains[0]} iifname ${bridge} accept`;
  const advice = `another firewall drops what guests send and get; allow it there, for example: ${rule} (and oifname)`;
  log.warn(advice, { chains });
}

export const natDriver: Driver = {
  ...tapPorts,
  kind: 'nat',
  tools: ['ip', 'nft', 'dnsmasq'],
  needsRoot: true,
  async plan(ground, wanted) {
    await ourBridge(wanted.bridge, ground.marks);
    return { ...wanted, subnet: hostText(await chosenSubnet(ground, wanted)) };
  },
  /** While its bridge was gone, somebody may have taken the subnet: two links with one address serve nobody. */
  async revise({ records, dhcp, log }, network) {
    const { bridge } = network;
    if (await findLink(bridge)) return network;
    const subnet = subnetOf(network);
    if (!(await isTaken(subnet, bridge))) return network;
    const free = freeSubnet([...otherSubnets(records, bridge), ...(await routedSubnets(new Set([bridge])))]);
    if (!free) throw impossible(`${network.subnet} is used by another link of the host, and no private subnet is free`);
    const advice = 'another link of the host uses the subnet of this network now: its guests get new addresses';
    log.warn(advice, { bridge, before: network.subnet, now: hostText(free) });
    await dhcp.remove(bridge);
    return { ...network, subnet: hostText(free) };
  },
  async ensure(ground, network) {
    const { bridge, mtu } = network;
    const subnet = subnetOf(network);
    const fresh = await ensureBridge(network, ground.marks, ground.records);
    const wanted = hostText(subnet);
    const link = await findLink(bridge);
    const stale = (link?.addresses ?? []).filter((address) => address.includes('.') && address !== wanted);
    await ip(...stale.map((address) => ['addr', 'del', address, 'dev', bridge]), [
      'addr',
      'replace',
      wanted,
      'dev',
      bridge,
    ]);
    await enableForwarding(ground.log);
    if (fresh) await warnOfFirewalls(ground, bridge);
    await ground.dhcp.ensure({ bridge, subnet, mtu }, fresh || stale.length > 0);
  },
  async remove({ marks, dhcp }, { bridge }) {
    await dhcp.remove(bridge);
    await removeBridge(bridge, marks);
  },
  async attach(ground, network, port) {
    await ground.dhcp.reserve({ bridge: network.bridge, subnet: subnetOf(network), mtu: network.mtu }, port);
    return tapPorts.attach(ground, network, port);
  },
};
