/** Addresses as XenoUtil computes with them: IPv4 in dotted quads. */

/** Undefined for what is no address. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.').map((p) => (/^\d{1,3}$/.test(p) ? Number(p) : 256));
  if (parts.length !== 4 || parts.some((p) => p > 255)) return undefined;
  return parts.reduce((sum, p) => sum * 256 + p, 0);
}
export const formatAddress = (n: number): string => [24, 16, 8, 0].map((s) => (n >>> s) & 255).join('.');

/** 32-bit addition. Throws when `ip` is no address. */
export function addOffset(ip: string, offset: number): string {
  const address = parseAddress(ip);
  if (address === undefined) throw new RangeError(`${ip} is not an address such as 169.254.1.0`);
  return formatAddress((address + offset) >>> 0);
}
/** Whether both are the same after masking. */
export function sameSubnet(ip: string, network: string, mask: string): boolean {
  const [a, b, m] = [parseAddress(ip), parseAddress(network), parseAddress(mask)];
  if (a === undefined || b === undefined || m === undefined) return false;
  return ((a & m) ^ (b & m)) === 0;
}
/** What a domain may send and what reaches it, in the words of `/proc/xeno/vfr`. */
export function routingRules(dom: number, vif: number, address: string): readonly [string, string] {
  const linkLocal = address.includes('169.254');
  const source = `ADD ACCEPT srcaddr=${address} srcaddrmask=255.255.255.255 srcdom=${dom} srcidx=${vif}`;
  const destination = linkLocal ? 'dstdom=0 dstidx=0' : 'dst=PHYS';
  return [
    `${source} ${destination} proto=any`,
    `ADD ACCEPT dstaddr=${address} dstaddrmask=255.255.255.255 src=ANY dstdom=${dom} dstidx=${vif} proto=any`,
  ];
}
