/** Files of this machine that the host asks for: only those that the command line names. */
import { createReadStream, createWriteStream, fstatSync, openSync, statSync } from 'node:fs';
import type { IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Host } from './connect.ts';
import { ClientError } from './options.ts';

/** Refuses a file that the person who typed the command did not name. */
export function checkNamed(file: string, args: readonly string[]): void {
  const named = args.some((arg) => arg === file || arg.slice(arg.indexOf('=') + 1) === file);
  if (!named || file === '')
    throw new ClientError(
      `the host asked for the file ${JSON.stringify(file)}, which the command line does not name; refused`,
    );
}

interface Answer {
  readonly status: number;
  readonly response: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}
interface Ask {
  readonly method: 'GET' | 'PUT' | 'CONNECT';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  send?(socket: NodeJS.WritableStream): Promise<void>;
}

/** One request on a connection of its own. */
async function request(host: Host, ask: Ask): Promise<Answer> {
  const [http, socket] = await Promise.all([import('node:http'), host.connect()]);
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      method: ask.method,
      path: ask.path,
      headers: { host: 'localhost', connection: 'close', ...ask.headers },
      createConnection: () => socket,
    };
    const req = http.request(options);
    req.on('response', (response) =>
      resolve({ status: response.statusCode ?? 0, response, socket, head: Buffer.alloc(0) }),
    );
    req.on('connect', (response, raw, head) =>
      resolve({ status: response.statusCode ?? 0, response, socket: raw as Socket, head }),
    );
    // an answer that came early counts more than the end of what was being sent
    req.on('error', (error) => reject(new ClientError(`${ask.method} to ${host.name}: ${error.message}`)));
    if (ask.send) ask.send(req).catch(reject);
    else req.end();
  });
}

/** Path and query of a URL. Whatever host it names, the request goes to the one that we talk to: no session leaves for another. */
const pathOf = (url: string): string => {
  if (url.startsWith('/')) return url;
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
};

/** Follows redirections within the host, at most five. */
async function follow(host: Host, make: (path: string) => Ask, url: string): Promise<Answer> {
  let path = pathOf(url);
  for (let hop = 0; hop < 5; hop++) {
    const answer = await request(host, make(path));
    const to = answer.response.headers.location;
    if (answer.status !== 302 || to === undefined) return answer;
    answer.socket.destroy();
    path = pathOf(to);
  }
  throw new ClientError('the host redirects in a circle');
}

async function refusal(answer: Answer, what: string): Promise<ClientError> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer.response) {
    parts.push(part as Buffer);
    if ((size += (part as Buffer).length) > 4096) break;
  }
  const page = Buffer.concat(parts).toString('utf8');
  // Of a page of HTML the sentence counts, not its title.
  const text = (/<p>([\s\S]*)<\/p>/.exec(page)?.[1] ?? page)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
  if (answer.status === 404 && text.includes('nothing lives at'))
    return new ClientError(`${what}: this is not available on this host yet`);
  return new ClientError(`${what}: the host answered ${answer.status}${text ? `: ${text}` : ''}`);
}

/** Fetches `url` into a file that does not exist yet (a device or a pipe may). */
export async function download(host: Host, file: string, url: string): Promise<void> {
  const answer = await follow(host, (path) => ({ method: 'GET', path }), url);
  if (answer.status !== 200) throw await refusal(answer, `cannot fetch ${file}`);
  const exists = statSync(file, { throwIfNoEntry: false });
  if (exists?.isFile()) {
    answer.socket.destroy();
    throw new ClientError(`${file} exists already; remove it first`);
  }
  await pipeline(answer.response, createWriteStream(file, { flags: exists ? 'w' : 'wx', mode: 0o600 }));
}

/** Sends a file to `url`. */
export async function upload(host: Host, file: string, url: string): Promise<void> {
  const make = (path: string): Ask => {
    const fd = openForReading(file);
    const { size } = fstatSync(fd);
    const headers = { 'content-length': size, 'content-type': 'application/octet-stream' };
    const send = (out: NodeJS.WritableStream) =>
      pipeline(createReadStream('', { fd, start: 0, end: Math.max(0, size - 1) }), out);
    return { method: 'PUT', path, headers, send: size === 0 ? async (out) => void out.end() : send };
  };
  const answer = await follow(host, make, url);
  if (answer.status !== 200) throw await refusal(answer, `cannot send ${file}`);
  answer.response.resume();
}

function openForReading(file: string): number {
  try {
    const fd = openSync(file, 'r');
    if (fstatSync(fd).isFile()) return fd;
  } catch (error) {
    throw new ClientError(`cannot read ${file}: ${(error as Error).message}`);
  }
  throw new ClientError(`${file} is no regular file, so its length is not known; store it in a file first`);
}

/** A raw connection to `url`, with what has come on it already. */
export async function tunnel(host: Host, url: string): Promise<{ socket: Socket; head: Buffer }> {
  const answer = await follow(host, (path) => ({ method: 'CONNECT', path }), url);
  if (answer.status === 200) return answer;
  answer.socket.destroy();
  throw new ClientError(
    `cannot connect: the host answered ${answer.status} ${answer.response.statusMessage ?? ''}`.trim(),
  );
}
