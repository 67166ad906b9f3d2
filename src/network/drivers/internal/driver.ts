/** `internal`: a bridge of ours on which guests reach each other, and nothing else. */
import { ensureBridge, ourBridge, removeBridge } from '../../bridge.ts';
import type { Driver } from '../../driver.ts';
import { tapPorts } from '../../tap-ports.ts';

export const internalDriver: Driver = {
  ...tapPorts,
  kind: 'internal',
  tools: ['ip', 'nft'],
  needsRoot: true,
  async plan({ marks }, wanted) {
    await ourBridge(wanted.bridge, marks);
    return { ...wanted, subnet: null };
  },
  async ensure({ marks, records }, network) {
    await ensureBridge(network, marks, records);
  },
  remove: ({ marks }, { bridge }) => removeBridge(bridge, marks),
};
