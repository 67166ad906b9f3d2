/**
 * `guesthouse box up`: a Xen host in a QEMU, in the foreground.
 *
 *     lock DIR/run/up.lock ─▶ layers ─▶ password ─▶ come back from a snapshot, or boot ─▶ `ready http://…`
 *       ─▶ SIGTERM, SIGINT: save, end · `box down`: it has ended · QEMU ended by itself: exit status 1
 *
 * QEMU dies with this process; what was saved before is what the next `up` comes back to.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { systemClock } from '../base/clock.ts';
import { type Box, type BoxStart, saveBox, startBox } from '../box/box.ts';
import { decideStart, machineKey } from '../box/disks.ts';
import type { Machine } from '../box/machine.ts';
import { type BoxPlaces, boxPlaces } from '../box/places.ts';
import type { BoxSettings } from '../box/seed.ts';
import { lockFile } from '../processes/index.ts';
import { boxLayers } from './box-build.ts';
import { connectMonitor, quit } from './box-down.ts';
import { preparePassword } from './password.ts';
import { places } from './places.ts';
import { Refusal } from './refusal.ts';
import { commandName, shellWord } from './to-type.ts';
import type { Terminal } from './up.ts';
import { addressOf, checkFree, isLoopback } from './up-options.ts';

export interface BoxUpOptions {
  readonly data: string;
  readonly listen: string;
  readonly passwordFile?: string;
  readonly fresh: boolean;
  readonly memory: string;
  readonly acceleration: string;
  readonly hypervisor: string;
  readonly xenstored: string;
  readonly cache?: string;
}

const qemuPaths = ['/usr/bin/qemu-system-x86_64', '/usr/local/bin/qemu-system-x86_64'];

/** Runs until SIGTERM, SIGINT or `guesthouse box down`; the answer is the exit status. */
export async function boxUp(options: BoxUpOptions, { out, say }: Terminal): Promise<number> {
  const began = systemClock.now();
  const { settings, memoryMib, accelerator, api } = checked(options);
  const qemu = qemuPaths.find((path) => existsSync(path));
  if (!qemu) throw new Refusal('qemu-system-x86_64 was not found; install the package qemu-system-x86');
  const at = boxPlaces(options.data);
  for (const folder of [at.data, at.machine, at.run, at.logs]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFile(at.upLock);
  if (!unlock)
    throw new Refusal(`--data ${at.data}: another 'up' runs for it; use it, or another folder with --data DIR`);
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => stop.abort(new Refusal(`ended by ${signal} before it was up`));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  let box: Box | undefined;
  try {
    await endLeftOver(at);
    await checkFree('--listen', options.listen);
    const layers = { ...(await boxLayers(options.cache, say, stop.signal)), settings };
    const { password, made } = takePassword(options);
    const port = api.port === 0 ? await freePort() : api.port;
    const machine: Machine = {
      ...{ qemu, accelerator, memoryMib, console: at.console, qmp: [at.qmp, at.qmpMore] },
      ...{ api: { host: api.host, port }, sshPort: await freePort() },
    };
    const start = decideStart(at, machineKey(layers, machine), options.fresh);
    say(
      start.kind === 'resume'
        ? `box: coming back from the snapshot '${start.snapshot}'`
        : 'box: booting; this takes a minute',
    );
    const parts = { clock: systemClock, say, connectMonitor };
    const setPassword = options.passwordFile !== undefined;
    const boxStart: BoxStart = { layers, machine, start, password, setPassword, signal: stop.signal };
    box = await startBox(at, boxStart, parts);
    await box.untilUp();
    if (made) say(`box: log in as root with the password ${password} (kept in ${at.password})`);
    else say(`box: log in as root; the password is in ${at.password}`);
    say(
      `box: up after ${((systemClock.now() - began) / 1000).toFixed(1)} s; a shell in it: ${commandName('guesthouse')} box ssh --data ${shellWord(at.data)}`,
    );
    out(`ready http://${api.host}:${port}`);
    return await untilEnd(at, box, machine.sshPort, stop.signal, say);
  } finally {
    await box?.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    unlock();
  }
}

async function untilEnd(
  at: BoxPlaces,
  box: Box,
  sshPort: number,
  stop: AbortSignal,
  say: Terminal['say'],
): Promise<number> {
  const stopped = new Promise<'stop'>((resolve) => {
    if (stop.aborted) resolve('stop');
    stop.addEventListener('abort', () => resolve('stop'), { once: true });
  });
  const why = await Promise.race([stopped, box.ended]);
  if (why !== 'stop') {
    const inOrder = box.status === 0;
    say(inOrder ? 'box: it has ended' : `box: QEMU has ended with status ${box.status}; see ${at.qemuLog}`);
    return inOrder ? 0 : 1;
  }
  say('box: saving it; the next up comes back to this');
  const monitor = await connectMonitor(at.qmpMore, AbortSignal.timeout(10_000));
  try {
    await saveBox(at, monitor, 'last', sshPort);
    await quit(monitor);
  } finally {
    monitor.close();
  }
  await box.ended;
  say(`box: saved and ended. Again: ${commandName('guesthouse')} box up --data ${shellWord(at.data)}`);
  return 0;
}

function checked(o: BoxUpOptions) {
  const api = addressOf('--listen', o.listen);
  if (!isLoopback(api.host) || api.host.includes(':'))
    throw new Refusal(`--listen ${o.listen}: a box is for this machine only; use 127.0.0.1:PORT`);
  const memoryMib = Number(o.memory);
  if (!Number.isInteger(memoryMib) || memoryMib < 2560)
    throw new Refusal(
      `--memory ${o.memory}: it is a number of MiB, 2560 or more; 1536 of them are the control domain's`,
    );
  const one = <T extends string>(flag: string, value: string, known: readonly T[]): T => {
    const found = known.find((k) => k === value);
    if (!found) throw new Refusal(`${flag} ${value}: not known; choose one of ${known.join(', ')}`);
    return found;
  };
  const settings: BoxSettings = {
    hypervisor: one('--hypervisor', o.hypervisor, ['xen', 'simulator']),
    xenstored: one('--xenstored', o.xenstored, ['own', 'debian']),
  };
  const host = api.host === 'localhost' ? '127.0.0.1' : api.host;
  return {
    settings,
    memoryMib,
    accelerator: one('--acceleration', o.acceleration, ['tcg', 'kvm']),
    api: { ...api, host },
  };
}

/** As with a host that runs here: DIR/password holds it. */
function takePassword({ data, passwordFile }: BoxUpOptions): { password: string; made: boolean } {
  const at = places(data);
  const made = preparePassword(at, passwordFile);
  const file = existsSync(at.passwordNew) ? at.passwordNew : at.password;
  const password = (readFileSync(file, 'utf8').split('\n')[0] ?? '').replace(/\r$/, '');
  if (file === at.passwordNew) {
    rmSync(at.password, { force: true });
    renameSync(at.passwordNew, at.password);
  }
  return { password, made: made !== undefined };
}

/** A QEMU that outlived its `up`, where nothing ends it with its parent. */
async function endLeftOver(at: BoxPlaces): Promise<void> {
  if (!existsSync(at.qmp)) return;
  try {
    const monitor = await connectMonitor(at.qmp, AbortSignal.timeout(300));
    await quit(monitor);
    monitor.close();
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
  }
  rmSync(at.qmp, { force: true });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
