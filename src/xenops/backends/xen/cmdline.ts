/** The command line of a guest's kernel. */
import type { VmSpec } from '../../../contracts/xenops.ts';

/**
 * As described, with consoles that only an emulated machine has (`ttyS0`) turned into the one that guests of Xen have, so
 * that one description boots on either ground.
 */
export function cmdlineOf(spec: VmSpec): string {
  const { boot } = spec;
  if (boot.kind !== 'kernel' && boot.kind !== 'bootloader') return '';
  if (spec.domainType === 'hvm') return boot.cmdline;
  const words = boot.cmdline.split(/\s+/).filter((word) => word !== '');
  const serial = (word: string) => /^console=ttyS\d/.test(word);
  if (!words.some(serial) || words.some((word) => word.startsWith('console=hvc'))) return boot.cmdline;
  const first = words.findIndex(serial);
  return words
    .map((word, i) => (i === first ? 'console=hvc0' : word))
    .filter((word) => !serial(word))
    .join(' ');
}
