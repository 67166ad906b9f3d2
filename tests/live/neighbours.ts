/** A domain manager's neighbours for guests whose disks are files and whose bridges are there: nothing is opened, ports are names. */
import type { Network } from '../../src/contracts/network.ts';
import type { Storage } from '../../src/contracts/storage.ts';

const unused = async (): Promise<never> => {
  throw new Error('these neighbours only have ports');
};
const unwatched = () => () => undefined;

export const noStorage: Storage = {
  watch: unwatched,
  sr: {
    create: unused,
    destroy: unused,
    stat: unused,
    types: unused,
    attach: unused,
    detach: unused,
    probe: unused,
    scan: unused,
    coalesce: unused,
  },
  disc: { open: unused, close: unused, users: async () => [] },
  transfer: { begin: unused, serve: unused, wait: unused, cancel: unused },
  changes: { between: unused, note: unused, forget: unused },
  vdi: {
    ...{ create: unused, destroy: unused, stat: unused, resize: unused, snapshot: unused, clone: unused, copy: unused },
    ...{ rename: unused, freeze: unused, open: unused, close: unused },
    users: async () => [],
  },
};
export function portsOnly(): Network {
  const ports = new Map<string, { vm: string; device: string; bridge: string; ifname: string }>();
  return {
    watch: unwatched,
    network: { ensure: unused, remove: unused, list: async () => [], capabilities: async () => [] },
    lease: { list: async () => [] },
    forward: { set: unused, list: async () => [] },
    interface: { list: async () => [] },
    port: {
      async attach({ vm, device, bridge }) {
        const ifname = `none${ports.size}`;
        ports.set(`${vm}/${device}`, { vm, device, bridge, ifname });
        return { kind: 'tap', ifname };
      },
      async take({ vm, device, from }) {
        const port = ports.get(`${from}/${device}`);
        if (port) ports.set(`${vm}/${device}`, { ...port, vm });
        ports.delete(`${from}/${device}`);
      },
      async detach({ vm, device }) {
        ports.delete(`${vm}/${device}`);
      },
      counters: unused,
      list: async () => [...ports.values()],
    },
  };
}
