/** UEFI: OVMF's code, and a copy of its variables for each VM. */
import { access } from 'node:fs/promises';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Firmware } from './arguments.ts';
import type { Domain } from './domain.ts';
import { guestOf } from './record.ts';

/** Code and variables, in the order of preference. */
const plain = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
] as const;
const secure = [
  ['/usr/share/OVMF/OVMF_CODE_4M.ms.fd', '/usr/share/OVMF/OVMF_VARS_4M.ms.fd'],
  ['/usr/share/OVMF/OVMF_CODE.secboot.fd', '/usr/share/OVMF/OVMF_VARS.ms.fd'],
] as const;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The firmware files of a domain that boots with UEFI; undefined for others. */
export async function firmwareFor(domain: Domain): Promise<Firmware | undefined> {
  const { boot, id } = domain.record.spec;
  if (boot.kind !== 'uefi') return undefined;
  const { folders, owner } = domain.needs;
  for (const [code, vars] of boot.secureBoot ? secure : plain) {
    if (!(await exists(code)) || !(await exists(vars))) continue;
    const own = await folders.keepVariables(guestOf(domain.record), vars, owner(domain.record.domid));
    return { code, vars: own, secure: boot.secureBoot };
  }
  throw xenopsErrors.make('No_bootable_device', {
    vm: id,
    reason: `UEFI needs the files of the package "ovmf", ${plain[0][0]} for example; install it`,
  });
}
