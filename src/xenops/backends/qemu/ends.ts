/** How a guest's end is read from what QEMU says. */
import type { DomainEnd } from '../../backend.ts';
import type { QmpEvent } from './qmp.ts';

const end = (reason: DomainEnd['reason'], detail: string): DomainEnd => ({ reason, detail });

function endOfShutdown(cause: string): DomainEnd {
  if (cause === 'guest-shutdown') return end('poweroff', 'the guest powered off');
  if (cause === 'guest-reset') return end('reboot', 'the guest rebooted');
  if (cause === 'host-qmp-system-reset') return end('reboot', 'its machine was reset');
  if (cause === 'guest-panic') return end('crash', 'the guest reported a panic');
  if (cause === 'host-error') return end('crash', 'QEMU met an error that the guest cannot go on with');
  return end('killed', `QEMU was ended (${cause})`);
}
/** The end that an event announces, if it does. */
export function endOfEvent({ event, data }: QmpEvent): DomainEnd | undefined {
  if (event === 'SHUTDOWN') return endOfShutdown(String(data['reason'] ?? 'unknown'));
  if (event === 'GUEST_PANICKED' && data['action'] !== 'run') return endOfShutdown('guest-panic');
  return undefined;
}

/** QEMU's numbers of causes, as its trace line `qemu_system_shutdown_request reason=N` has them. */
const causes = [
  'none',
  'host-error',
  'host-qmp-quit',
  'host-qmp-system-reset',
  'host-signal',
  'host-ui',
  'guest-shutdown',
  'guest-reset',
  'guest-panic',
];
/** The end that a QEMU's log tells of (its traces `qemu_system_shutdown_request` and `runstate_set`), for a toolstack that was away when it happened. */
export function endOfLog(text: string): DomainEnd | undefined {
  const numbers = [...text.matchAll(/qemu_system_shutdown_request reason=(\d+)/g)].map((m) => Number(m[1]));
  const last = numbers.at(-1);
  // A reset that ends the guest leaves no such line, only the change of the run state.
  if (last === undefined && /runstate_set .*\(shutdown\)\s*$/m.test(text)) return endOfShutdown('guest-reset');
  return last === undefined ? undefined : endOfShutdown(causes[last] ?? `reason ${last}`);
}
/** The end that a run state stands for, if it does. */
export function endOfStatus(status: string, log: string): DomainEnd | undefined {
  if (status === 'shutdown') return endOfLog(log) ?? endOfShutdown('guest-shutdown');
  if (status === 'guest-panicked') return endOfShutdown('guest-panic');
  if (status === 'internal-error') return end('crash', 'QEMU met an internal error; its log says more');
  return undefined;
}

/** What a QEMU that gave up had to say: its last lines, without the traces of earlier runs and their times. */
export function complaint(log: string): string {
  const lines = log.split('\n').map((line) => line.trim());
  const traced = lines.findLastIndex((line) => /^\d+@[\d.]+:/.test(line));
  const said = lines.slice(traced + 1).map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ''));
  return [...new Set(said.filter((line) => line !== ''))].join('; ');
}
