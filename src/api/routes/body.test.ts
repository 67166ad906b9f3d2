import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { Body } from './body.ts';

test('every byte that arrived before the connection was cut is delivered, however slowly it is taken', async () => {
  const server = createServer();
  // As the API's own server: who has sent everything closes that side first.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    for (let round = 0; round < 40; round++) {
      const data = Buffer.alloc(1 + ((round * 371_117) % 1_500_000), `round ${round} `);
      const asked = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
      const client = connect(port, '127.0.0.1');
      client.write('PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1125899906842624\r\n\r\n');
      const [req, res] = await asked;
      res.on('error', () => undefined);
      res.writeHead(200, { connection: 'close' }).flushHeaders();
      await once(client, 'data');
      const body = new Body(req);
      client.end(data);
      const taken: Buffer[] = [];
      for await (const chunk of body.chunks()) {
        taken.push(chunk);
        for (let turns = (round + taken.length) % 4; turns > 0; turns--)
          await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(Buffer.concat(taken).length, data.length, `round ${round}`);
      assert.ok(Buffer.concat(taken).equals(data), `round ${round}`);
      assert.ok(body.cut);
      client.destroy();
    }
  } finally {
    server.close();
  }
});
