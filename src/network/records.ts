/** What was asked for, kept in the store and in memory: it is made true again after a restart. */
import type { PortFilter } from '../contracts/network.ts';
import type { Store } from '../store/store.ts';

export type Kind = 'nat' | 'internal' | 'bridge' | 'user';
export interface NetworkRecord {
  readonly bridge: string;
  readonly kind: Kind;
  /** `nat`: the host's address with prefix. */
  readonly subnet: string | null;
  readonly mtu: number | null;
}
export interface PortRecord {
  readonly vm: string;
  readonly device: string;
  readonly bridge: string;
  readonly mac: string;
  readonly mtu: number | null;
  /** The label that the guest is to be called by, before it is made unique. */
  readonly name?: string | undefined;
  /** KiB/s; none or 0 for no limit. */
  readonly rateKib?: number | undefined;
  /** None: everything passes. */
  readonly filter?: PortFilter | undefined;
  /** Interfaces that carry the guest's packets in the tap's place. */
  readonly carriers?: readonly string[] | undefined;
  readonly uid: number;
  /** Null on `user` networks. */
  readonly ifname: string | null;
}
export interface ForwardRecord {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly vm: string;
  readonly device: string;
  readonly guestPort: number;
}
/** An address that is kept for a guest's interface. */
export interface AddressRecord {
  readonly bridge: string;
  readonly mac: string;
  readonly address: string;
  /** Grows: the lowest is the oldest. */
  readonly serial: number;
  /** The label that DHCP and DNS call the guest by; no two attached interfaces of a bridge have the same. */
  readonly name?: string | undefined;
}

/** One table: rows by key, written through. */
export class Table<T> {
  readonly #rows = new Map<string, T>();
  readonly #write: (key: string, value: string | null) => Promise<void>;

  constructor(write: (key: string, value: string | null) => Promise<void>) {
    this.#write = write;
  }
  fill(key: string, row: T): void {
    this.#rows.set(key, row);
  }
  get(key: string): T | undefined {
    return this.#rows.get(key);
  }
  list(): readonly T[] {
    return [...this.#rows.values()];
  }
  /** Writes when it differs; durable when it answers. */
  async put(key: string, row: T): Promise<void> {
    const text = JSON.stringify(row);
    if (JSON.stringify(this.#rows.get(key)) === text) return;
    this.#rows.set(key, row);
    await this.#write(key, text);
  }
  async remove(key: string): Promise<void> {
    if (this.#rows.delete(key)) await this.#write(key, null);
  }
}
export interface Records {
  readonly networks: Table<NetworkRecord>;
  readonly ports: Table<PortRecord>;
  readonly forwards: Table<readonly ForwardRecord[]>;
  readonly addresses: Table<AddressRecord>;
}
export const portKey = (p: { readonly vm: string; readonly device: string }): string => `${p.vm}/${p.device}`;
export const addressKey = (a: { readonly bridge: string; readonly mac: string }): string => `${a.bridge}/${a.mac}`;

/** The store is written by nobody else: its revisions are counted here. */
export async function openRecords(store: Store): Promise<Records> {
  let revision = await store.revision();
  const open = async <T>(name: string): Promise<Table<T>> => {
    const table = new Table<T>((key, value) => store.commit(++revision, [{ table: name, key, value }]));
    for await (const [key, value] of store.load(name)) table.fill(key, JSON.parse(value) as T);
    return table;
  };
  return {
    networks: await open<NetworkRecord>('network.networks'),
    ports: await open<PortRecord>('network.ports'),
    forwards: await open<readonly ForwardRecord[]>('network.forwards'),
    addresses: await open<AddressRecord>('network.addresses'),
  };
}
