/** `guesthouse box down` and `snapshot`: both speak to the box's QEMU; the `up` that watches it ends when the box does. */
import { systemClock } from '../base/clock.ts';
import { type Monitor, saveBox } from '../box/box.ts';
import { type BoxPlaces, boxPlaces } from '../box/places.ts';
import { lockFile } from '../processes/index.ts';
import { connectQmp, QmpClosed } from '../xenops/backends/qemu/qmp.ts';
import { sshPortOf } from './box-exec.ts';
import { Refusal } from './refusal.ts';
import type { Terminal } from './up.ts';

const answerMs = 10_000;
const endMs = 60_000;

export async function boxSnapshot({ data }: { data: string }, { say }: Terminal): Promise<number> {
  const at = boxPlaces(data);
  const port = sshPortOf(at);
  const monitor = await connectMonitor(at.qmpMore, AbortSignal.timeout(answerMs));
  try {
    await saveBox(at, monitor, 'last', port);
  } finally {
    monitor.close();
  }
  say('box: saved; the next up comes back to this');
  return 0;
}

export async function boxDown(o: { data: string; discard: boolean }, { say }: Terminal): Promise<number> {
  const at = boxPlaces(o.data);
  const monitor = await connectMonitor(at.qmpMore, AbortSignal.timeout(answerMs)).catch(() => undefined);
  if (!monitor) {
    say(`box: no box of ${at.data} runs`);
    return 0;
  }
  try {
    if (!o.discard) await saveBox(at, monitor, 'last', sshPortOf(at));
    await quit(monitor);
  } finally {
    monitor.close();
  }
  await upEnded(at);
  say(o.discard ? 'box: ended; what happened since it was saved is gone' : 'box: saved and ended');
  return 0;
}

/** The control socket of a QEMU, as a box needs it. */
export const connectMonitor = (path: string, until: AbortSignal): Promise<Monitor> =>
  connectQmp(
    path,
    { clock: systemClock, deadlineMs: answerMs, onEvent: () => undefined, onClosed: () => undefined },
    until,
  );

/** QEMU may be gone before it answers. */
export async function quit(monitor: Monitor): Promise<void> {
  try {
    await monitor.execute('quit');
  } catch (error) {
    if (!(error instanceof QmpClosed)) throw error;
  }
}

/** A foreground `up` holds its lock until it ends. */
async function upEnded(at: BoxPlaces): Promise<void> {
  const deadline = systemClock.now() + endMs;
  for (;;) {
    const unlock = lockFile(at.upLock);
    if (unlock) return unlock();
    if (systemClock.now() > deadline)
      throw new Refusal(`'guesthouse box up' of ${at.data} did not end; stop it with SIGKILL`);
    await systemClock.sleep(50);
  }
}
