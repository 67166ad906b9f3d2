/** The boot loader of hosts whose guests are simulated: their disks hold nothing, and nothing reads their kernels. */
import { join } from 'node:path';
import { type Bootloader, bootloaderErrors } from '../contracts/bootloader.ts';
import { parseArguments } from './arguments.ts';
import { mayInstall } from './loaders.ts';

/** Refuses what the real one refuses beforehand; boots everything else. */
export function simulatedBootloader(): Bootloader {
  return {
    kernel: {
      async extract({ loader, args, cmdline, disk, installRepository, folder }, call) {
        if (call?.signal?.aborted) throw bootloaderErrors.make('Cancelled');
        const installs = mayInstall(loader) && installRepository !== undefined;
        const words = parseArguments(args).args;
        if (!disk && !installs)
          throw bootloaderErrors.make('Nothing_to_boot', { reason: 'the VM has no disk to boot from' });
        const kernel = join(folder, 'kernel');
        return {
          kernel,
          ramdisk: null,
          cmdline: [words, cmdline].filter((w) => w !== '').join(' '),
          title: 'simulated',
        };
      },
    },
    watch: () => () => undefined,
  };
}
