/** An API server with many VMs in a process of its own, for `xe.ts`: says `ready`, serves until its stdin closes. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { House } from '../src/api/context.ts';
import type { Caller } from '../src/api/routes.ts';
import { startApi } from '../src/api/server.ts';
import { systemClock } from '../src/base/clock.ts';
import { randomIds } from '../src/base/ids.ts';
import { silentLog } from '../src/base/log.ts';
import { type ClassName, classes } from '../src/datamodel/index.ts';
import { openDb } from '../src/db/memory-db.ts';
import { connectOver, maxBody, xeDoor } from '../src/doors/xe/door.ts';
import { openMemoryStore } from '../src/store/memory.ts';
import { encodeRecordJson } from '../src/wire/jsonrpc.ts';
import { encodeRecordXml } from '../src/wire/xmlrpc.ts';

const [dir = '', vms = '1000'] = process.argv.slice(2);
const encode = { xml: encodeRecordXml, json: encodeRecordJson };
const db = await openDb({
  store: openMemoryStore(),
  classes,
  clock: systemClock,
  ids: randomIds,
  log: silentLog,
  encode,
});
const host = db.create('host', { name_label: 'bench', enabled: true });
const pool = db.create('pool', { name_label: 'bench', master: host });
db.write((w) => {
  for (let i = 0; i < Number(vms); i++) w.create('VM', { name_label: `vm ${i}`, memory_static_max: 2 ** 30 });
});
const neighbours = { xenops: {}, storage: {}, network: {}, registrar: {} } as never as House;
const clock = systemClock;
const house: House = {
  ...neighbours,
  db,
  clock,
  ids: randomIds,
  log: silentLog,
  host,
  pool,
  dataDir: dir,
  version: '0',
  kernelDirs: [],
};

mkdirSync(join(dir, 'run'), { recursive: true });
const caller: Caller = { local: false, address: 'local', userAgent: 'xe', gone: () => new AbortController().signal };
const api = await startApi({
  house,
  authenticate: async () => undefined,
  changePassword: async () => undefined,
  listen: { socketPath: join(dir, 'run', 'xapi.sock') },
  routes: [
    {
      method: 'RAW-POST',
      path: '/cli',
      bodyLimit: maxBody,
      handle: ({ socket, body, caller: peer }) => door.handle(socket, Buffer.alloc(0), body, peer),
    },
  ],
});
const transport = { call: (method: string, params: readonly unknown[]) => api.call(caller, method, params) };
const door = xeDoor({
  peek: (cls, ref) => db.find(cls as ClassName, ref),
  connect: connectOver(transport, async () => api.rootSession('xe')),
  log: silentLog,
  version: '0',
});
console.log('ready');
process.stdin.resume().once('end', async () => {
  await api.close();
  process.exit(0);
});
