/**
 * The rules of a port that is `locked` or `disabled`, as text: pure.
 *
 * A locked guest sends from its own MAC and IP addresses only, and says of no other address that it is here (ARP, neighbour
 * discovery); it offers no addresses and no routes to others. It gets what is sent to its addresses or to everybody. With an IPv4
 * address it may ask for it by DHCP.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { networkErrors, type PortFilter } from '../contracts/network.ts';

/** Bad_name: addresses and interfaces that nftables must not get to see. */
export function checkFilter(filter: PortFilter | undefined, carriers: readonly string[] = []): void {
  const bad = (name: string, reason: string) => networkErrors.make('Bad_name', { name: JSON.stringify(name), reason });
  for (const name of carriers)
    if (!/^[A-Za-z0-9_.-]{1,15}$/.test(name)) throw bad(name, 'the name of an interface is expected');
  for (const address of filter?.ipv4 ?? []) if (!isIPv4(address)) throw bad(address, 'an IPv4 address is expected');
  for (const address of filter?.ipv6 ?? [])
    if (!isIPv6(address) || address.includes('%')) throw bad(address, 'an IPv6 address is expected');
}

/** What `nft -f` takes: the table `bridge TABLE`, replaced as a whole. `interfaces`: all that the guest's packets may come by. */
export function filterRules(table: string, interfaces: readonly string[], mac: string, filter: PortFilter): string {
  const names = setOf(interfaces.map((name) => `"${name}"`));
  const rules =
    filter.mode === 'disabled'
      ? { sent: ['drop'], got: ['drop'] }
      : { sent: sentRules(mac, filter), got: gotRules(mac, filter) };
  const lines = [
    `chain sent {`,
    ...rules.sent,
    '}',
    'chain got {',
    ...rules.got,
    '}',
    'chain in {',
    'type filter hook prerouting priority -200; policy accept;',
    `iifname ${names} goto sent`,
    '}',
    'chain out {',
    'type filter hook postrouting priority -200; policy accept;',
    `oifname ${names} goto got`,
    '}',
  ];
  return `table bridge ${table}\ndelete table bridge ${table}\ntable bridge ${table} {\n${lines.join('\n')}\n}\n`;
}
const setOf = (items: readonly string[]): string => `{ ${[...new Set(items)].join(', ')} }`;
/** A frame with a tag could hide what is in it. */
const untagged = 'ether type { 8021q, 8021ad } drop';

function sentRules(mac: string, { ipv4, ipv6 }: PortFilter): string[] {
  const rules = [`ether saddr != ${mac} drop`, untagged];
  if (ipv4.length > 0) {
    const own = setOf(ipv4);
    rules.push(
      `arp saddr ether != ${mac} drop`,
      `arp saddr ip ${own} accept`,
      `arp saddr ip 0.0.0.0 arp daddr ip ${own} accept`,
      'udp sport 67 drop',
      `ip saddr ${own} accept`,
      'ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept',
    );
  }
  if (ipv6.length > 0) {
    rules.push(
      'icmpv6 type nd-router-advert drop',
      'udp sport 547 drop',
      ...ipv6.map((address) => `icmpv6 type nd-neighbor-advert @th,64,128 ${numberOf(address)} accept`),
      'icmpv6 type nd-neighbor-advert drop',
      'ip6 saddr :: icmpv6 type nd-neighbor-solicit accept',
      `ip6 saddr ${setOf(ipv6)} accept`,
    );
  }
  return [...rules, 'drop'];
}
function gotRules(mac: string, { ipv4, ipv6 }: PortFilter): string[] {
  const rules = ['ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept', `ether daddr != ${mac} drop`, untagged];
  if (ipv4.length > 0)
    rules.push('ether type arp accept', `ip daddr ${setOf(ipv4)} accept`, 'udp sport 67 udp dport 68 accept');
  if (ipv6.length > 0) rules.push(`ip6 daddr ${setOf(ipv6)} accept`);
  return [...rules, 'drop'];
}
/** An IPv6 address as one number. */
function numberOf(address: string): string {
  // The URL parser writes every address the same way, with an embedded IPv4 address in hexadecimal.
  const text = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const words = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [words(head), words(tail ?? '')];
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return `0x${[...left, ...zeros, ...right].map((word) => word.padStart(4, '0')).join('')}`;
}
