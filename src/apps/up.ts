/**
 * `guesthouse up`: a host in the foreground.
 *
 *     lock DIR/run/up.lock ─▶ password ─▶ supervisor (start or find) ─▶ house (start, or find with the same options)
 *       ─▶ house.ready ─▶ `ready http://…` ─▶ watch over the supervisor ─▶ SIGTERM, SIGINT, `guesthouse down`, or a house that crashes in a loop
 *
 * The hand-over to the house (`apps/house.ts`), a child with the id `house` and `restart: 'permanent'`:
 *
 * - It is started as `NODE …flags ROOT/src/apps/house.ts --data DIR --listen HOST:PORT --listen-tls HOST:PORT|none
 *   --hypervisor auto|xen|qemu|simulator --store sqlite|etcd://… [--demo]`, with the environment of `up`. Its stdout and stderr
 *   are appended to DIR/log/house.out; its own log is DIR/log/house.log (`openLog` of `apps/logging.ts`).
 * - It reaches the supervisor on DIR/run/supervisor.sock (contract `processes`; the supervisor may be gone for a moment and
 *   come back: `connectContract(…, { onReconnect })` tells, and the processes must then be listed again).
 * - First of all it serves the contract `house` (contracts/house.ts) on DIR/run/house.sock: `info` answers at once, `ready` when
 *   it is, events are lines for the person who waits. What cannot be (a busy port, a damaged database) it says as
 *   `Not_ready` to `ready` and on stderr as one line `guesthouse: why and what to do`, then exits with 1: `up` ends too.
 * - Root's password: when DIR/password.new exists, the house sets root's password to its first line and renames it to
 *   DIR/password; otherwise, when its database has none yet, it takes DIR/password. Both are 0600; `up` makes them.
 * - TERM: it stops answering, leaves the guests running and exits with 0.
 * - `guesthouse down` calls `house.shutdownGuests`, then stops the house and the supervisor with all other children.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { isKind } from '../contracts/contract.ts';
import type { HouseReady } from '../contracts/house.ts';
import type { Processes, ProcessSpec } from '../contracts/processes.ts';
import { lockFile, statOf } from '../processes/index.ts';
import { followLog } from './follow-log.ts';
import { preparePassword } from './password.ts';
import { defaultData, type Places, places } from './places.ts';
import { Refusal } from './refusal.ts';
import { isJournal, tellSystemd } from './systemd.ts';
import { commandName, shellWord } from './to-type.ts';
import {
  connectHouse,
  connectSupervisor,
  endSupervisor,
  ensureSupervisor,
  guestProcesses,
  houseId,
  houseProcess,
  houseRunsAs,
  houseSpec,
  houseStopMs,
  makePlaces,
  sizeOf,
} from './toolstack.ts';
import { checkFree, checkUpOptions, isLoopback, type UpOptions } from './up-options.ts';
import { version } from './version.ts';

/** How often the house may crash before it is ready. */
const crashesAllowed = 5;

export interface Terminal {
  /** One line for programs: stdout. */
  readonly out: (line: string) => void;
  /** Lines for people: stderr. */
  readonly say: (line: string) => void;
}

/** Runs until SIGTERM, SIGINT or `guesthouse down`; the answer is the exit status. `houseProgram` is for tests. */
export async function up(options: UpOptions, { out, say }: Terminal, houseProgram?: string): Promise<number> {
  checkUpOptions(options);
  const at = places(options.data);
  makePlaces(at);
  const unlock = lockFile(at.upLock);
  if (!unlock)
    throw new Refusal(
      `--data ${at.data}: another 'guesthouse up' runs for it; use it, or another folder with --data DIR`,
    );
  rmSync(at.downMark, { force: true });
  rmSync(at.demoMark, { force: true });
  const end = Promise.withResolvers<'signal' | 'down' | 'failed'>();
  const stopListening = onSignals(() => end.resolve('signal'), say);
  const made = preparePassword(at, options.passwordFile);
  await ensureSupervisor(at);
  let leaving = false;
  let lost = false;
  let ready = false;
  const onLost = () => {
    lost = true;
    if (!leaving) void keepSupervisor(at, processes, say, () => end.resolve('down'));
  };
  const processes = connectSupervisor(at, { onLost, connectTimeoutMs: 3000 });
  // Watching keeps the connection, whose loss tells that the supervisor was killed.
  const stopWatching = processes.watch(({ event, process }) => {
    if (event !== 'failed') return;
    say(`guesthouse: ${process.id} was given up: ${process.failed}`);
    if (process.id === houseId && ready) end.resolve('failed');
  });
  const unfollow = followLog(at.log('house'), say);
  try {
    await replaceOldSupervisor(at, processes);
    const from = sizeOf(at.output('house'));
    await startHouse(at, processes, options, houseSpec(at, options, houseProgram));
    const came = await Promise.race([untilReady(at, processes, say, from), end.promise]);
    if (typeof came === 'object') announce(at, came, made, { out, say });
    ready = true;
    let why = await end.promise;
    leaving = true;
    if (why === 'signal' && isDownAtWork(at)) {
      say('guesthouse: guesthouse down is at work; this ends with it');
      why = (await downIsOver(at, () => lost)) ? 'down' : why;
    }
    if (why === 'failed') throw new Refusal(`the house was given up; guests run on; see ${at.output('house')}`);
    if (why === 'down') say('guesthouse: ended by guesthouse down');
    else await leave(at, processes, say);
    return 0;
  } catch (error) {
    leaving = true;
    await endIdle(processes);
    throw error;
  } finally {
    unfollow();
    stopWatching();
    processes.close();
    stopListening();
    unlock();
  }
}

