/** Where guests come in: sockets, and whose each is. */
import { chmod, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Store } from '../contracts/xenstore.ts';
import type { Source } from './verdict.ts';

/** A place to listen, and what it tells of those who come. */
export interface Channel {
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly domid: number;
  /** Undefined: looked up in xenstore, where there is one. */
  readonly uuid: string | undefined;
  readonly stubdom: boolean | undefined;
  /** As it was written. */
  readonly text: string;
}
const forms = 'unix:PATH,domid=N or tcp:PORT,domid=N, then ,uuid=UUID and ,stubdom=true|false where they are known';
const loopback: readonly string[] = ['127.0.0.1', '::1', 'localhost'];

/** Reads a channel. `domid`: of channels that do not say. Throws what is wrong, naming the channel. */
export function parseChannel(text: string, domid?: number): Channel {
  const refuse = (why: string): never => {
    throw new Error(`channel ${text}: ${why}; a channel is ${forms}`);
  };
  const [where = '', ...settings] = text.split(',');
  const said = new Map<string, string>();
  for (const setting of settings) {
    const [key = '', value = ''] = setting.split('=', 2);
    if (!['domid', 'uuid', 'stubdom'].includes(key)) refuse(`no setting ${JSON.stringify(key)}`);
    said.set(key, value);
  }
  const [uuid, stubdom, number] = [said.get('uuid'), said.get('stubdom'), said.get('domid') ?? domid];
  if (number === undefined) refuse('whose it is must be said: domid=N (0 is the host itself, which no rule stops)');
  if (!/^[0-9]{1,5}$/.test(String(number))) refuse(`domid=${number} is no domain's number`);
  if (uuid !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid))
    refuse(`uuid=${uuid} is no uuid`);
  if (stubdom !== undefined && !/^(true|false)$/.test(stubdom)) refuse(`stubdom=${stubdom} is neither true nor false`);
  return {
    at: placeOf(where) ?? refuse(`nothing can be listened on at ${JSON.stringify(where)}`),
    domid: Number(number),
    uuid: uuid?.toLowerCase(),
    stubdom: stubdom === undefined ? undefined : stubdom === 'true',
    text,
  };
}
function placeOf(where: string): Channel['at'] | undefined {
  const [, transport, rest = ''] = /^(unix|tcp):(.+)$/.exec(where) ?? [];
  if (transport === 'unix') return { path: rest };
  const [, host = '127.0.0.1', port] = /^(?:(.+):)?([0-9]{1,5})$/.exec(rest) ?? [];
  return port !== undefined && loopback.includes(host) ? { host, port: Number(port) } : undefined;
}

/** Who is at the other end. Throws when xenstore cannot be asked. */
export async function identify(channel: Channel, store: Store | undefined): Promise<Source> {
  const { domid, uuid, stubdom } = channel;
  if (domid === 0 || !store) return { domid, uuid: uuid ?? null, stubdom: stubdom ?? false };
  const home = `/local/domain/${domid}`;
  const vm = uuid === undefined ? await store.find(`${home}/vm`) : undefined;
  return {
    domid,
    uuid: uuid ?? (vm ? ((await store.find(`${vm}/uuid`))?.toLowerCase() ?? null) : null),
    stubdom: stubdom ?? (await store.find(`${home}/target`)) !== undefined,
  };
}

/** Listens, in place of a dead process's socket; a unix socket is for its owner alone (mode 0600). */
export async function listenChannel(channel: Channel, came: (socket: Socket) => void): Promise<Server> {
  const { at } = channel;
  if ('path' in at) await clear(at.path);
  const server = createServer(came);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`channel ${channel.text}: ${error.message}`)));
    const umask = process.umask(0o177);
    server.listen(at, resolve);
    process.umask(umask);
  });
  if ('path' in at) await chmod(at.path, 0o600);
  return server;
}
async function clear(path: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(undefined);
    }).once('error', resolve);
  });
  if (error === undefined) throw new Error(`${path}: another process listens there; end it, or choose another path`);
  if (error.code === 'ECONNREFUSED') await unlink(path);
}
