/** The network daemon: the contract over networks, the ports of guests, leases and forwards. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { KeyedQueue } from '../base/queue.ts';
import type { Network } from '../contracts/network.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Store } from '../store/store.ts';
import { DhcpServers } from './dhcp.ts';
import { drivers as realDrivers } from './drivers/index.ts';
import { simulatedDrivers } from './drivers/simulated/driver.ts';
import { applyRules } from './firewall.ts';
import { forwardVerbs } from './forwards.ts';
import { type House, requirePossible } from './house.ts';
import type { Lease } from './lease.ts';
import { isPhysical, type Link, listLinks } from './link.ts';
import { marksOf } from './names.ts';
import { networkVerbs } from './networks.ts';
import { portVerbs } from './ports.ts';
import { openRecords } from './records.ts';
import { findTool } from './tool.ts';

type NetworkEvent = Parameters<Parameters<Network['watch']>[0]>[0];

export interface NetworkGround {
  /** Folder (absolute) of this installation; what is made on the host carries marks derived from it. */
  readonly dir: string;
  /** Written by nobody else: its revisions are counted here. */
  readonly store: Store;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Nothing is made on the host: networks are records only. */
  readonly simulated?: boolean;
}
/** Opens networking and makes what was ensured before be there again. */
export async function openNetwork(ground: NetworkGround): Promise<Network & { close(): Promise<void> }> {
  const { dir, store, processes, log } = ground;
  const folder = join(dir, 'dhcp');
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const records = await openRecords(store);
  const listeners = new Set<(event: NetworkEvent) => void>();
  const queue = new KeyedQueue(1);
  const inTurn = <T>(work: () => Promise<T>) => queue.push('', async () => work());
  const onLease = ({ bridge, mac, address }: Lease) => {
    for (const listener of listeners) listener({ event: 'lease', bridge, mac, address });
    void inTurn(() => bestEffort('the next change applies the rules too', log, house.rules));
  };
  const dhcp = new DhcpServers(folder, processes, records, log, onLease);
  const marks = marksOf(dir);
  const drivers = ground.simulated ? simulatedDrivers : realDrivers;
  const lastRules = async () => {
    if (!ground.simulated) await applyRules(house);
  };
  const rules = async () => {
    const ruled = records.networks.list().some(({ kind }) => kind === 'nat' || kind === 'internal');
    if (ruled) await lastRules();
  };
  const house: House = { marks, records, dhcp, log, inTurn, drivers, rules, lastRules };
  await restore(house);
  return {
    network: networkVerbs(house),
    port: portVerbs(house),
    lease: { list: async ({ bridge }) => dhcp.leases.list(bridge) },
    forward: forwardVerbs(house),
    interface: { list: async () => (findTool('ip') ? (await listLinks()).map(interfaceInfo) : []) },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      listeners.clear();
      dhcp.close();
      await inTurn(() => Promise.resolve());
    },
  };
}

async function restore(house: House): Promise<void> {
  const { records, log, drivers } = house;
  for (const known of records.networks.list()) {
    await bestEffort(`the network ${known.bridge} can be ensured again`, log, async () => {
      const driver = drivers[known.kind];
      requirePossible(driver);
      const network = (await driver.revise?.(house, known)) ?? known;
      if (network !== known) await records.networks.put(known.bridge, network);
      await driver.ensure(house, network);
    });
  }
  await bestEffort('the next change applies the rules too', log, house.rules);
}
function interfaceInfo(link: Link) {
  const { name, mac, mtu, up, carrier, addresses, master: bridge } = link;
  return { name, mac, mtu, up, carrier, physical: isPhysical(link), addresses, bridge };
}
