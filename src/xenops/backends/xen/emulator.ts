/** The QEMU of one domain, which serves its disk images (qdisk): started with the first of them, ended with the domain. */
import { existsSync } from 'node:fs';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';

const stopMs = 3_000;
const idOf = ({ vm, domid }: Domain): string => `xen-qdisk-${domid}-${vm}`;

/** The command line: no machine, only what serves devices of the domain. */
export function emulatorCommand(qemu: string, domid: number, vm: string): string[] {
  const denied = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';
  return [
    qemu,
    ...['-name', `guest=${vm}`, '-machine', 'xenpv', '-xen-domid', String(domid), '-xen-attach'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-vga', 'none', '-m', '1M', '-sandbox', denied],
    ...['-msg', 'timestamp=on'],
  ];
}
/** Failed_to_start_emulator. */
export async function ensureEmulator(domain: Domain): Promise<void> {
  const { processes, folders, qemu } = domain.needs;
  const id = idOf(domain);
  if ((await processes.process.list({})).some((p) => p.id === id && p.running)) return;
  const failed = (reason: string, cause?: unknown) =>
    xenopsErrors.make('Failed_to_start_emulator', { vm: domain.vm, reason }, { cause });
  if (!existsSync(qemu))
    throw failed(`${qemu} is missing, which serves disk images: install Debian's package qemu-system-xen`);
  await processes.process.forget({ id });
  await processes.process
    .start({
      id,
      command: emulatorCommand(qemu, domain.domid, domain.vm),
      log: folders.paths(domain.vm).emulatorLog,
      tags: { kind: 'xen-emulator', vm: domain.vm },
    })
    .catch((error: unknown) => {
      throw failed(String(error), error);
    });
}
export async function endEmulator(domain: Domain): Promise<void> {
  const { processes } = domain.needs;
  const id = idOf(domain);
  if (!(await processes.process.list({})).some((p) => p.id === id)) return;
  await processes.process.stop({ id, timeoutMs: stopMs });
  await processes.process.forget({ id });
}
