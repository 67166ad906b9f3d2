/** A TCP port on loopback whose connections lead to a console: clients of VNC know nothing of HTTP. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Bridge extends AsyncDisposable {
  readonly port: number;
  /** Why connections were not led on. */
  readonly troubles: readonly string[];
}
export interface Route {
  /** The host's address, http or https; a certificate is not looked at. */
  readonly url: string;
  /** Path and query of the console. */
  readonly path: string;
  readonly session: string;
}

/** Asks for the console as clients do it that dial it themselves: CONNECT in HTTP/1.0 with the session in a cookie. */
export async function dial({ url, path, session }: Route): Promise<Socket> {
  const { protocol, hostname, port } = new URL(url);
  const plain = protocol === 'http:';
  const to = { host: hostname, port: Number(port) };
  const socket = plain ? connect(to) : connectTls({ ...to, rejectUnauthorized: false });
  await once(socket, plain ? 'connect' : 'secureConnect');
  socket.write(`CONNECT ${path} HTTP/1.0\r\nHost: ${hostname}\r\nCookie: session_id=${session}\r\n\r\n`);
  let head = Buffer.alloc(0);
  while (!head.includes('\r\n\r\n')) {
    const piece = socket.read() as Buffer | null;
    if (piece) head = Buffer.concat([head, piece]);
    else if (socket.readableEnded || socket.destroyed) throw new Error(`the console ended: ${head.toString()}`);
    else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  }
  const end = head.indexOf('\r\n\r\n') + 4;
  const [first] = head.toString('latin1').split('\r\n');
  if (!/^HTTP\/1\.[01] 200 /.test(first ?? '')) throw new Error(`CONNECT ${path}: ${head.toString()}`);
  if (end < head.length) socket.unshift(head.subarray(end));
  return socket;
}

export async function bridge(route: Route): Promise<Bridge> {
  const troubles: string[] = [];
  const open = new Set<Socket>();
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer((client) => {
    keep(client);
    dial(route).then(
      (console) => {
        keep(console);
        client.pipe(console).pipe(client);
        client.once('close', () => console.destroy());
        console.once('close', () => client.destroy());
      },
      (error: unknown) => {
        troubles.push(String(error));
        client.destroy();
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    troubles,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
