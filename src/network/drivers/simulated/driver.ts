/**
 * Networks of the simulator: every kind is possible and none is made. Its guests send nothing, so that the host's bridges, rules
 * and addresses need not change for them; the records are the same as on a real host.
 */
import type { Driver } from '../../driver.ts';
import type { Kind } from '../../records.ts';
import { knownSubnet } from '../nat/driver.ts';

const simulated = (kind: Kind): Driver => ({
  kind,
  tools: [],
  needsRoot: false,
  plan: async (ground, wanted) => ({ ...wanted, subnet: kind === 'nat' ? knownSubnet(ground, wanted) : null }),
  ensure: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  isUp: () => true,
  ifname: () => null,
  attach: async () => ({ kind: 'user', forwards: [] }),
  detach: () => Promise.resolve(),
  filter: () => Promise.resolve(),
  counters: () => ({ rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 }),
});
export const simulatedDrivers: Readonly<Record<Kind, Driver>> = {
  nat: simulated('nat'),
  internal: simulated('internal'),
  bridge: simulated('bridge'),
  user: simulated('user'),
};
