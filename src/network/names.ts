/** Names of what is ours: recognisable, at most 15 characters, the same after every restart. */
import { createHash } from 'node:crypto';
import { networkErrors } from '../contracts/network.ts';

/** What tells one installation's things from another's. */
export interface Marks {
  /** The alias of our links starts with it. */
  readonly alias: string;
  /** The nftables table. */
  readonly table: string;
  readonly tap: (vm: string, device: string) => string;
  /** The bridge's MAC address. */
  readonly mac: (bridge: string) => string;
}
const hash = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\0')).digest('hex');

/** `dir` is the data folder of this installation. */
export function marksOf(dir: string): Marks {
  const house = hash(dir).slice(0, 8);
  return {
    alias: `guesthouse:${house}`,
    table: `guesthouse_${house}`,
    tap: (vm, device) => `gh${hash(house, vm, device).slice(0, 12)}`,
    mac: (bridge) =>
      `02:67:68:${hash(house, bridge)
        .slice(0, 6)
        .replace(/(..)(?=.)/g, '$1:')}`,
  };
}
/** Refuses (Bad_name) what the kernel, `ip` or nftables would not take as the name of a bridge. */
export function checkBridgeName(name: string): void {
  const bad = (reason: string) => networkErrors.make('Bad_name', { name: JSON.stringify(name), reason });
  if (name.length === 0 || name.length > 15) throw bad('it must have 1 to 15 characters');
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) throw bad('only letters, digits, _, . and - may be in it');
  if (['lo', 'all', 'default', 'none'].includes(name)) throw bad('the kernel uses that name itself');
}
/** The address in lower case; Bad_name when it is none or a group address. */
export function checkMac(mac: string): string {
  const lower = mac.toLowerCase();
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(lower)) return lower;
  throw networkErrors.make('Bad_name', {
    name: JSON.stringify(mac),
    reason: 'a MAC address of one interface is expected',
  });
}
