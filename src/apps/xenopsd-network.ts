/** Bridges that are only named: an interface of a VM that no network was made for goes on the host's bridge of that name. */
import { isKind } from '../contracts/contract.ts';
import type { Network } from '../contracts/network.ts';

/** As `network`, and a port on a bridge that it does not know makes it known first. `kind`: `user` where nobody may use bridges. */
export function bridgesByName<N extends Network>(network: N, kind: 'bridge' | 'user'): N {
  const { attach } = network.port;
  return {
    ...network,
    port: {
      ...network.port,
      async attach(port, call) {
        try {
          return await attach(port, call);
        } catch (error) {
          if (!isKind(error, 'Does_not_exist') || error.args['what'] !== 'network') throw error;
        }
        await network.network.ensure({ bridge: port.bridge, kind });
        return attach(port, call);
      },
    },
  };
}
