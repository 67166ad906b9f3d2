/** Who is at the other end of a request. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Caller } from './routes.ts';

const goneError = new Error('the caller has closed the connection');

export interface Peer {
  readonly local: boolean;
  readonly address: string;
}
/**
 * `stream` is what closes when the caller has gone. One that closed its sending side (`socket` ended) may be gone or may
 * read on: it counts as gone for those who wait, and gets an answer all the same.
 */
export function callerOf(
  peer: Peer,
  userAgent: string | undefined,
  stream: ServerResponse | Duplex,
  socket?: Duplex,
): Caller {
  let controller: AbortController | undefined;
  return {
    local: peer.local,
    address: peer.address,
    userAgent: userAgent ?? '',
    gone() {
      if (!controller) {
        const made = new AbortController();
        controller = made;
        const abort = () => {
          socket?.off('end', abort);
          // a response that closes after its last byte left nobody waiting; aborting would cost more than the answer did
          if (!('statusCode' in stream && stream.writableFinished)) made.abort(goneError);
        };
        if (stream.destroyed || stream.closed || socket?.readableEnded) abort();
        else {
          stream.once('close', abort);
          socket?.once('end', abort);
        }
      }
      return controller.signal;
    },
  };
}
export function cookies(req: IncomingMessage): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of (req.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0) found.set(part.slice(0, at).trim(), decodeURIComponentSafely(part.slice(at + 1).trim()));
  }
  return found;
}
function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
/** Name and password of `Authorization: Basic …`. */
export function basicOf(req: IncomingMessage): { readonly user: string; readonly password: string } | undefined {
  const m = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(req.headers.authorization ?? '');
  if (!m) return undefined;
  const text = Buffer.from(m[1] as string, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 0 ? undefined : { user: text.slice(0, at), password: text.slice(at + 1) };
}
