/** Ports that are taps on a bridge: what the drivers with bridges share. */
import { ensureTap, removeTap } from './bridge.ts';
import { countersOf } from './counters.ts';
import type { Driver } from './driver.ts';
import { filterPort, forgetFilter } from './filter.ts';
import { forgetRate } from './rate.ts';

export const tapPorts = {
  isUp: ({ bridge }, links) => links.get(bridge)?.up ?? false,
  ifname: ({ marks }, { vm, device }) => marks.tap(vm, device),
  counters: ({ ifname }, carrier) => countersOf(carrier ?? ifname ?? ''),
  async attach({ marks }, network, port) {
    const ifname = port.ifname ?? marks.tap(port.vm, port.device);
    await ensureTap({ ...port, ifname }, port.mtu ?? network.mtu, marks);
    return { kind: 'tap', ifname };
  },
  filter: ({ marks }, port) => filterPort(marks, port),
  async detach({ marks }, { ifname, filter, rateKib = 0 }) {
    if (ifname === null) return;
    await removeTap(ifname, marks);
    if (filter) await forgetFilter(marks, ifname);
    if (rateKib > 0) await forgetRate(marks, ifname);
  },
} satisfies Partial<Driver>;
