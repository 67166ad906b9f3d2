/** Machines that remember how often they were started: a UEFI in its variables, a TPM in its state. */
import type { FirmwareState } from '../../../contracts/guest.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { SimWorld } from './world.ts';

const form = /^starts:(\d{1,9})$/;
const next = (text: string | null): string => `starts:${Number(form.exec(text ?? '')?.[1] ?? 0) + 1}`;

/** The machine is started. */
export function countStart(world: SimWorld, { id, boot, tpm }: VmSpec): void {
  if (boot.kind !== 'uefi' && !tpm) return;
  const before = world.firmware.get(id) ?? { efi: null, tpm: null };
  const efi = boot.kind === 'uefi' ? next(before.efi) : before.efi;
  world.remember(id, { efi, tpm: tpm ? next(before.tpm) : before.tpm });
}
export function firmwareVerbs(world: SimWorld) {
  return {
    read: async (vm: string): Promise<FirmwareState> => world.firmware.get(vm) ?? { efi: null, tpm: null },
    async write(vm: string, { efi, tpm }: FirmwareState): Promise<void> {
      for (const [key, text] of Object.entries({ efi, tpm }))
        if (text !== null && !form.test(text))
          throw xenopsErrors.make('Bad_spec', {
            key,
            value: text.slice(0, 60),
            reason: 'it is not what a simulated machine remembers',
          });
      world.remember(vm, efi === null && tpm === null ? undefined : { efi, tpm });
    },
  };
}