/** A host that cannot start leaves no supervisor behind, unless guests of an earlier run need one. */
async function endIdle(processes: Processes): Promise<void> {
  if ((await guestProcesses(processes)) > 0) return;
  await endSupervisor(processes, true);
}

/** The first signal ends it in order, a second one at once. */
function onSignals(first: () => void, say: Terminal['say']): () => void {
  let count = 0;
  const handle = (signal: NodeJS.Signals) => {
    count++;
    if (count === 1) {
      say(`guesthouse: ${signal}: the toolstack ends`);
      first();
    } else if (count === 3) process.exit(130);
  };
  process.on('SIGINT', handle).on('SIGTERM', handle);
  return () => void process.off('SIGINT', handle).off('SIGTERM', handle);
}

/** After an upgrade the supervisor of the old version makes room; its children do not notice. */
async function replaceOldSupervisor(at: Places, processes: Processes): Promise<void> {
  const { version: found } = await processes.supervisor.info({});
  if (found === version) return;
  await endSupervisor(processes, false);
  await ensureSupervisor(at);
}

async function startHouse(at: Places, processes: Processes, options: UpOptions, spec: ProcessSpec): Promise<void> {
  if (!existsSync(at.passwordNew) && (await houseRunsAs(processes, spec))) return;
  await processes.process.stop({ id: houseId, timeoutMs: houseStopMs });
  await checkFree('--listen', options.listen);
  if (options.listenTls !== 'none') await checkFree('--listen-tls', options.listenTls);
  await processes.process.start(spec);
}

/**
 * Waits for the house; what it cannot do it says on stderr before it ends with status 1. `from`: how long its output was before
 * it started.
 */
async function untilReady(at: Places, processes: Processes, say: Terminal['say'], from: number): Promise<HouseReady> {
  const house = connectHouse(at, { connectTimeoutMs: 1000 });
  const gaveUp = Promise.withResolvers<never>();
  gaveUp.promise.catch(() => undefined);
  let crashes = 0;
  const unwatch = processes.watch(({ event, process }) => {
    if (event !== 'exited' || process.id !== houseId) return;
    if (process.exitCode === 1 || ++crashes > crashesAllowed) gaveUp.reject(new Refusal(lastWords(at, from)));
  });
  const unhear = house.watch(({ text }) => {
    // That it is ready is said below, in the form that programs wait for.
    if (!text.startsWith('ready ')) say(`guesthouse: ${text}`);
  });
  try {
    return await Promise.race([gaveUp.promise, asked(house, processes)]);
  } catch (error) {
    // It would only be started again and again.
    await processes.process.stop({ id: houseId, timeoutMs: houseStopMs });
    throw error;
  } finally {
    unhear();
    unwatch();
    house.close();
  }
}

async function asked(house: ReturnType<typeof connectHouse>, processes: Processes): Promise<HouseReady> {
  for (;;) {
    try {
      return await house.house.ready({});
    } catch (error) {
      if (isKind(error, 'Not_ready')) throw new Refusal(error.message);
      if (!isKind(error, 'Connection_lost') && !isKind(error, 'Not_reachable')) throw error;
      if (!(await houseProcess(processes))) throw new Refusal('the house was stopped by somebody');
      await systemClock.sleep(100);
    }
  }
}

