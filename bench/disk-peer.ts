/** The least that Node can do: a file to HTTP, and HTTP to a file. Prints its port, serves until its stdin closes. */
import { createReadStream, createWriteStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

const server = createServer(async (req, res) => {
  const path = new URL(req.url ?? '/', 'http://x').searchParams.get('file') ?? '';
  if (req.method === 'PUT') {
    await pipeline(req, createWriteStream(path));
    res.end();
  } else await pipeline(createReadStream(path), res);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
