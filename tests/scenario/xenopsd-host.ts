/** A xenopsd in this process on a new folder, and xenops-cli as a function. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hypervisor } from '../../src/apps/ground.ts';
import { openCore, type RunningCore } from '../../src/apps/xenopsd-core.ts';
import { openXenopsdDoor } from '../../src/apps/xenopsd-door.ts';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Xenops } from '../../src/contracts/xenops.ts';
import { runCli } from '../../src/doors/xenops-cli/cli.ts';
import { xenopsdClient } from '../../src/doors/xenops-cli/client.ts';

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}
export interface XenopsdHost extends AsyncDisposable {
  readonly data: string;
  readonly socketPath: string;
  readonly xenops: Xenops;
  /** Writes a file into the folder, and answers its path. */
  file(name: string, text: string): string;
  /** Posts text; answers text. */
  post(text: string, signal?: AbortSignal): Promise<string>;
  cli(...argv: string[]): Promise<Ran>;
  /** As `cli`, and fails unless it succeeds; answers what it printed. */
  ok(...argv: string[]): Promise<string>;
  json(...argv: string[]): Promise<unknown>;
  restart(): Promise<void>;
}

export async function xenopsdHost(hypervisor: Hypervisor = 'simulator'): Promise<XenopsdHost> {
  const data = mkdtempSync(join(tmpdir(), 'ghx-'));
  chmodSync(data, 0o711); // guests run as users of their own
  const socketPath = join(data, 'xenopsd');
  let core: RunningCore;
  let closeDoor: () => Promise<void>;
  const open = async () => {
    core = await openCore({ data, hypervisor, persist: true, workers: 4, log: silentLog, version: 'test' });
    const { xenops, screens } = core;
    const base = { xenops, screens, clock: systemClock, ids: randomIds, log: silentLog };
    closeDoor = await openXenopsdDoor({ ...base, version: 'test', socketPath, shutdown: () => undefined });
  };
  const close = async () => {
    await closeDoor();
    await core.close();
  };
  await open();
  const post = (text: string, signal?: AbortSignal) => postTo(socketPath, text, signal);
  const cli = (...argv: string[]) => runIn(argv, post);
  const ok = async (...argv: string[]) => {
    const ran = await cli(...argv);
    if (ran.status !== 0) throw new Error(`xenops-cli ${argv.join(' ')}: ${ran.err}`);
    return ran.out;
  };
  return {
    data,
    socketPath,
    get xenops() {
      return core.xenops;
    },
    file(name, text) {
      const path = join(data, name);
      writeFileSync(path, text);
      return path;
    },
    post,
    cli,
    ok,
    json: async (...argv) => JSON.parse(await ok('--json', ...argv)),
    async restart() {
      await close();
      await open();
    },
    async [Symbol.asyncDispose]() {
      await core.xenops.host.shutdownAll({ timeoutS: 0 });
      await close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
/** One command line against a xenopsd that `post` reaches. */
export interface Watching {
  /** Aborted as by Ctrl-C. */
  readonly interrupted?: AbortSignal;
  readonly progress?: (fraction: number) => void;
}
export async function runIn(argv: readonly string[], post: XenopsdHost['post'], o: Watching = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const status = await runCli(argv, {
    ids: randomIds,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    readFile: (path) => {
      if (!existsSync(path)) throw new Error(`${path}: there is no such file`);
      return readFileSync(path, 'utf8');
    },
    writeFile: (path, text) => writeFileSync(path, text),
    attach: async () => undefined,
    interrupted: o.interrupted ?? new AbortController().signal,
    progress: (fraction) => {
      if (fraction !== undefined) o.progress?.(fraction);
    },
    now: () => Date.now() / 1000,
    zoneS: 0,
    connect: () => xenopsdClient(post),
    close: async () => undefined,
  });
  return { status, out, err };
}
export function postTo(socketPath: string, text: string, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, method: 'POST', path: '/', ...(signal ? { signal } : {}) };
    const req = request(options, (res) => {
      let answer = '';
      res.setEncoding('utf8').on('data', (piece: string) => {
        answer += piece;
      });
      res.once('end', () => resolve(answer));
      res.once('error', reject);
    });
    req.once('error', reject);
    req.end(text);
  });
}
