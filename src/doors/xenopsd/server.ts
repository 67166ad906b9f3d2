/** The interface over HTTP on a unix socket: POST to any path. */
import { existsSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Log } from '../../base/log.ts';
import { checkSocketPath, isAnswered } from '../../rpc/socket-path.ts';
import type { Answer } from './door.ts';

const maxBody = 64 * 2 ** 20;

/** Listens, for the owner alone; a socket that nobody answers on is replaced. The answer ends it. */
export async function serveDoor(door: Answer, socketPath: string, log: Log): Promise<() => Promise<void>> {
  checkSocketPath(socketPath);
  if (existsSync(socketPath)) {
    if (await isAnswered(socketPath)) throw new Error(`${socketPath}: another xenopsd serves there`);
    unlinkSync(socketPath);
  }
  const server = createServer((req, res) => {
    serve(door, req, res).catch((error: unknown) => {
      log.info('a call was not answered', { error: String(error) });
      res.destroy();
    });
  });
  // A caller that waits for changes may wait long.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o177);
    try {
      server.listen(socketPath, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
  return () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

async function serve(door: Answer, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method !== 'POST') return refuse(res, 404);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of req as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBody) return refuse(res, 413);
    pieces.push(piece);
  }
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  const text = Buffer.concat(pieces).toString('utf8');
  const answer = Buffer.from(await door(text, gone.signal));
  const type = /^\s*</.test(text) ? 'text/xml' : 'application/json';
  res.writeHead(200, { 'content-type': type, 'content-length': answer.length }).end(answer);
}
function refuse(res: ServerResponse, status: number): void {
  res.writeHead(status, { 'content-length': 0, connection: 'close' }).end();
}
