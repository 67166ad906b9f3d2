/**
 * A connection between the domain managers of two hosts, opened as the reference does: a PUT that is not answered by HTTP, after
 * whose head the connection belongs to the two.
 *
 *     PUT /services/xenops/migrate/vm/<vm>    cookies instance_id (the attempt), final_id, dbg   ▶ frame ▶ calls, as JSON lines
 *     PUT /services/xenops/migrate/mem/<vm>   the same, mem_migration, compress                  ▶ frame ▶ the guest's state
 *
 * A frame is a length (16 bits, big-endian) and as many bytes of text: none is success, others say what is wrong.
 */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** How a host shows who it is, and whom it believes. */
export interface Identity {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** SHA-256 fingerprints of the certificates of other hosts. */
  readonly trusted: ReadonlySet<string>;
}
export type Kind = 'vm' | 'mem';
export interface Head {
  readonly kind: Kind;
  readonly vm: string;
  readonly cookies: ReadonlyMap<string, string>;
}
/**
 * A connection that nothing comes over for this long, while an answer, a guest's state or a head is waited for, is given up: what
 * is usual.
 */
export const usualSilenceMs = 30_000;
const headLimit = 16 * 1024;
const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The fingerprints of the certificates in a text. Throws on one that is none. */
export function fingerprintsOf(text: string): Set<string> {
  return new Set((text.match(pem) ?? []).map((one) => new X509Certificate(one).fingerprint256));
}
/** Why the other side of a connection is not believed; undefined when it is. `trusted` absent: nothing is asked of it. */
export function distrust(socket: Socket, trusted: ReadonlySet<string> | undefined): string | undefined {
  if (!trusted || !(socket instanceof TLSSocket)) return undefined;
  const shown = socket.getPeerX509Certificate()?.fingerprint256;
  if (shown === undefined) return 'no certificate was shown';
  if (trusted.has(shown)) return undefined;
  return `the certificate ${shown} is not among those that are trusted (migration-trust)`;
}

export function headText(host: string, { kind, vm, cookies }: Head): string {
  const cookie = [...cookies].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('; ');
  return `PUT /services/xenops/migrate/${kind}/${vm} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\nCookie: ${cookie}\r\n\r\n`;
}
/** Reads the head of a request; undefined when it is not one of these. */
export async function readHead(socket: Socket, silenceMs: number): Promise<Head | undefined> {
  const bytes = await take(socket, silenceMs, (seen) => {
    const end = seen.indexOf('\r\n\r\n');
    if (end >= 0) return end + 4;
    if (seen.length > headLimit) throw new Error(`a head of more than ${headLimit} bytes`);
    return undefined;
  });
  const [first = '', ...lines] = bytes.toString('latin1').split('\r\n');
  const [, path = ''] = /^PUT (\S+) HTTP\/1\.[01]$/.exec(first) ?? [];
  return headOf(path, lines.map((line) => /^cookie:\s*(.*)$/i.exec(line)?.[1] ?? '').join('; '));
}
/** What a request is about; undefined when it is not one of these. */
export function headOf(path: string, cookie: string): Head | undefined {
  const [, kind, vm] = /^\/services\/xenops\/migrate\/(vm|mem)\/([0-9a-f-]{36})$/i.exec(path) ?? [];
  if (kind === undefined || vm === undefined) return undefined;
  const cookies = new Map<string, string>();
  for (const [, name = '', value = ''] of cookie.matchAll(/([\w-]+)=([^;\s]*)/g)) cookies.set(name, decoded(value));
  return { kind: kind as Kind, vm, cookies };
}
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // as it came
  }
}
export function writeFrame(socket: Socket, words: string): void {
  const text = Buffer.from(words).subarray(0, 0xffff);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  socket.write(Buffer.concat([length, text]));
}
/** The words of a frame: '' is success. */
export async function readFrame(socket: Socket, silenceMs: number): Promise<string> {
  const bytes = await take(socket, silenceMs, (seen) => {
    const whole = seen.length < 2 ? undefined : 2 + seen.readUInt16BE();
    return whole !== undefined && seen.length >= whole ? whole : undefined;
  });
  return bytes.subarray(2).toString('utf8');
}
/** As many of the next bytes as `enough` says; the others stay where they are. Rejects when the connection ends before. */
function take(socket: Socket, silenceMs: number, enough: (seen: Buffer) => number | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const look = () => {
      for (let piece = socket.read() as Buffer | null; piece; piece = socket.read() as Buffer | null)
        seen = Buffer.concat([seen, piece]);
      try {
        const length = enough(seen);
        if (length === undefined) return;
        stop();
        if (seen.length > length) socket.unshift(seen.subarray(length));
        resolve(seen.subarray(0, length));
      } catch (error) {
        fail(error as Error);
      }
    };
    const fail = (error: Error) => {
      stop();
      socket.destroy();
      reject(error);
    };
    const ended = () => fail(new Error('the connection ended'));
    const late = setTimeout(() => fail(new Error(`silent for ${silenceMs / 1000} s`)), silenceMs);
    const stop = () => {
      clearTimeout(late);
      socket.off('readable', look).off('error', fail).off('close', ended).off('end', ended);
    };
    socket.on('readable', look).on('error', fail).on('close', ended).on('end', ended);
  });
}
