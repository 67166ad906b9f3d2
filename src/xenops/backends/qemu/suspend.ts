/** Saving a guest to a file and starting it from there again. */
import type { Call } from '../../../contracts/contract.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';
import type { Ground } from './ground.ts';

export async function saveDomain(_domain: Domain, _image: OpenDisk, _call: Call): Promise<void> {
  throw xenopsErrors.make('Unimplemented', { function: 'suspend', backend: 'qemu' });
}
export async function restoreDomain(_domain: Domain, _ground: Ground, _image: OpenDisk, _call: Call): Promise<void> {
  throw xenopsErrors.make('Unimplemented', { function: 'resume', backend: 'qemu' });
}
