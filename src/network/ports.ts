/** The verbs on ports. */

import { hostLabel } from '../base/host-name.ts';
import { type Network, networkErrors } from '../contracts/network.ts';
import { checkFilter } from './filter-rules.ts';
import { type House, requirePossible } from './house.ts';
import { checkMac } from './names.ts';
import { checkMtu } from './networks.ts';
import { limitRate } from './rate.ts';
import { type Kind, type PortRecord, portKey } from './records.ts';

export function portVerbs(house: House): Network['port'] {
  const { records, inTurn, drivers } = house;
  // A port with an interface is a tap, whatever became of its network.
  const driverOf = ({ bridge, ifname }: PortRecord) =>
    drivers[records.networks.get(bridge)?.kind ?? (ifname === null ? 'user' : 'bridge')];
  const detach = async (port: PortRecord) => {
    await driverOf(port).detach(house, port);
    await records.ports.remove(portKey(port));
    if ((records.forwards.get(portKey(port)) ?? []).length > 0) await house.rules();
  };
  const limit = async (port: PortRecord, kind: Kind, before: PortRecord | undefined) => {
    const { vm, device, ifname, rateKib = 0 } = port;
    if (ifname !== null && (rateKib > 0 || (before?.rateKib ?? 0) > 0)) await limitRate(house.marks, ifname, rateKib);
    if (kind === 'user' && rateKib > 0)
      house.log.warn("a network of QEMU's own cannot be slowed down: the limit is not kept", { vm, device, rateKib });
  };
  return {
    attach: ({ vm: user, beside, device, bridge, mac, mtu, uid, name, rateKib, filter, carriers }) =>
      inTurn(async () => {
        const network = records.networks.get(bridge);
        if (!network) throw networkErrors.make('Does_not_exist', { what: 'network', id: bridge });
        const driver = drivers[network.kind];
        requirePossible(driver);
        checkMtu(mtu);
        checkFilter(filter, carriers);
        const made = driver.ifname(house, { vm: user, device });
        const vm = made === null ? (beside ?? user) : user;
        const key = portKey({ vm, device });
        const before = records.ports.get(key);
        if (before && before.bridge !== bridge) await detach(before);
        // One that was taken keeps the name that it was made with.
        const ifname = before?.bridge === bridge && made !== null ? (before.ifname ?? made) : made;
        const owner = uid ?? process.getuid?.() ?? 0;
        const port = {
          ...{ vm, device, bridge, mac: checkMac(mac), mtu: mtu ?? null, uid: owner, ifname },
          name: name === undefined ? before?.name : hostLabel(name, vm),
          ...{ rateKib, filter, carriers },
        };
        const forwards = records.forwards.get(key) ?? [];
        if (filter && !driver.filter) throw unfiltered(network.kind);
        await records.ports.put(key, port);
        try {
          // First: there is no moment in which the port is open.
          if (filter || before?.filter) await driver.filter?.(house, port);
          const end = await driver.attach(house, network, port, forwards);
          await limit(port, network.kind, before);
          if (forwards.length > 0) await house.rules();
          return end;
        } catch (error) {
          if (before) await records.ports.put(key, before);
          else await detach(port);
          throw error;
        }
      }),
    take: ({ vm, device, from }) =>
      inTurn(async () => {
        const port = records.ports.get(portKey({ vm: from, device }));
        if (!port) return;
        const own = records.ports.get(portKey({ vm, device }));
        // The same: it was taken already, but for the last step.
        if (own && own.ifname !== port.ifname) await detach(own);
        await records.ports.put(portKey({ vm, device }), { ...port, vm });
        await records.ports.remove(portKey(port));
        if ((records.forwards.get(portKey({ vm, device })) ?? []).length > 0) await house.rules();
      }),
    detach: ({ vm, device }) =>
      inTurn(async () => {
        const port = records.ports.get(portKey({ vm, device }));
        if (port) await detach(port);
      }),
    async counters({ vm, device, carrier }) {
      const port = records.ports.get(portKey({ vm, device }));
      if (!port) throw networkErrors.make('Does_not_exist', { what: 'port', id: `${vm}/${device}` });
      const { counters, kind } = driverOf(port);
      if (!counters) throw networkErrors.make('Not_possible', { kind, reason: 'what passes its ports is not counted' });
      return counters(port, carrier);
    },
    list: async () => records.ports.list().map(({ vm, device, bridge, ifname }) => ({ vm, device, bridge, ifname })),
  };
}
const unfiltered = (kind: Kind) =>
  networkErrors.make('Not_possible', {
    kind,
    reason: 'packets of its ports cannot be filtered; use a bridge or a nat network',
  });
