/** Tells systemd how far this service is. Node has no datagram sockets of the unix kind, so systemd's own program is used. */
import { spawnSync } from 'node:child_process';
import { fstatSync } from 'node:fs';

/** Does nothing outside systemd. The answer is a reason when it could not be told. */
export function tellSystemd(...words: readonly string[]): string | undefined {
  if (!process.env['NOTIFY_SOCKET']) return undefined;
  const done = spawnSync('systemd-notify', [`--pid=${process.pid}`, ...words], { stdio: 'ignore' });
  if (done.error) return 'systemd cannot be told: the program systemd-notify (package systemd) is missing';
  return done.status === 0 ? undefined : `systemd-notify ended with ${done.status}`;
}

/** Whether what is written to `fd` is kept in systemd's journal, which others than root may read. */
export function isJournal(fd: number, stream: string | undefined = process.env['JOURNAL_STREAM']): boolean {
  if (!stream) return false;
  const { dev, ino } = fstatSync(fd);
  // A terminal that a desktop started has inherited the variable, but writes elsewhere.
  return stream === `${dev}:${ino}`;
}
