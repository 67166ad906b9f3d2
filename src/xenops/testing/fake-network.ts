import type { Network } from '../../contracts/network.ts';
import type { Trouble } from './fake-storage.ts';

interface PortRow {
  readonly vm: string;
  readonly device: string;
  readonly bridge: string;
  readonly ifname: string;
  /** What it was told last. */
  readonly name?: string | undefined;
  readonly rateKib?: number | undefined;
}
export interface FakeNetwork extends Network {
  /** The ports; may be handed to a second fake, which is then the same network after a restart. */
  readonly ports: Map<string, PortRow>;
  /** Tells the watchers that a guest was given an address. */
  give(mac: string, address: string): void;
}
const unused = async (): Promise<never> => {
  throw new Error('the fake network only has ports');
};

/** Networks in memory: every bridge that is asked for exists, and ports are names. */
export function fakeNetwork(o: { ports?: Map<string, PortRow>; trouble?: Trouble } = {}): FakeNetwork {
  const ports = o.ports ?? new Map<string, PortRow>();
  const listeners = new Set<(event: { event: 'lease'; bridge: string; mac: string; address: string }) => void>();
  let serial = ports.size;
  return {
    ports,
    give(mac, address) {
      for (const listener of listeners) listener({ event: 'lease', bridge: 'fake', mac, address });
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    network: { ensure: unused, remove: unused, list: async () => [], capabilities: async () => [] },
    lease: { list: async () => [] },
    forward: { set: unused, list: async () => [] },
    interface: { list: async () => [] },
    port: {
      async attach({ vm, device, bridge, name, rateKib }) {
        await o.trouble?.('port.attach');
        const key = `${vm}/${device}`;
        const port = { vm, device, bridge, ifname: ports.get(key)?.ifname ?? `fake${serial++}`, name, rateKib };
        ports.set(key, port);
        return { kind: 'tap', ifname: port.ifname };
      },
      async take({ vm, device, from }) {
        await o.trouble?.('port.take');
        const port = ports.get(`${from}/${device}`);
        if (!port) return;
        ports.delete(`${from}/${device}`);
        ports.set(`${vm}/${device}`, { ...port, vm });
      },
      async detach({ vm, device }) {
        await o.trouble?.('port.detach');
        ports.delete(`${vm}/${device}`);
      },
      counters: async () => ({ rxBytes: 1, rxPackets: 2, txBytes: 3, txPackets: 4 }),
      list: async () => [...ports.values()],
    },
  };
}
