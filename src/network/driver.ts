/**
 * What a kind of network must be able to do. Adding one is a folder in `drivers/` and a row in `drivers/index.ts`.
 * The server above calls one verb at a time, keeps the records, and calls `rules()` after what changes them. Every verb may be
 * repeated: it repairs what is missing and changes nothing else.
 */
import type { Log } from '../base/log.ts';
import type { Port, PortCounters } from '../contracts/network.ts';
import type { DhcpServers } from './dhcp.ts';
import type { Link } from './link.ts';
import type { Marks } from './names.ts';
import type { ForwardRecord, NetworkRecord, PortRecord, Records } from './records.ts';

export interface Ground {
  readonly marks: Marks;
  readonly records: Records;
  readonly dhcp: DhcpServers;
  readonly log: Log;
}
export interface Driver {
  readonly kind: string;
  /** Tools that it cannot do without. */
  readonly tools: readonly string[];
  readonly needsRoot: boolean;
  /** Completes what was asked for (a subnet is chosen), or refuses it; makes nothing. */
  plan(ground: Ground, wanted: NetworkRecord): Promise<NetworkRecord>;
  /** Called when networking is opened: what is remembered, changed where the host no longer has room for it. */
  revise?(ground: Ground, network: NetworkRecord): Promise<NetworkRecord>;
  ensure(ground: Ground, network: NetworkRecord): Promise<void>;
  remove(ground: Ground, network: NetworkRecord): Promise<void>;
  isUp(network: NetworkRecord, links: ReadonlyMap<string, Link>): boolean;
  /** The name of the port's interface, null for none. */
  ifname(ground: Ground, port: { vm: string; device: string }): string | null;
  attach(ground: Ground, network: NetworkRecord, port: PortRecord, forwards: readonly ForwardRecord[]): Promise<Port>;
  detach(ground: Ground, port: PortRecord): Promise<void>;
  /** Makes the port's filter hold, or (none) go; called before a guest has the port. Absent: ports of this kind cannot have one. */
  filter?(ground: Ground, port: PortRecord): Promise<void>;
  /** What has passed the port, or the interface that carries its packets; absent: nobody counts it. Does_not_exist. */
  counters?(port: PortRecord, carrier: string | undefined): PortCounters;
}
