/** Our store: the protocol's vectors in process and over the socket, and the store contract both ways. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { encodePacket, op, PacketReader } from '../../src/wire/xenstore.ts';
import { connectStore } from '../../src/xenstore/client.ts';
import { Core } from '../../src/xenstore/core.ts';
import { openStore } from '../../src/xenstore/open-store.ts';
import { listenSocket, type SocketServer } from '../../src/xenstore/transports/socket.ts';
import { memoryBed, socketBed } from './xenstore-beds.ts';
import { describeStore } from './xenstore-store.ts';
import { needsRings, play, vectors } from './xenstore-vectors.ts';

const folder = mkdtempSync(join(tmpdir(), 'guesthouse-xs-'));
const open: (() => Promise<void>)[] = [];
after(async () => {
  for (const end of open) await end();
  rmSync(folder, { recursive: true });
});
let serial = 0;
async function served(): Promise<{ path: string; core: Core; server: SocketServer }> {
  const path = join(folder, `socket${++serial}`);
  const core = new Core({ log: silentLog, clock: systemClock, later: setImmediate });
  const server = await listenSocket(core, path, silentLog);
  open.push(async () => {
    core.close();
    await server.close();
  });
  return { path, core, server };
}

describe('xenstore vectors, in process', () => {
  for (const vector of vectors) {
    test(`${vector.id}: ${vector.title}`, async () => {
      const bed = memoryBed();
      await play(vector, bed);
      await bed.close();
    });
  }
});

describe('xenstore vectors, over a socket', () => {
  for (const vector of vectors.filter((each) => !needsRings(each))) {
    test(`${vector.id}: ${vector.title}`, async () => {
      const { path } = await served();
      const bed = socketBed(path);
      await play(vector, bed);
      await bed.close();
    });
  }
});

describe('xenstore, a socket', () => {
  test('requests without end, from a peer that reads late, are all answered in order', async () => {
    const { path, core } = await served();
    const count = 60_000;
    const value = 'v'.repeat(100);
    const socket = connect(path);
    await once(socket, 'connect');
    socket.pause();
    socket.write(encodePacket(op.write, 0xffffffff, 0, `/k\0${value}`));
    socket.write(Buffer.concat(Array.from({ length: count }, (_, i) => encodePacket(op.read, i, 0, '/k\0'))));
    // Another one is served meanwhile, and what waits for the first is bounded.
    const other = await connectStore(path);
    for (let i = 0; i < 50; i++) await other.write('/other', String(i));
    for (const each of core.connections) assert.ok(each.output.length < 2 * 1024 * 1024, `${each.output.length}`);
    const reader = new PacketReader();
    let next = -1;
    socket.on('data', (bytes: Buffer) => {
      for (const packet of reader.push(bytes)) {
        if (next >= 0) assert.equal(packet.requestId, next);
        next++;
      }
      if (next === count) socket.destroy();
    });
    socket.resume();
    await once(socket, 'close');
    assert.equal(next, count);
    await other.close();
  });
  test('a second daemon on the same path is refused', async () => {
    const { path, core, server } = await served();
    const second = new Core({ log: silentLog, clock: systemClock, later: setImmediate });
    await assert.rejects(listenSocket(second, path, silentLog), /another xenstored serves this socket/);
    core.close();
    await server.close();
  });
});

describeStore('xenstore, in process', () => {
  const core = new Core({ log: silentLog, clock: systemClock, later: setImmediate });
  return { open: () => openStore(core) };
});
describeStore('xenstore, over the socket', async () => {
  const { path } = await served();
  return { open: () => connectStore(path) };
});
