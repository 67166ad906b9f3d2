/** Networks of the host and the ports of guests on them. Foreign bridges, rules and addresses are never touched. */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { type Shape, s } from './schema.ts';

/**
 * `nat`: a bridge of ours with addresses, DHCP, DNS and masquerading. `internal`: a bridge of ours without any.
 * `bridge`: an existing bridge of the host, used as it is. `user`: QEMU's own user network, for hosts without root.
 */
const networkSpec = s.object({
  /** The bridge's name (at most 15 characters); for `user` any name. */
  bridge: s.string,
  kind: s.oneOf('nat', 'internal', 'bridge', 'user'),
  /** `nat`: the host's address with prefix, `10.87.0.1/24`. Chosen when absent so that it meets no other network. */
  subnet: s.optional(s.string),
  mtu: s.optional(s.size),
});
const networkInfo = s.object({
  bridge: s.string,
  kind: s.oneOf('nat', 'internal', 'bridge', 'user'),
  subnet: s.nullable(s.string),
  up: s.boolean,
  ports: s.list(s.string),
});
/** `tap`: an interface that the uid may open. `user`: QEMU's user network with these forwards. */
const port = s.union('kind', {
  tap: s.object({ kind: s.literal('tap'), ifname: s.string }),
  user: s.object({
    kind: s.literal('user'),
    /** What QEMU's DHCP tells the guest that it is called. */
    hostname: s.optional(s.string),
    forwards: s.list(
      s.object({ protocol: s.oneOf('tcp', 'udp'), hostAddress: s.string, hostPort: s.size, guestPort: s.size }),
    ),
  }),
});
/** Whose packets pass a port: none at all, or those of its MAC address with these IP addresses (single ones, as text). */
const portFilter = s.object({
  mode: s.oneOf('disabled', 'locked'),
  ipv4: s.list(s.string),
  ipv6: s.list(s.string),
});
const portId = s.object({ vm: s.string, device: s.string });
const forward = s.object({
  protocol: s.oneOf('tcp', 'udp'),
  hostAddress: s.string,
  hostPort: s.size,
  /** VM id and device of the port. */ vm: s.string,
  device: s.string,
  guestPort: s.size,
});
const iface = s.object({
  name: s.string,
  mac: s.string,
  mtu: s.size,
  up: s.boolean,
  carrier: s.boolean,
  /** Physical: it has a device behind it. */ physical: s.boolean,
  addresses: s.list(s.string),
  bridge: s.nullable(s.string),
});

/** Sent by the guest (`tx`) and to it (`rx`). */
export const portCounters = s.object({ rxBytes: s.size, rxPackets: s.size, txBytes: s.size, txPackets: s.size });

export const networkContract = contract({
  name: 'network',
  methods: {
    network: {
      ensure: method(
        'Make a network be as described; repeating it repairs what is missing and changes nothing else.',
        networkSpec,
        networkInfo,
      ),
      remove: method(
        'Take down a network of ours. Refused while ports are on it; `bridge` and `user` are only forgotten.',
        s.object({ bridge: s.string }),
        s.nothing,
      ),
      list: method('The networks that were ensured.', s.object({}), s.list(networkInfo)),
      capabilities: method(
        'Which kinds this host can do now, and why not the others.',
        s.object({}),
        s.list(s.object({ kind: s.string, possible: s.boolean, reason: s.string })),
      ),
    },
    port: {
      attach: method(
        'Make the port of a guest and put it on its network; repeating it gives the same port, with a changed name, rate or filter.',
        s.object({
          vm: s.string,
          device: s.string,
          /**
           * `vm` names a second domain of this VM on this host, which is to take its guest: where ports are interfaces of the host, that
           * gets one of its own, until `take`; elsewhere both have the same.
           */
          beside: s.optional(s.string),
          bridge: s.string,
          mac: s.string,
          mtu: s.optional(s.size),
          /** The VM's name, any text: DHCP and DNS of `nat` networks call the guest by a label made of it. */
          name: s.optional(s.string),
          /** KiB/s in each direction, 0 for no limit. `user` networks cannot limit. */
          rateKib: s.optional(s.size),
          /** Absent: everything passes. `user` networks refuse it (Not_possible). */
          filter: s.optional(portFilter),
          /** The interfaces that carry the guest's packets, where that is not the tap: Xen's netback. They may come later. */
          carriers: s.optional(s.list(s.string)),
          uid: s.optional(s.size),
          gid: s.optional(s.size),
        }),
        port,
      ),
      take: method(
        "The port of `from`, which was made beside the VM's, becomes the VM's, whose own goes. None is no error.",
        s.object({ vm: s.string, device: s.string, from: s.string }),
        s.nothing,
      ),
      detach: method('Take the port away. None is no error.', portId, s.nothing),
      counters: method(
        'What has passed since its interface was made, as the guest sees it; `carrier` is the interface that carries its packets, ' +
          'where that is not the tap. Not_possible on `user` networks.',
        s.object({ vm: s.string, device: s.string, carrier: s.optional(s.string) }),
        portCounters,
      ),
      list: method(
        'All ports, for reconciling.',
        s.object({}),
        s.list(s.object({ vm: s.string, device: s.string, bridge: s.string, ifname: s.nullable(s.string) })),
      ),
    },
    lease: {
      list: method(
        'Addresses that our DHCP gave out.',
        s.object({ bridge: s.optional(s.string) }),
        s.list(s.object({ bridge: s.string, mac: s.string, address: s.string, hostname: s.string, expires: s.int })),
      ),
    },
    forward: {
      set: method(
        'The forwards into one guest port, all of them; an empty list clears them. On `user` networks they take effect at the next attach.',
        s.object({ vm: s.string, device: s.string, forwards: s.list(forward) }),
        s.nothing,
      ),
      list: method('All forwards.', s.object({}), s.list(forward)),
    },
    interface: { list: method('The interfaces of the host.', s.object({}), s.list(iface)) },
  },
  /** A lease was given or changed. */
  event: s.object({ event: s.literal('lease'), bridge: s.string, mac: s.string, address: s.string }),
});
export type Network = Api<typeof networkContract>;
export type NetworkSpec = Shape<typeof networkSpec>;
export type Port = Shape<typeof port>;
export type PortFilter = Shape<typeof portFilter>;
export type PortCounters = Shape<typeof portCounters>;

export const networkErrors = errorsOf({
  Does_not_exist: 'there is no {what} {id}',
  Not_possible: 'not possible on this host: network, {kind}: {reason}',
  Bad_name: '{name} is not the name of a bridge: {reason}',
  Foreign: '{name} exists and was not made by this host; it is left alone',
  In_use: 'the network {bridge} has ports of {vms}',
  Port_taken: '{protocol} port {port} of {address} is taken by {by}',
  Tool_failed: '{tool} failed: {reason}',
});
