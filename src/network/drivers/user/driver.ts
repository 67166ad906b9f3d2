/** `user`: QEMU's own user network. Nothing is made on the host; forwards are QEMU's. */
import type { Driver } from '../../driver.ts';

export const userDriver: Driver = {
  kind: 'user',
  tools: [],
  needsRoot: false,
  plan: async (_ground, wanted) => ({ ...wanted, subnet: null }),
  ensure: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  isUp: () => true,
  ifname: () => null,
  attach: async (_ground, _network, { name }, forwards) => ({
    kind: 'user',
    ...(name === undefined ? {} : { hostname: name }),
    forwards: forwards.map(({ protocol, hostAddress, hostPort, guestPort }) => {
      return { protocol, hostAddress, hostPort, guestPort };
    }),
  }),
  detach: () => Promise.resolve(),
};
