/**
 * Who calls: the domain behind a connection on the bus. A bus that knows domains says so itself (`GetConnectionDOMID`); on any other the
 * brokers are asked, all of which stand in line for one name. Who comes through no broker is of the host. When a broker that should
 * know does not answer, or is gone with its connections still there, nobody is taken for the host.
 */
import type { BusConnection } from '../bus/connection.ts';
import { ComCitrixXenclientRpcProxyClient } from '../bus/generated/rpc-proxy-client.ts';
import { BusError, busErrors, withTimeout } from '../bus/interface.ts';
import type { Store as Xenstore } from '../contracts/xenstore.ts';

export interface Sender {
  readonly domid: number;
  /** Null: of the host, or not known. */
  readonly uuid: string | null;
}
const brokerName = 'com.citrix.xenclient.rpc_proxy';
const timeoutMs = 5000;
const is = (error: unknown, ...names: readonly string[]) =>
  error instanceof BusError && names.includes(error.errorName);

export class Senders {
  readonly #bus: BusConnection;
  readonly #xenstore: Xenstore | undefined;
  readonly #known = new Map<string, Promise<Sender>>();
  /** Processes that are or were brokers: their connections are guests'. */
  readonly #brokers = new Set<number>();
  #busKnowsDomains = true;

  /** Follows who comes and goes on the bus. `xenstore`: tells the uuid of a domain. */
  static async follow(bus: BusConnection, xenstore: Xenstore | undefined): Promise<Senders> {
    const senders = new Senders(bus, xenstore);
    const from = 'org.freedesktop.DBus';
    await bus.follow(`type='signal',sender='${from}',interface='${from}',member='NameOwnerChanged'`, (signal) => {
      if (signal.sender !== from || signal.member !== 'NameOwnerChanged') return;
      const [name, , now] = signal.args as [string, string, string];
      if (now === '') senders.#known.delete(name);
      else if (name === brokerName) void senders.#note(now);
    });
    await senders.#brokerNames();
    return senders;
  }
  constructor(bus: BusConnection, xenstore: Xenstore | undefined) {
    this.#bus = bus;
    this.#xenstore = xenstore;
  }
  /** Throws AccessDenied when it cannot be told. */
  of(name: string): Promise<Sender> {
    const known = this.#known.get(name);
    if (known) return known;
    const asked = this.#ask(name).catch((error: Error) => {
      this.#known.delete(name);
      throw new BusError(busErrors.accessDenied, `nobody can tell which domain ${name} is: ${error.message}`, {
        cause: error,
      });
    });
    this.#known.set(name, asked);
    return asked;
  }
  async #ask(name: string): Promise<Sender> {
    const told = await this.#fromBus(name);
    if (told !== undefined) return { domid: told, uuid: told === 0 ? null : await this.#uuidOf(told) };
    for (const owner of await this.#brokerNames()) {
      const found = await this.#fromBroker(owner, name);
      if (found) return found.domid === 0 ? found : { ...found, uuid: found.uuid ?? (await this.#uuidOf(found.domid)) };
    }
    // It is there still, so no broker hung up on it between; and it is no connection of one.
    const [pid] = await this.#bus.bus('GetConnectionUnixProcessID', 's', name);
    if (this.#brokers.has(pid as number)) throw new Error('it belongs to a broker, which does not know it');
    return { domid: 0, uuid: null };
  }
  async #fromBus(name: string): Promise<number | undefined> {
    if (!this.#busKnowsDomains) return undefined;
    try {
      const [domid] = await this.#bus.bus('GetConnectionDOMID', 's', name);
      return domid as number;
    } catch (error) {
      if (!is(error, busErrors.unknownMethod)) throw error;
      this.#busKnowsDomains = false;
      return undefined;
    }
  }
  async #brokerNames(): Promise<readonly string[]> {
    try {
      const [names] = (await this.#bus.bus('ListQueuedOwners', 's', brokerName)) as [string[]];
      await Promise.all(names.map((name) => this.#note(name)));
      return names;
    } catch (error) {
      if (is(error, busErrors.noOwner)) return [];
      throw error;
    }
  }
  async #note(owner: string): Promise<void> {
    try {
      const [pid] = await this.#bus.bus('GetConnectionUnixProcessID', 's', owner);
      this.#brokers.add(pid as number);
    } catch (error) {
      if (!is(error, busErrors.noOwner, busErrors.disconnected)) throw error;
    }
  }
  async #fromBroker(owner: string, name: string): Promise<Sender | undefined> {
    const bus = withTimeout(this.#bus, timeoutMs);
    try {
      const [domid, uuid] = await new ComCitrixXenclientRpcProxyClient(bus, owner, '/').getConnectionSource(name);
      return { domid, uuid: uuid === '' ? null : uuid };
    } catch (error) {
      if (is(error, busErrors.noOwner)) return undefined;
      throw error;
    }
  }
  async #uuidOf(domid: number): Promise<string | null> {
    const vm = await this.#xenstore?.find(`/local/domain/${domid}/vm`);
    return vm ? ((await this.#xenstore?.find(`${vm}/uuid`))?.toLowerCase() ?? null) : null;
  }
}
