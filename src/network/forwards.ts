/** The verbs on forwards: ports of the host that lead into guests. They stay when the guest's port goes, and work while it is there. */
import { createSocket } from 'node:dgram';
import { createServer, isIPv4 } from 'node:net';
import { type Network, networkErrors } from '../contracts/network.ts';
import type { House } from './house.ts';
import { type ForwardRecord, portKey } from './records.ts';

const any = '0.0.0.0';
const isPort = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= 65535;
const meets = (a: ForwardRecord, b: ForwardRecord): boolean =>
  a.protocol === b.protocol &&
  a.hostPort === b.hostPort &&
  (a.hostAddress === b.hostAddress || a.hostAddress === any || b.hostAddress === any);
const same = (a: ForwardRecord, b: ForwardRecord): boolean => JSON.stringify(a) === JSON.stringify(b);

export function forwardVerbs(house: House): Network['forward'] {
  const { records, inTurn } = house;
  return {
    set: ({ vm, device, forwards }) =>
      inTurn(async () => {
        const key = portKey({ vm, device });
        const wanted = forwards.map((f) => checked({ ...f, vm, device }));
        const others = records.forwards
          .list()
          .flat()
          .filter((f) => portKey(f) !== key);
        const before = records.forwards.get(key) ?? [];
        for (const [i, forward] of wanted.entries()) {
          const holder = [...others, ...wanted.slice(0, i)].find((other) => meets(forward, other));
          if (holder) throw taken(forward, `a forward of the VM ${holder.vm}`);
          if (!before.some((known) => same(known, forward))) await requireFree(forward);
        }
        if (wanted.length === 0) await records.forwards.remove(key);
        else await records.forwards.put(key, wanted);
        await house.rules();
      }),
    list: async () => records.forwards.list().flat(),
  };
}
const taken = ({ protocol, hostAddress: address, hostPort: port }: ForwardRecord, by: string) =>
  networkErrors.make('Port_taken', { protocol, address, port, by });

function checked(f: ForwardRecord): ForwardRecord {
  const bad = (reason: string) => networkErrors.make('Not_possible', { kind: 'port forward', reason });
  const hostAddress = f.hostAddress === '' || f.hostAddress === '*' ? any : f.hostAddress;
  if (!isIPv4(hostAddress)) throw bad(`${JSON.stringify(f.hostAddress)} is no IPv4 address of the host`);
  if (!isPort(f.hostPort)) throw bad(`${f.hostPort} is no port; 1 to 65535`);
  if (!isPort(f.guestPort)) throw bad(`${f.guestPort} is no port; 1 to 65535`);
  const { protocol, hostPort, vm, device, guestPort } = f;
  return { protocol, hostAddress, hostPort, vm, device, guestPort };
}
/** Refuses (Port_taken) a port on which something on the host listens: a forward would hide it. */
async function requireFree(f: ForwardRecord): Promise<void> {
  const trouble = await (f.protocol === 'tcp' ? tryTcp(f) : tryUdp(f));
  if (trouble?.code === 'EADDRINUSE') throw taken(f, 'a program of the host');
  if (trouble?.code === 'EADDRNOTAVAIL') {
    const reason = `${f.hostAddress} is no address of this host`;
    throw networkErrors.make('Not_possible', { kind: 'port forward', reason });
  }
}
const tryTcp = (f: ForwardRecord): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    const server = createServer().once('error', resolve);
    server.listen({ port: f.hostPort, host: f.hostAddress, exclusive: true }, () =>
      server.close(() => resolve(undefined)),
    );
  });
const tryUdp = (f: ForwardRecord): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4').once('error', (error) => {
      socket.close();
      resolve(error);
    });
    socket.bind({ port: f.hostPort, address: f.hostAddress, exclusive: true }, () =>
      socket.close(() => resolve(undefined)),
    );
  });
