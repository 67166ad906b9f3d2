/** `bridge`: a bridge of the host, used as it is. */
import { networkErrors } from '../../../contracts/network.ts';
import type { Driver } from '../../driver.ts';
import { findLink } from '../../link.ts';
import { tapPorts } from '../../tap-ports.ts';

async function requireBridge(name: string): Promise<void> {
  const link = await findLink(name);
  if (!link) throw networkErrors.make('Does_not_exist', { what: 'bridge', id: name });
  const reason = `it is no bridge but ${link.kind || 'a device'}`;
  if (link.kind !== 'bridge') throw networkErrors.make('Bad_name', { name, reason });
}

export const bridgeDriver: Driver = {
  ...tapPorts,
  kind: 'bridge',
  tools: ['ip'],
  needsRoot: true,
  async plan(_ground, wanted) {
    await requireBridge(wanted.bridge);
    return { ...wanted, subnet: null };
  },
  ensure: (_ground, { bridge }) => requireBridge(bridge),
  remove: () => Promise.resolve(),
};
