/** The device through which a guest's QEMU, which is not root, opens its network interface. */
import { chmodSync, statSync } from 'node:fs';
import type { Terminal } from './up.ts';

const path = '/dev/net/tun';

/**
 * Anybody may open the device where udev runs: the kernel lets each user use only the interfaces that root gave him. Where udev
 * does not run, as in many containers, it is root's alone, and guests would have no network.
 */
export function openTunToGuests(say: Terminal['say']): void {
  if (process.getuid?.() !== 0) return;
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isCharacterDevice() || (found.mode & 0o006) === 0o006) return;
  try {
    chmodSync(path, 0o666);
    say(`guesthouse: made ${path} readable and writable for all, as udev does; guests run without root rights`);
  } catch (error) {
    say(`guesthouse: ${path} cannot be opened to guests (${(error as Error).message}); they may have no network`);
  }
}
