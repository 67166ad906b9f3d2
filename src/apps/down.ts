/**
 * `guesthouse down`: shuts every guest down, then the toolstack, and leaves nothing running; a foreground `up` ends with 0.
 *
 *     mark DIR/run/down ─▶ supervisor and house (started again when they do not run) ─▶ house.shutdownGuests
 *       ─▶ stop the house ─▶ end the supervisor with all children ─▶ `up` has ended ─▶ unmark
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import type { Processes } from '../contracts/processes.ts';
import { lockFile } from '../processes/index.ts';
import { isAnswered } from '../rpc/index.ts';
import { type Places, places } from './places.ts';
import { Refusal } from './refusal.ts';
import {
  connectHouse,
  connectSupervisor,
  endSupervisor,
  ensureSupervisor,
  guestProcesses,
  houseId,
  houseProcess,
  houseStopMs,
} from './toolstack.ts';
import type { Terminal } from './up.ts';

const houseStartMs = 60_000;
const upEndMs = 30_000;

export async function down(options: { data: string; timeoutS: number }, { say }: Terminal): Promise<number> {
  const at = places(options.data);
  if (!(await somethingRuns(at))) {
    say(`guesthouse: nothing of ${at.data} runs`);
    return 0;
  }
  writeFileSync(at.downMark, String(process.pid), { mode: 0o600 });
  try {
    await ensureSupervisor(at);
    const processes = connectSupervisor(at);
    try {
      const stopped = await shutGuestsDown(at, processes, options.timeoutS, say);
      await processes.process.stop({ id: houseId, timeoutMs: houseStopMs });
      await endSupervisor(processes, true);
      if (stopped > 0) say(`guesthouse: ${stopped} guest${stopped === 1 ? ' was' : 's were'} shut down`);
    } finally {
      processes.close();
    }
    await upEnded(at);
    rmSync(at.processes, { recursive: true, force: true });
  } finally {
    rmSync(at.downMark, { force: true });
  }
  say(`guesthouse: nothing of ${at.data} runs any more`);
  return 0;
}

/** A supervisor that answers, or children that one has left. */
async function somethingRuns(at: Places): Promise<boolean> {
  if (!existsSync(at.run)) return false;
  if (await isAnswered(at.supervisorSocket)) return true;
  return existsSync(at.processes) && readdirSync(at.processes).some((name) => name.endsWith('.json'));
}

/** By the house, in order. A house that cannot is no reason to leave guests running: they are ended by force afterwards. */
async function shutGuestsDown(
  at: Places,
  processes: Processes,
  timeoutS: number,
  say: Terminal['say'],
): Promise<number> {
  const found = await houseProcess(processes);
  if (!found) return 0;
  const guests = await guestProcesses(processes);
  const house = connectHouse(at, { connectTimeoutMs: houseStartMs });
  const gone = Promise.withResolvers<never>();
  let started = false;
  gone.promise.catch(() => undefined);
  const unwatch = processes.watch(({ event, process }) => {
    if (event === 'exited' && process.id === houseId)
      gone.reject(new Error(`the house ended; see ${at.output('house')}`));
  });
  try {
    if (!found.running) await startAgain(at, processes, found.command);
    started = true;
    const asked = house.house.ready({}).then(() => house.house.shutdownGuests({ timeoutS }));
    return (await Promise.race([asked, gone.promise])).stopped;
  } catch (error) {
    const reason = (error as Error).message;
    if (guests > 0) say(`guesthouse: the guests cannot be shut down in order (${reason}); ending them by force`);
    return guests;
  } finally {
    unwatch();
    house.close();
  }
}

/** Nobody looks after the guests and their networks: the house is needed once more, without its demo guest. */
async function startAgain(at: Places, processes: Processes, command: readonly string[]): Promise<void> {
  // A supervisor that has just returned may be about to start it by itself.
  await processes.process.stop({ id: houseId, timeoutMs: houseStopMs });
  await processes.process.start({
    id: houseId,
    command: command.filter((arg) => arg !== '--demo'),
    log: at.output('house'),
    cwd: '/',
  });
}

/** A foreground `up` holds its lock until it ends. */
async function upEnded(at: Places): Promise<void> {
  const deadline = systemClock.now() + upEndMs;
  for (;;) {
    const unlock = lockFile(at.upLock);
    if (unlock) return unlock();
    if (systemClock.now() > deadline)
      throw new Refusal(`'guesthouse up' of ${at.data} did not end; stop it with SIGKILL`);
    await systemClock.sleep(50);
  }
}
