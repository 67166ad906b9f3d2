/** All of it: channels that listen, a relay for each guest that comes, the service on the bus. */
import { randomBytes } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import type { BusConnection } from '../bus/connection.ts';
import type { Store } from '../contracts/xenstore.ts';
import { BusNames } from './bus-names.ts';
import { type Channel, identify, listenChannel } from './channel.ts';
import { Relay, type RelayParts } from './relay.ts';
import { brokerName } from './reserved.ts';
import { serveBroker } from './service.ts';
import type { Source } from './verdict.ts';

export interface BrokerParts extends Omit<RelayParts, 'namesOf' | 'connections' | 'guid'> {
  readonly channels: readonly Channel[];
  /** The broker's own connection to the bus. */
  readonly service: BusConnection;
  /** Tells who a domain is. */
  readonly store: Store | undefined;
}
export interface Broker {
  /** Hangs up on everybody, and listens no more. */
  close(): Promise<void>;
}
const manager = 'com.citrix.xenclient.xenmgr';

export async function startBroker(parts: BrokerParts): Promise<Broker> {
  const { service, policy, log, store } = parts;
  const names = await BusNames.follow(service);
  // The broker itself is of the host.
  const connections = new Map<string, Source>([[service.name, { domid: 0, uuid: null, stubdom: false }]]);
  const relayParts: RelayParts = {
    ...parts,
    namesOf: (unique) => names.of(unique),
    connections,
    guid: randomBytes(16).toString('hex'),
  };
  // A VM's properties and rules are read again when its manager says that something of it changed.
  await service.follow(`type='signal',sender='${manager}'`, ({ sender, member, args: [uuid] }) => {
    if (!/^vm_(config|state)_changed$/.test(member) || typeof uuid !== 'string') return;
    if (names.of(sender).includes(manager)) void policy.changed(uuid);
  });
  serveBroker(service, { policy, connections, sourceOf: (domid) => sourceOf(domid, connections, store) });
  await service.own(brokerName, { queue: true }).catch((error: Error) => {
    log.warn(`${brokerName} cannot be owned: nobody learns the domains behind connections`, { error: error.message });
  });
  const guests = new Guests(relayParts, store);
  const servers: Server[] = [];
  for (const channel of parts.channels)
    servers.push(await listenChannel(channel, (socket) => void guests.came(channel, socket)));
  return {
    async close() {
      for (const server of servers) server.close();
      await guests.close();
    },
  };
}
async function sourceOf(
  domid: number,
  connections: ReadonlyMap<string, Source>,
  store: Store | undefined,
): Promise<Source> {
  const known = [...connections.values()].find((source) => source.domid === domid);
  return known ?? identify({ at: { path: '' }, domid, uuid: undefined, stubdom: undefined, text: '' }, store);
}
/** Those who came, by channel; one who is not known yet has a seat too. */
class Guests {
  readonly #parts: RelayParts;
  readonly #store: Store | undefined;
  readonly #relays = new Set<Relay>();
  readonly #seats = new Map<Channel, number>();

  constructor(parts: RelayParts, store: Store | undefined) {
    this.#parts = parts;
    this.#store = store;
  }
  async came(channel: Channel, socket: Socket): Promise<void> {
    const { log, limits } = this.#parts;
    socket.on('error', () => socket.destroy()); // told by the relay, once there is one
    const seats = this.#seats.get(channel) ?? 0;
    if (seats >= limits.connections) {
      log.warn('a connection too many', { channel: channel.text, limit: limits.connections });
      socket.destroy();
      return;
    }
    this.#seats.set(channel, seats + 1);
    socket.once('close', () => this.#seats.set(channel, (this.#seats.get(channel) ?? 1) - 1));
    socket.setNoDelay(true);
    socket.pause();
    try {
      const relay = new Relay(this.#parts, socket, await identify(channel, this.#store));
      this.#relays.add(relay);
      void relay.closed.then(() => this.#relays.delete(relay));
      socket.resume();
    } catch (error) {
      log.warn('nobody knows who this is: hung up', { channel: channel.text, error: String(error) });
      socket.destroy();
    }
  }
  async close(): Promise<void> {
    const all = [...this.#relays];
    for (const relay of all) relay.close('the broker ends');
    await Promise.all(all.map((relay) => relay.closed));
  }
}
