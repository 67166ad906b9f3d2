/** Our store: the protocol's vectors in process and over the socket, and the store contract both ways. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
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

describeStore('xenstore, in process', () => {
  const core = new Core({ log: silentLog, clock: systemClock, later: setImmediate });
  return { open: () => openStore(core) };
});
describeStore('xenstore, over the socket', async () => {
  const { path } = await served();
  return { open: () => connectStore(path) };
});
