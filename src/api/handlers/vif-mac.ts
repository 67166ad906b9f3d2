import type { Ids } from '../../base/ids.ts';

/** A random MAC address, locally administered, unicast. */
export function randomMac(ids: Ids): string {
  const hex = ids.uuid().replaceAll('-', '');
  const first = ((Number.parseInt(hex.slice(20, 22), 16) & 0xfc) | 0x02).toString(16).padStart(2, '0');
  return [first, ...[22, 24, 26, 28, 30].map((i) => hex.slice(i, i + 2))].join(':');
}
