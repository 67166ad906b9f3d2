/** The names that a VM may give its boot loader. Pure. */
import { bootloaderErrors, loaderNames } from '../contracts/bootloader.ts';

/** Whether the loader knows installers. Unknown_bootloader. */
export function mayInstall(loader: string): boolean {
  const name = loader.slice(loader.lastIndexOf('/') + 1);
  const known = loaderNames.find((n) => n === name);
  if (!known) throw bootloaderErrors.make('Unknown_bootloader', { loader, known: loaderNames.join(', ') });
  return known !== 'pygrub';
}
