/** What xenvm's commands work with, and how a VM's state is called here. */
import type { VmEntry, Xenops } from '../../contracts/xenops.ts';
import type { Ground } from './describe.ts';

export interface World {
  readonly xenops: Xenops;
  /** The VM that is followed. */
  readonly id: string;
  readonly ground: Ground;
  /** The file that was given, for `read-config` without a path. */
  readonly file: string | undefined;
  /** The whole of a file; an Error that names it. */
  readonly readFile: (path: string) => string;
  /** Makes an empty file, for an image that is to be written; an Error when it is there. */
  readonly createFile: (path: string) => void;
  readonly removeFile: (path: string) => void;
  /** Tells whoever listens: a code and a message. */
  readonly notify: (code: number, message: string) => void;
  /** Ends this process; the VM is left as it is. */
  readonly quit: () => void;
}
/** Codes of what is told. */
export const told = { alive: 0x0000, hup: 0x0001, error: 0x0002, state: 0xf000 } as const;

export function stateName({ power }: VmEntry['state']): string {
  const names = { Halted: 'shutdown', Running: 'running', Paused: 'paused', Suspended: 'suspended' } as const;
  return names[power];
}
