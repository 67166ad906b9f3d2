/** What `guesthouse up` may be told, checked before anything is touched. */
import { createServer } from 'node:net';
import { Refusal } from './refusal.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}
export interface UpOptions {
  readonly data: string;
  readonly listen: string;
  /** `none`: no TLS. */
  readonly listenTls: string;
  readonly hypervisor: string;
  readonly store: string;
  readonly passwordFile?: string | undefined;
  readonly demo: boolean;
  /** Each daemon is a process of its own. */
  readonly separate?: boolean | undefined;
}

const hypervisors = ['auto', 'xen', 'qemu', 'simulator'];

/** Throws a `Refusal` that names the flag. */
export function checkUpOptions(options: UpOptions): void {
  const { host } = addressOf('--listen', options.listen);
  if (!isLoopback(host))
    throw new Refusal(
      `--listen ${options.listen}: plain HTTP is for this machine only (127.0.0.1, ::1 or localhost); for others there is --listen-tls`,
    );
  if (options.listenTls !== 'none') addressOf('--listen-tls', options.listenTls);
  if (!hypervisors.includes(options.hypervisor))
    throw new Refusal(`--hypervisor ${options.hypervisor}: not known; choose one of ${hypervisors.join(', ')}`);
  if (options.store.startsWith('etcd://'))
    throw new Refusal(`--store ${options.store}: etcd is not supported yet; use --store sqlite`);
  if (options.store !== 'sqlite') throw new Refusal(`--store ${options.store}: not known; use --store sqlite`);
}

/** `HOST:PORT`, `[V6]:PORT`; port 0 is any free one. */
export function addressOf(flag: string, text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new Refusal(`${flag} ${text}: not an address; write HOST:PORT, as in 127.0.0.1:8080`);
  return { host: match[1] ?? match[2] ?? '', port };
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

/** Refuses an address that cannot be listened on, by the name of its flag. */
export async function checkFree(flag: string, text: string): Promise<void> {
  const { host, port } = addressOf(flag, text);
  const code = await listenError(host, port);
  if (code === undefined) return;
  const why: Record<string, string> = {
    EADDRINUSE: `port ${port} is taken by another program; choose another with ${flag} ${hostText(host)}:PORT`,
    EACCES: `ports below 1024 need root; choose a higher one with ${flag} ${hostText(host)}:PORT`,
    EADDRNOTAVAIL: `this machine has no address ${host}; 'ip address' shows those it has`,
    ENOTFOUND: `${host} is not the name of a machine`,
    EAI_AGAIN: `${host} is not the name of a machine`,
  };
  throw new Refusal(`${flag} ${text}: ${why[code] ?? `cannot listen there (${code})`}`);
}

function listenError(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

const hostText = (host: string) => (host.includes(':') ? `[${host}]` : host);
