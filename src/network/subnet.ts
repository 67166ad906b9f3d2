/** IPv4 networks: pure arithmetic. */
import { isIPv4 } from 'node:net';

/** The host's address in a network: `10.87.0.1/24`. Addresses are numbers of 32 bits. */
export interface Subnet {
  readonly address: number;
  readonly prefix: number;
}
export const toNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
export const toAddress = (n: number): string => [24, 16, 8, 0].map((bits) => (n >>> bits) & 255).join('.');
const size = (prefix: number): number => 2 ** (32 - prefix);
export const first = ({ address, prefix }: Subnet): number => address - (address % size(prefix));
export const last = (subnet: Subnet): number => first(subnet) + size(subnet.prefix) - 1;
export const networkText = (s: Subnet): string => `${toAddress(first(s))}/${s.prefix}`;
export const hostText = (s: Subnet): string => `${toAddress(s.address)}/${s.prefix}`;
export const maskText = (s: Subnet): string => toAddress(2 ** 32 - size(s.prefix));
export const overlaps = (a: Subnet, b: Subnet): boolean => first(a) <= last(b) && first(b) <= last(a);
export const contains = (s: Subnet, address: number): boolean => first(s) <= address && address <= last(s);

/** `a.b.c.d` or `a.b.c.d/prefix`; undefined when it is not that. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', prefix = '32', ...rest] = text.split('/');
  if (rest.length > 0 || !isIPv4(address) || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return undefined;
  return { address: toNumber(address), prefix: Number(prefix) };
}
/** Why a subnet is no good for guests; '' when it is. */
export function subnetTrouble(subnet: Subnet | undefined): string {
  if (!subnet) return 'it is not of the form 10.87.0.1/24';
  if (subnet.prefix < 8 || subnet.prefix > 29) return 'its prefix must be between 8 and 29';
  if (subnet.address === first(subnet) || subnet.address === last(subnet))
    return `${toAddress(subnet.address)} is the network's own or its broadcast address; give the host's, ${toAddress(first(subnet) + 1)}`;
  return '';
}
/** The first of our candidates that meets none of `taken`; undefined when there is none. */
export function freeSubnet(taken: readonly Subnet[]): Subnet | undefined {
  for (const base of ['10.87.0.0', '172.29.0.0', '192.168.0.0']) {
    for (let i = 0; i < 256; i++) {
      const candidate = { address: toNumber(base) + i * 256 + 1, prefix: 24 };
      if (!taken.some((other) => overlaps(candidate, other))) return candidate;
    }
  }
  return undefined;
}
/** The lowest address for a guest that is not in `taken`; undefined when all are. */
export function freeAddress(subnet: Subnet, taken: ReadonlySet<number>): number | undefined {
  for (let address = first(subnet) + 1; address < last(subnet); address++)
    if (address !== subnet.address && !taken.has(address)) return address;
  return undefined;
}
