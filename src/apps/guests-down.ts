/**
 * Shutting guests down for `guesthouse down`: by the house, in order.
 *
 *     house runs ──asked──▶ shut down
 *         │ hangs: killed
 *         ▼
 *     no house ──started once more──▶ asked ──▶ shut down
 *                                       │ cannot, or hangs
 *                                       ▼
 *                          left to `down`, which ends them by force
 */
import { systemClock } from '../base/clock.ts';
import { isKind } from '../contracts/contract.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Places } from './places.ts';
import { connectHouse, guestProcesses, houseId, houseProcess, houseStopMs } from './toolstack.ts';

const houseStartMs = 60_000;
/** A house that opens its database with ten thousand VMs is silent for some of this. */
const silentMs = 15_000;

interface Patience {
  readonly timeoutS: number;
  readonly houseSilentMs?: number;
}

/** Answers how many guests ran. A house that cannot is no reason to leave guests running: the caller ends them by force. */
export async function shutGuestsDown(
  at: Places,
  processes: Processes,
  patience: Patience,
  say: (line: string) => void,
): Promise<number> {
  const found = await houseProcess(processes);
  if (!found) return guestProcesses(processes);
  const guests = await guestProcesses(processes);
  let running = found.running;
  for (;;) {
    try {
      return await askHouse(at, processes, patience, running ? undefined : found.command);
    } catch (error) {
      const reason = (error as Error).message;
      if (!running) {
        if (guests > 0) say(`guesthouse: the guests cannot be shut down in order (${reason}); ending them by force`);
        return guests;
      }
      say(`guesthouse: ${reason}; trying with a new one`);
      await processes.process.kill({ id: houseId });
      running = false;
    }
  }
}

/** `command`: the house does not run and is started with it. Rejects when the house ends or hangs. */
async function askHouse(
  at: Places,
  processes: Processes,
  patience: Patience,
  command: readonly string[] | undefined,
): Promise<number> {
  const { timeoutS, houseSilentMs = silentMs } = patience;
  const house = connectHouse(at, { connectTimeoutMs: houseStartMs });
  const over = new AbortController();
  const gone = Promise.withResolvers<never>();
  let started = false;
  const unwatch = processes.watch(({ event, process }) => {
    if (started && event === 'exited' && process.id === houseId)
      gone.reject(new Error(`the house ended; see ${at.output('house')}`));
  });
  try {
    if (command) await startAgain(at, processes, command);
    started = true;
    const asked = house.house.ready({}).then(() => house.house.shutdownGuests({ timeoutS }));
    const { stopped } = await Promise.race([asked, gone.promise, untilSilent(house, houseSilentMs, over.signal)]);
    return stopped;
  } finally {
    over.abort();
    unwatch();
    house.close();
  }
}

/** Rejects when a house that runs does not answer any more, and on abort. How long guests take is no matter. */
async function untilSilent(
  { house }: ReturnType<typeof connectHouse>,
  ms: number,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    const answer = new AbortController();
    const answered = house.info({}).then(
      () => true,
      (error: unknown) => isKind(error, 'Connection_lost'),
    );
    const waited = systemClock.sleep(ms, AbortSignal.any([signal, answer.signal])).then(() => false);
    // Whichever loses the race has nobody who listens to it.
    waited.catch(() => undefined);
    if (!(await Promise.race([answered, waited]))) throw new Error(`the house has not answered for ${ms / 1000} s`);
    answer.abort();
    await systemClock.sleep(1000, signal);
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
