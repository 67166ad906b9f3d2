/** A house of this process whose sockets the commands of `bin/` find. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { places } from '../../src/apps/places.ts';
import { openXenopsdDoor } from '../../src/apps/xenopsd-door.ts';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { xenopsContract } from '../../src/contracts/xenops.ts';
import { serveContract } from '../../src/rpc/server.ts';
import type { Bed, Ran } from './all-doors.ts';
import { type TestHouse, type TestHouseOptions, testHouse } from './house.ts';

const bin = join(import.meta.dirname, '../../bin');
export interface DoorsBed extends Bed, AsyncDisposable {
  readonly h: TestHouse;
}

export async function doorsBed(guest: Bed['guest'], o: TestHouseOptions = {}): Promise<DoorsBed> {
  const h = await testHouse({ ...o, guest });
  const at = places(h.data);
  mkdirSync(at.run, { recursive: true });
  const { xenops } = h.house;
  const contract = await serveContract(xenopsContract, xenops, { socketPath: at.xenopsSocket, log: silentLog });
  const base = {
    xenops,
    screens: h.house.screens,
    clock: systemClock,
    ids: randomIds,
    log: silentLog,
    version: 'test',
  };
  const closeDoor = await openXenopsdDoor({ ...base, socketPath: at.xenopsdSocket, shutdown: () => undefined });
  const { capabilities } = await xenops.host.stat({});
  return {
    ...{ h, guest, memoryMib: 128, type: capabilities.includes('pv') ? 'pv' : 'pvh' },
    run: (command, ...args) => runBin(command, args, h.data),
    async file(name, text) {
      const path = join(h.data, name);
      writeFileSync(path, text);
      return path;
    },
    async [Symbol.asyncDispose]() {
      writeFileSync(at.downMark, ''); // whoever follows a VM ends with the house
      await closeDoor();
      await contract.close();
      await h[Symbol.asyncDispose]();
    },
  };
}
function runBin(command: string, args: readonly string[], data: string): Promise<Ran> {
  const env = { ...process.env, GUESTHOUSE_DATA: data };
  return new Promise((resolve) => {
    execFile(join(bin, command), args, { env }, (error, out, err) =>
      resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, out, err }),
    );
  });
}
