/** Connections to the host: the local socket, TCP, or TLS whose certificate is known. */
import { createConnection, type Socket } from 'node:net';
import { ClientError, knownHosts, localSocket, type Options, type Surroundings } from './options.ts';

export interface Host {
  /** For messages: `host:port`, or the socket's path. */
  readonly name: string;
  connect(): Promise<Socket>;
}
/** Asks a person a question on the terminal; answers `undefined` when there is none. */
export type Ask = (question: string) => Promise<string | undefined>;

export function hostOf(options: Options, around: Surroundings, ask: Ask): Host {
  if (options.server === undefined && options.port === undefined) {
    const path = localSocket(around);
    return { name: path, connect: () => plain({ path }, localHint(path)) };
  }
  const host = options.server ?? 'localhost';
  const port = options.port ?? (options.tls ? 8443 : 8080);
  const name = `${host}:${port}`;
  if (!options.tls) return { name, connect: () => plain({ host, port }, `cannot reach ${name}`) };
  // asked about once, then held to what was answered
  let trusted: string | undefined;
  return {
    name,
    async connect() {
      const { socket, fingerprint, authorized } = await secure(host, port);
      if (authorized || fingerprint === trusted || options.insecure) return socket;
      try {
        await judge(options, around, ask, name, fingerprint);
      } catch (error) {
        socket.destroy();
        throw error;
      }
      trusted = fingerprint;
      return socket;
    },
  };
}

const localHint = (path: string) =>
  `no host runs here (${path}); start one with 'guesthouse up', or name another with -s HOST -u USER -pw PASSWORD`;

function plain(where: { path: string } | { host: string; port: number }, why: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(where);
    const fail = (error: NodeJS.ErrnoException) => {
      const local = 'path' in where;
      if (local && error.code === 'EACCES')
        reject(new ClientError(`${where.path}: only root and the user who started the host may use its socket`));
      else if (local && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')) reject(new ClientError(why));
      else reject(new ClientError(`${why}: ${error.message}`));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

async function secure(
  host: string,
  port: number,
): Promise<{ socket: Socket; fingerprint: string; authorized: boolean }> {
  // most calls go to the local socket and never load TLS
  const [{ connect }, { isIP }] = await Promise.all([import('node:tls'), import('node:net')]);
  return new Promise((resolve, reject) => {
    const servername = isIP(host) ? undefined : host;
    // who the host is gets judged below, by certificate authority or by fingerprint
    const socket = connect({ host, port, servername, rejectUnauthorized: false });
    const fail = (error: NodeJS.ErrnoException) =>
      reject(new ClientError(`cannot reach ${host}:${port} over TLS: ${tlsReason(error)}`));
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      socket.setNoDelay(true);
      resolve({
        socket,
        fingerprint: plainPrint(socket.getPeerCertificate().fingerprint256 ?? ''),
        authorized: socket.authorized,
      });
    });
  });
}

/** OpenSSL's own words mean nothing to somebody who took the port of plain HTTP. */
const tlsReason = (error: NodeJS.ErrnoException) =>
  /wrong version number|record header/.test(error.message)
    ? 'it does not speak TLS there; for plain HTTP add --nossl, for another port -p PORT'
    : error.message.trim();

const plainPrint = (text: string) => text.replaceAll(/[^0-9a-fA-F]/g, '').toLowerCase();

/** Returns when the certificate is to be trusted; throws otherwise. */
async function judge(options: Options, around: Surroundings, ask: Ask, name: string, print: string): Promise<void> {
  if (options.fingerprint !== undefined) {
    const wanted = options.fingerprint.replace(/^sha256:/i, '');
    if (plainPrint(wanted) === print) return;
    throw new ClientError(`the certificate of ${name} is sha256:${print}, not the one given with --fingerprint`);
  }
  const file = knownHosts(around);
  const lines = (around.readFile(file) ?? '').split('\n').map((l) => l.trim().split(/\s+/));
  const known = lines.findLast(([who]) => who === name)?.[1];
  if (known === print) return;
  if (known !== undefined)
    throw new ClientError(
      `the certificate of ${name} has changed: it was sha256:${known}, now it is sha256:${print}. If that is right, remove its line from ${file}`,
    );
  const answer = await ask(`The certificate of ${name} is not known: sha256:${print}\nTrust it from now on? (yes/no) `);
  if (answer === undefined)
    throw new ClientError(
      `the certificate of ${name} is not known: give --fingerprint sha256:${print} to trust this one, or --insecure to trust any`,
    );
  if (!/^y(es)?$/i.test(answer.trim())) throw new ClientError(`the certificate of ${name} was not trusted`);
  const { appendFileSync, mkdirSync } = await import('node:fs');
  const { dirname } = await import('node:path');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  appendFileSync(file, `${name} ${print}\n`, { mode: 0o600 });
}
