/**
 * Which message switch is meant: a daemon's socket on this host, or NATS servers that many hosts share.
 *
 *     /run/message-switch/sock
 *     nats://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/NAMESPACE][?replicas=N]
 *     tls://…                                                      the same over TLS; also ?ca=FILE
 */
export interface NatsAddress {
  /** `host:port`. */
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  /** PEM file of the authority that signed the servers' certificates; without one the system's are asked. */
  readonly ca: string | undefined;
  /** Keeps the queues of several installations apart on one NATS. */
  readonly namespace: string;
  /** On how many servers each queue is kept. */
  readonly replicas: number;
}
export type SwitchAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'nats'; readonly nats: NatsAddress };

/** TypeError that says what is wrong and what an address looks like; a password in it is not repeated. */
export function parseSwitchAddress(text: string): SwitchAddress {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'socket', path: text };
  if (scheme !== 'nats' && scheme !== 'tls')
    throw new TypeError(`a message switch is a socket's path, or nats://HOST or tls://HOST; not ${scheme}://`);
  const [, credentials, hosts = '', path = '', query = ''] =
    /^[^:]+:\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(text) ?? [];
  const [user, password] = credentials?.split(/:(.*)/s).map(decoded) ?? [];
  const { replicas, ca } = settingsOf(query, scheme);
  if (path !== '' && !/^[A-Za-z0-9_-]{1,32}$/.test(path))
    throw new TypeError(`the namespace "${path}" must have 1 to 32 letters, digits, "-" or "_"`);
  return {
    kind: 'nats',
    nats: {
      servers: hosts.split(',').map((host) => serverOf(host, scheme)),
      user,
      password,
      tls: scheme === 'tls',
      ca,
      namespace: path === '' ? 'guesthouse' : path,
      replicas,
    },
  };
}
function serverOf(host: string, scheme: string): string {
  const [, name, port = '4222'] = /^(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(host) ?? [];
  if (name === undefined || Number(port) < 1 || Number(port) > 65535)
    throw new TypeError(`"${host}" is no HOST or HOST:PORT of a NATS server`);
  if (scheme === 'tls' && /^(\[|[\d.]+$)/.test(name))
    throw new TypeError(`"${host}" is an address; over TLS servers are known by the names in their certificates`);
  return `${name}:${port}`;
}
function settingsOf(query: string, scheme: string): { replicas: number; ca: string | undefined } {
  const given = new URLSearchParams(query);
  for (const key of given.keys())
    if (key !== 'replicas' && !(key === 'ca' && scheme === 'tls'))
      throw new TypeError(`${scheme}:// knows no "${key}"; it knows replicas${scheme === 'tls' ? ' and ca' : ''}`);
  const replicas = given.get('replicas') ?? '1';
  if (!/^[1-5]$/.test(replicas)) throw new TypeError(`replicas: "${replicas}" is not a number from 1 to 5`);
  return { replicas: Number(replicas), ca: given.get('ca') ?? undefined };
}
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError('the user or password has a "%" that begins no escape: write it as %25');
  }
}
