/**
 * `guesthouse down`: shuts every guest down, then the toolstack, and leaves nothing running; a foreground `up` ends with 0.
 *
 *     mark DIR/run/down ─▶ supervisor and house (started again when they do not run) ─▶ house.shutdownGuests
 *       ─▶ stop the house ─▶ end the supervisor with all children ─▶ `up` has ended ─▶ sweep ─▶ unmark
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { logTo } from '../base/log.ts';
import { sweepNetwork } from '../network/sweep.ts';
import { lockFile } from '../processes/index.ts';
import { isAnswered } from '../rpc/index.ts';
import { shutGuestsDown } from './guests-down.ts';
import { type Places, places } from './places.ts';
import { Refusal } from './refusal.ts';
import { connectSupervisor, endSupervisor, ensureSupervisor, houseId, houseStopMs } from './toolstack.ts';
import type { Terminal } from './up.ts';

const upEndMs = 30_000;

export interface DownOptions {
  readonly data: string;
  /** For guests. */
  readonly timeoutS: number;
  /** After which a house that does not answer is taken to hang. */
  readonly houseSilentMs?: number;
}

export async function down(options: DownOptions, { say }: Terminal): Promise<number> {
  const at = places(options.data);
  if (!(await somethingRuns(at))) {
    const unlock = existsSync(at.run) ? lockFile(at.upLock) : undefined;
    if (unlock) await sweep(at, say).finally(unlock);
    say(`guesthouse: nothing of ${at.data} runs`);
    return 0;
  }
  writeFileSync(at.downMark, String(process.pid), { mode: 0o600 });
  try {
    await ensureSupervisor(at);
    const processes = connectSupervisor(at);
    try {
      const stopped = await shutGuestsDown(at, processes, options, say);
      await processes.process.stop({ id: houseId, timeoutMs: houseStopMs });
      await endSupervisor(processes, true);
      if (stopped > 0) say(`guesthouse: ${stopped} guest${stopped === 1 ? ' was' : 's were'} shut down`);
    } finally {
      processes.close();
    }
    await upEnded(at);
    await sweep(at, say);
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

/** What a house that was ended by force could not take away: links, rules, sockets. */
async function sweep(at: Places, say: Terminal['say']): Promise<void> {
  const log = logTo((level, message, fields) => {
    if (level === 'warn') say(`guesthouse: ${message} (${fields['error']})`);
  });
  await sweepNetwork(join(at.data, 'network'), log);
  for (const socket of [at.houseSocket, at.xenopsSocket, at.xapiSocket, at.supervisorSocket])
    rmSync(socket, { force: true });
  rmSync(at.processes, { recursive: true, force: true });
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
