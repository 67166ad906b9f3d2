/** From a created domain to a guest that stands at its first instruction. */
import { access, constants, open } from 'node:fs/promises';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { type Firmware, qemuArguments } from './arguments.ts';
import type { Domain } from './domain.ts';
import { firmwareFor } from './firmware.ts';
import type { Ground } from './ground.ts';
import { kernelEntry } from './kernel.ts';
import { applyBalloon } from './requests.ts';

/** Starts the guest's QEMU, paused. Nothing to do when it is built. */
export async function buildDomain(domain: Domain, ground: Ground): Promise<void> {
  if (domain.built) return;
  await checkKernel(domain);
  const firmware = await firmwareFor(domain);
  await domain.launch(commandOf(domain, ground, firmware, false));
  try {
    await setLinks(domain);
    const { dynamicMax, staticMax } = domain.record.spec.memory;
    if (dynamicMax < staticMax) await applyBalloon(domain, dynamicMax);
    await domain.settle();
  } catch (error) {
    await domain.abandon();
    throw error;
  }
}

export function commandOf(domain: Domain, ground: Ground, firmware: Firmware | undefined, incoming: boolean): string[] {
  const { record, needs } = domain;
  const offset = Number(record.spec.platform['timeoffset'] ?? 0);
  const rtcBase =
    Number.isFinite(offset) && offset !== 0
      ? new Date(needs.clock.now() + offset * 1000).toISOString().slice(0, 19)
      : undefined;
  return qemuArguments({
    qemu: ground.qemu,
    record,
    paths: needs.folders.paths(domain.vm),
    ...(firmware ? { firmware } : {}),
    incoming,
    ...(rtcBase ? { rtcBase } : {}),
  });
}
/** Interfaces whose cable is out. */
export async function setLinks(domain: Domain): Promise<void> {
  for (const nic of domain.record.nics)
    if (nic.spec.carrier === false) await domain.execute('set_link', { name: nic.device, up: false });
}

/** Refuses a kernel that cannot be started, and gives the guest's user a copy of one that it cannot read. */
async function checkKernel(domain: Domain): Promise<void> {
  const { boot, id } = domain.record.spec;
  if (boot.kind !== 'kernel') return;
  const refuse = (reason: string, cause?: unknown) =>
    xenopsErrors.make('No_bootable_device', { vm: id, reason }, { cause });
  try {
    const file = await open(boot.kernel, 'r');
    await using _ = file;
    if ((await kernelEntry(file)) === undefined)
      throw refuse(`${boot.kernel} is neither a Linux bzImage nor an ELF kernel with a PVH entry`);
    if (boot.ramdisk !== undefined) await access(boot.ramdisk, constants.R_OK);
  } catch (error) {
    if (error instanceof Error && error.name === 'ContractError') throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
