/** The device through which a guest's QEMU, which is not root, opens the network interface that root made for it. */
import { chmodSync, statSync } from 'node:fs';
import type { Log } from '../base/log.ts';

const device = '/dev/net/tun';

/**
 * Makes it usable by the guests' own users. Where udev runs it is, for everybody: the kernel lets each user open only the
 * interfaces that root gave him. Where udev does not run, as in many containers, it is root's alone, and the rights are set here.
 */
export function openTunToGuests(log: Log, path = device): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    log.warn(
      `${path} is missing: guests get QEMU's own network only; load the module tun, or give the device to this container`,
    );
    return;
  }
  if (!found.isCharacterDevice() || (found.mode & 0o006) === 0o006) return;
  try {
    chmodSync(path, 0o666);
    log.warn(`${path} was closed to guests, which run without root rights: opened to all (mode 0666), as udev does`);
  } catch (error) {
    log.warn(
      `${path} is closed to guests and cannot be opened to them: they will have no network; try chmod 0666 ${path}`,
      {
        error: (error as Error).message,
      },
    );
  }
}
