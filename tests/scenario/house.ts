/** A whole host in this process, in a new folder, listening on a free port: for scenarios with outside clients. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Hypervisor, openGround } from '../../src/apps/ground.ts';
import { type GuestImage, openHouse, type RunningHouse } from '../../src/apps/join.ts';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { type Log, logTo, silentLog } from '../../src/base/log.ts';
import { schemaVersion } from '../../src/datamodel/index.ts';
import { createSupervisor } from '../../src/processes/index.ts';
import { reachHosts } from '../../src/rpc/index.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';

export const password = 'correct horse';
const complaints: Log = logTo((level, message, fields) => {
  if (level === 'error') console.error('house:', message, fields);
});

export interface TestHouse extends AsyncDisposable {
  readonly data: string;
  readonly url: string;
  readonly port: number;
  readonly house: RunningHouse;
  /** Closes the house and opens it again on the same folder. */
  restart(): Promise<void>;
}
export interface TestHouseOptions {
  readonly hypervisor?: Hypervisor;
  readonly guest?: GuestImage;
  readonly quiet?: boolean;
  readonly log?: Log;
}

export async function testHouse(o: TestHouseOptions = {}): Promise<TestHouse> {
  const data = mkdtempSync(join(tmpdir(), 'gh-'));
  chmodSync(data, 0o711); // guests run as users of their own
  const log = o.log ?? (o.quiet ? silentLog : complaints);
  const processes = createSupervisor({
    folder: join(data, 'processes'),
    version: 'test',
    log,
    onShutdown: () => undefined,
  });
  const hosts = reachHosts({ plain: false, dir: join(data, 'run'), clock: systemClock, log });
  const open = async () => {
    const store = await openSqliteStore({ path: join(data, 'state.db'), log, schema: schemaVersion });
    const backend = await openGround(o.hypervisor ?? 'simulator', {
      processes,
      data,
      clock: systemClock,
      ids: randomIds,
      log,
    });
    return openHouse({
      data,
      store,
      backend,
      processes,
      log,
      version: '0.0.0',
      listen: { tcp: { host: '127.0.0.1', port: 0 }, socketPath: join(data, 'run', 'xapi.sock') },
      authenticate: async (user, given) =>
        user === 'root' && given === password ? { user, superuser: true, roles: [] } : undefined,
      changePassword: async () => undefined,
      url: 'https://localhost',
      address: '127.0.0.1',
      guest: o.guest ?? { kernel: '/nowhere/vmlinux', ramdisk: '/nowhere/initramfs', cmdline: 'console=ttyS0' },
      loginDelayMs: 10,
      hosts,
    });
  };
  let house = await open();
  return {
    data,
    get house() {
      return house;
    },
    get port() {
      return house.api.listening.tcp?.port ?? 0;
    },
    get url() {
      return `http://127.0.0.1:${house.api.listening.tcp?.port}`;
    },
    async restart() {
      await house.close();
      house = await open();
    },
    async [Symbol.asyncDispose]() {
      await house.xenops.host.shutdownAll({ timeoutS: 0 });
      for (const { bridge } of await house.network.network.list({})) await house.network.network.remove({ bridge });
      await house.close();
      await hosts.close();
      for (const p of await processes.process.list({})) await processes.process.kill({ id: p.id });
      processes.leave();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
