/** The verbs on networks. */
import { bestEffort } from '../base/best-effort.ts';
import { type Network, networkErrors } from '../contracts/network.ts';
import { type House, obstacle, requirePossible } from './house.ts';
import { type Link, listLinks } from './link.ts';
import { checkBridgeName } from './names.ts';
import type { NetworkRecord } from './records.ts';
import { findTool } from './tool.ts';

export function networkVerbs(house: House): Network['network'] {
  const { records, inTurn, drivers } = house;
  const portsOf = (bridge: string) => records.ports.list().filter((port) => port.bridge === bridge);
  const links = async (): Promise<ReadonlyMap<string, Link>> =>
    new Map(findTool('ip') ? (await listLinks()).map((link) => [link.name, link]) : []);
  const info = (network: NetworkRecord, seen: ReadonlyMap<string, Link>) => {
    const { bridge, kind, subnet } = network;
    const ports = portsOf(bridge).map(({ ifname, vm, device }) => ifname ?? `${vm}/${device}`);
    return { bridge, kind, subnet, up: drivers[kind].isUp(network, seen), ports };
  };
  const requireEmpty = (bridge: string) => {
    const vms = portsOf(bridge).map((port) => port.vm);
    if (vms.length > 0) throw networkErrors.make('In_use', { bridge, vms: vms.join(', ') });
  };
  const drop = async (network: NetworkRecord) => {
    requireEmpty(network.bridge);
    await drivers[network.kind].remove(house, network);
    await records.networks.remove(network.bridge);
    // A host that cannot have rules must still get rid of the network that it could not make.
    if (network.kind === 'nat' || network.kind === 'internal')
      await bestEffort('the next change applies the rules too', house.log, () => house.lastRules());
  };
  return {
    ensure: ({ bridge, kind, subnet, mtu }) =>
      inTurn(async () => {
        checkBridgeName(bridge);
        const driver = drivers[kind];
        requirePossible(driver);
        checkMtu(mtu);
        const before = records.networks.get(bridge);
        if (before && before.kind !== kind) await drop(before);
        const wanted = { bridge, kind, subnet: subnet ?? null, mtu: mtu ?? null };
        const network = await driver.plan(house, wanted);
        // Written down before anything is made: a crash leaves nothing that is not known.
        await records.networks.put(bridge, network);
        await driver.ensure(house, network);
        await house.rules();
        return info(network, await links());
      }),
    remove: ({ bridge }) =>
      inTurn(async () => {
        const network = records.networks.get(bridge);
        if (!network) throw networkErrors.make('Does_not_exist', { what: 'network', id: bridge });
        await drop(network);
      }),
    list: () =>
      inTurn(async () => {
        const seen = await links();
        return records.networks.list().map((network) => info(network, seen));
      }),
    capabilities: async () =>
      Object.values(drivers).map((driver) => {
        const reason = obstacle(driver);
        return { kind: driver.kind, possible: reason === '', reason };
      }),
  };
}
export function checkMtu(mtu: number | undefined): void {
  if (mtu === undefined || (mtu >= 576 && mtu <= 65521)) return;
  throw networkErrors.make('Not_possible', { kind: 'any', reason: `the MTU ${mtu} is not between 576 and 65521` });
}
