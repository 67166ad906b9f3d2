/** A house with an in-memory database and no neighbours, served over real sockets: what scenarios of the API run on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { House } from '../../src/api/context.ts';
import type { Patience } from '../../src/api/http.ts';
import type { Identity } from '../../src/api/login.ts';
import type { Route } from '../../src/api/routes.ts';
import { type RunningApi, startApi } from '../../src/api/server.ts';
import type { Registry } from '../../src/api/table.ts';
import type { Clock } from '../../src/base/clock.ts';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { classes } from '../../src/datamodel/index.ts';
import type { Db } from '../../src/db/db.ts';
import { openDb } from '../../src/db/memory-db.ts';
import { type Disk, openMemoryStore } from '../../src/store/memory.ts';
import { encodeRecordJson } from '../../src/wire/jsonrpc.ts';
import { encodeRecordXml, parseXmlResponse, xmlCall } from '../../src/wire/xmlrpc.ts';

export interface ApiHouse extends AsyncDisposable {
  readonly api: RunningApi;
  readonly db: Db;
  readonly house: House;
  readonly dir: string;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
}
export interface Options {
  readonly routes?: readonly Route[];
  readonly handlers?: Registry;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly tls?: boolean;
  readonly local?: boolean;
  readonly loginDelayMs?: number;
  readonly patience?: Patience;
  readonly connections?: number;
  readonly dir?: string;
  /** What the store holds; give it again for a restart. */
  readonly disk?: Disk;
  readonly users?: Readonly<Record<string, Identity & { readonly password: string }>>;
}
/** An answer, as untyped as it comes. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it
export type Loose = any;
export const password = 'correct horse';

export async function memoryDb(clock: Clock = systemClock, remember?: number, disk?: Disk): Promise<Db> {
  const encode = { xml: encodeRecordXml, json: encodeRecordJson };
  return openDb({
    store: openMemoryStore(disk ? { disk } : {}),
    classes,
    clock,
    ids: randomIds,
    log: silentLog,
    encode,
    ...(remember ? { remember } : {}),
  });
}
export async function apiHouse(o: Options = {}): Promise<ApiHouse> {
  const dir = o.dir ?? mkdtempSync(join(tmpdir(), 'guesthouse-api-'));
  const clock = o.clock ?? systemClock;
  const db = await memoryDb(clock, undefined, o.disk);
  const host =
    [...db.refs('host')][0] ??
    db.create('host', { name_label: 'here', hostname: 'here', address: '127.0.0.1', enabled: true });
  const pool = [...db.refs('pool')][0] ?? db.create('pool', { name_label: 'home', master: host });
  const neighbours = { xenops: {}, storage: {}, network: {}, registrar: {} } as never as House;
  const house: House = {
    ...neighbours,
    db,
    clock,
    ids: randomIds,
    log: o.log ?? silentLog,
    host,
    pool,
    dataDir: dir,
    version: '0.0.0',
    url: 'https://localhost',
    kernelDirs: [],
    connect: async (path) => Promise.reject(new Error(`nothing is at ${path}`)),
  };
  const users: NonNullable<Options['users']> = {
    root: { user: 'root', superuser: true, roles: [], password },
    ...o.users,
  };
  const api = await startApi({
    house,
    authenticate: async (user, given) => (users[user]?.password === given ? users[user] : undefined),
    changePassword: async () => undefined,
    listen: {
      tcp: { host: '127.0.0.1', port: 0 },
      ...(o.tls ? { tls: { host: '127.0.0.1', port: 0 } } : {}),
      ...(o.local ? { socketPath: join(dir, 'api.sock') } : {}),
    },
    routes: o.routes ?? [],
    loginDelayMs: o.loginDelayMs ?? 0,
    ...(o.patience ? { patience: o.patience } : {}),
    ...(o.connections ? { connections: o.connections } : {}),
    ...(o.handlers ? { handlers: o.handlers } : {}),
  });
  const port = api.listening.tcp?.port ?? 0;
  return {
    api,
    db,
    house,
    dir,
    url: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      await api.close();
      await db.close();
      if (!o.dir) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The body of the answer. `fetch` would take several times as long, which counts with ten thousand calls. */
function post(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const asked = request(url, { method: 'POST', headers, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.once('end', () => resolve(text)).once('error', reject);
    });
    asked.once('error', reject).end(body);
  });
}
const agent = new Agent({ keepAlive: true });

/** One XML-RPC call: the value, or an error with the failure's strings as `wire`. */
export async function xmlrpc(url: string, method: string, ...params: unknown[]): Promise<Loose> {
  const value = parseXmlResponse(await post(`${url}/RPC2`, xmlCall(method, params))) as Loose;
  if (value?.Status === 'Failure')
    throw Object.assign(new Error(value.ErrorDescription.join(' ')), { wire: value.ErrorDescription });
  return value?.Status === 'Success' ? value.Value : value;
}
/** One JSON-RPC 2.0 call, likewise. */
export async function jsonrpc(url: string, method: string, ...params: unknown[]): Promise<Loose> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const { result, error } = JSON.parse(await post(`${url}/jsonrpc`, body)) as Loose;
  if (error) throw Object.assign(new Error(error.message), { wire: [error.message, ...error.data] });
  return result;
}
export const login = (url: string): Promise<string> => xmlrpc(url, 'session.login_with_password', 'root', password);
