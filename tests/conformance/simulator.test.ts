import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { simulatorBackend } from '../../src/xenops/backends/simulator/index.ts';
import { testDisk, testSpec, testVif } from '../../src/xenops/testing/house.ts';
import { type BackendBench, backendSuite } from './backend.ts';

async function make(): Promise<BackendBench> {
  const dir = mkdtempSync(join(tmpdir(), 'sim-'));
  const one = () => {
    const persistFile = join(dir, 'world');
    return simulatorBackend({ clock: systemClock, ids: randomIds, consoleDir: dir, persistFile });
  };
  const backend = one();
  let now = backend;
  const disc = async () => ({ path: '/fake/disc', format: 'raw' as const, readOnly: true });
  return {
    backend,
    spec: (n) => testSpec(n, { vbds: [], vifs: [] }),
    disk: async (n, position) => ({
      spec: testDisk(n, position),
      disk: { path: `/fake/${n}-${position}`, format: 'raw', readOnly: false },
    }),
    cd: async (_, position) => {
      const media = { kind: 'path' as const, path: '/fake/disc', format: 'raw' as const };
      return { spec: { id: 'cd', position, type: 'CD', mode: 'RO', media }, disk: await disc() };
    },
    disc,
    vif: async (n, position) => ({ spec: testVif(n, position), port: { kind: 'tap', ifname: `fake${position}` } }),
    async layer(on) {
      // What cannot be opened is refused as a fault of the verb would be.
      if (on === null) return { path: '/fake/none', format: 'raw', readOnly: true };
      return { ...on, path: `${on.path}+` };
    },
    image: async () => ({ path: '/fake/image', format: 'raw', readOnly: false }),
    ready: async () => undefined,
    end: async (vm, reason) => now.endGuest(vm, { reason, detail: 'by the test' }),
    async again() {
      await now.close();
      now = one();
      return now;
    },
    async dispose() {
      await now.close();
      rmSync(dir, { recursive: true });
    },
  };
}
backendSuite('simulator', { make });