/** What the house printed since `from`, without our name before it. */
function lastWords(at: Places, from: number): string {
  const printed = readFileSync(at.output('house')).subarray(from).toString('utf8').trim().split('\n');
  const own = printed.filter((line) => line.startsWith('guesthouse: ')).at(-1);
  const error = printed.filter((line) => /Error\b/.test(line)).at(-1) ?? printed.at(-1) ?? '';
  return own?.slice('guesthouse: '.length) ?? `the house ended: ${error.trim()}; see ${at.output('house')}`;
}

function announce(at: Places, ready: HouseReady, madePassword: string | undefined, { out, say }: Terminal): void {
  const { url, tlsUrl, hypervisor, accelerator, demo } = ready;
  say(`guesthouse: guests run on ${hypervisor}${accelerator && accelerator !== hypervisor ? ` (${accelerator})` : ''}`);
  if (tlsUrl && !isLoopback(new URL(tlsUrl).hostname))
    say(`guesthouse: from other machines: ${tlsUrl.replace('//0.0.0.0:', `//${hostname()}:`)}`);
  const journal = isJournal(2);
  if (madePassword && !journal)
    say(`guesthouse: log in as root with the password ${madePassword} (kept in ${at.password})`);
  else if (existsSync(at.password)) say(`guesthouse: log in as root; the password is in ${at.password}`);
  else say('guesthouse: log in as root with the password that was set; --password-file FILE sets another');
  out(`ready ${url}`);
  if (demo) {
    say('guesthouse: try next, in another terminal:');
    // Another terminal does not have this one's environment.
    const elsewhere = { ...process.env, GUESTHOUSE_DATA: undefined };
    if (at.data !== places(defaultData(elsewhere)).data) say(`  export GUESTHOUSE_DATA=${shellWord(at.data)}`);
    const xe = commandName('xe');
    for (const line of ['vm-list', `console vm=${demo.name}`, `vm-shutdown vm=${demo.name}`]) say(`  ${xe} ${line}`);
  }
  if (!journal) say(`guesthouse: Ctrl-C ends the toolstack and leaves guests running`);
  const reason = tellSystemd('--ready', `--status=ready at ${url}`);
  if (reason) say(`guesthouse: ${reason}`);
}

/** Started again whenever it is gone, unless `guesthouse down` is at work. */
async function keepSupervisor(
  at: Places,
  processes: Processes,
  say: Terminal['say'],
  ended: () => void,
): Promise<void> {
  for (let said = false; ; said = true) {
    if (isDownAtWork(at)) return ended();
    if (!said) say('guesthouse: the supervisor ended; starting it again');
    try {
      await ensureSupervisor(at);
      // Only a connection that stands tells of the next loss.
      await processes.supervisor.info({});
      return;
    } catch (error) {
      if (isKind(error, 'Closed')) return;
      say(`guesthouse: ${(error as Error).message}`);
      await systemClock.sleep(500);
    }
  }
}

function isDownAtWork(at: Places): boolean {
  if (!existsSync(at.downMark)) return false;
  return statOf(Number(readFileSync(at.downMark, 'utf8'))) !== undefined;
}

/** Waits until `guesthouse down`, which is at work, has ended the supervisor; false when it ended before that. */
async function downIsOver(at: Places, lost: () => boolean): Promise<boolean> {
  while (isDownAtWork(at)) {
    if (lost()) return true;
    await systemClock.sleep(50);
  }
  return lost();
}

/** Ends the toolstack; guests run on. */
async function leave(at: Places, processes: Processes, say: Terminal['say']): Promise<void> {
  tellSystemd('--stopping');
  const running = Math.max(await countGuests(at), await guestProcesses(processes));
  await processes.process.stop({ id: houseId, timeoutMs: houseStopMs });
  // What serves guests, such as their DHCP, runs on as long as they do.
  await endSupervisor(processes, running === 0);
  const guesthouse = commandName('guesthouse');
  const again = `${guesthouse} up --data ${shellWord(at.data)}`;
  if (running === 0) return say(`guesthouse: the toolstack has ended; no guest runs. Start again: ${again}`);
  say(`guesthouse: the toolstack has ended; ${running} guest${running === 1 ? ' runs' : 's run'} on`);
  say(`guesthouse: take over again: ${again}`);
  say(`guesthouse: shut down too:   ${guesthouse} down --data ${shellWord(at.data)}`);
}

async function countGuests(at: Places): Promise<number> {
  const house = connectHouse(at, { connectTimeoutMs: 0 });
  try {
    return (await house.house.info({})).running;
  } catch (error) {
    if (isKind(error, 'Not_reachable') || isKind(error, 'Connection_lost')) return 0;
    throw error;
  } finally {
    house.close();
  }
}
