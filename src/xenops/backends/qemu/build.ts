/** From a created domain to a guest that stands at its first instruction. */
import { access, chown, constants, open, stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { ContractError } from '../../../contracts/contract.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import { type Firmware, type KernelFiles, qemuArguments } from './arguments.ts';
import type { Domain } from './domain.ts';
import { firmwareFor } from './firmware.ts';
import type { Ground } from './ground.ts';
import { kernelEntry, kernelExtent } from './kernel.ts';
import { deviceFiles, passthroughProblem } from './passthrough.ts';
import { applyBalloon } from './requests.ts';
import { setThrottles, throttledDrives } from './throttle.ts';
import { startTpm } from './tpm.ts';
import { canRead } from './user.ts';

/** Starts the guest's QEMU, paused. Nothing to do when it is built. */
export async function buildDomain(domain: Domain, ground: Ground, boot: VmSpec['boot']): Promise<void> {
  if (domain.built) return;
  const { spec } = domain.record;
  if (!isDeepStrictEqual(spec.boot, boot)) await domain.update({ spec: { ...spec, boot } });
  await takeDevices(domain);
  const kernel = await kernelFiles(domain);
  const firmware = await firmwareFor(domain);
  const tpm = await startTpm(domain);
  const { dynamicMax, staticMax } = domain.record.spec.memory;
  const ballooned = dynamicMax < staticMax;
  const complete = !ballooned && linksDown(domain).length === 0 && throttledDrives(domain).length === 0;
  await domain.launch(commandOf(domain, ground, { firmware, kernel, tpm, incoming: false }), complete);
  try {
    await setLinks(domain);
    await setThrottles(domain);
    if (ballooned) await applyBalloon(domain, dynamicMax);
    await domain.settle();
  } catch (error) {
    await domain.abandon();
    throw error;
  }
}

/** Devices of the host that the guest is given: its user gets their files. Bad_spec with why that cannot be. */
async function takeDevices({ record, needs }: Domain): Promise<void> {
  const wanted = { pcis: record.spec.pcis ?? [], usbs: (record.spec.usbs ?? []).map(({ path }) => path) };
  const problem = await passthroughProblem(wanted);
  if (problem) throw xenopsErrors.make('Bad_spec', { ...problem });
  const owner = needs.owner(record.domid);
  if (owner) for (const file of await deviceFiles(wanted)) await chown(file, owner.uid, owner.gid);
}

interface BootFiles {
  readonly firmware: Firmware | undefined;
  readonly kernel?: KernelFiles | undefined;
  /** The control socket of its TPM. */
  readonly tpm?: string | undefined;
  readonly incoming: boolean;
}
export function commandOf(domain: Domain, ground: Ground, { firmware, kernel, tpm, incoming }: BootFiles): string[] {
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
    ...(kernel ? { kernel } : {}),
    ...(tpm ? { tpm } : {}),
    incoming,
    ...(rtcBase ? { rtcBase } : {}),
  });
}
/** Interfaces whose cable is out. */
const linksDown = (domain: Domain) => domain.record.nics.filter((nic) => nic.spec.carrier === false);
export async function setLinks(domain: Domain): Promise<void> {
  for (const nic of linksDown(domain)) await domain.execute('set_link', { name: nic.device, up: false });
}

/** Refuses a kernel that cannot be started; the guest's user gets copies of files that it cannot read. */
export async function kernelFiles(domain: Domain): Promise<KernelFiles | undefined> {
  const { boot, id } = domain.record.spec;
  if (boot.kind !== 'kernel') return undefined;
  const refuse = (reason: string, cause?: unknown) =>
    xenopsErrors.make('No_bootable_device', { vm: id, reason }, { cause });
  try {
    await using file = await open(boot.kernel, 'r');
    if ((await kernelEntry(file)) === undefined)
      throw refuse(`${boot.kernel} is neither a Linux bzImage nor an ELF kernel with a PVH entry`);
    requireRoom(
      domain,
      (await kernelExtent(file)) + (boot.ramdisk === undefined ? 0 : (await stat(boot.ramdisk)).size),
    );
    return {
      kernel: await readable(domain, boot.kernel, 'kernel'),
      ramdisk: boot.ramdisk === undefined ? undefined : await readable(domain, boot.ramdisk, 'ramdisk'),
    };
  } catch (error) {
    if (error instanceof ContractError) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
/** Refuses a kernel that does not fit into the guest's memory: it would end without a word. */
function requireRoom(domain: Domain, needed: number): void {
  const { staticMax } = domain.record.spec.memory;
  const inMib = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  // QEMU keeps a piece of its own at the end.
  if (needed + 2 ** 20 <= staticMax) return;
  throw xenopsErrors.make('Bad_spec', {
    key: 'memory.staticMax',
    value: String(staticMax),
    reason: `the kernel and its ramdisk alone take ${inMib(needed)} MiB, and the VM has ${inMib(staticMax)} MiB; give it more`,
  });
}
async function readable(domain: Domain, path: string, name: string): Promise<string> {
  const owner = domain.needs.owner(domain.record.domid);
  await access(path, constants.R_OK);
  if (!owner || (await canRead(owner, path))) return path;
  return domain.needs.folders.give(domain.vm, path, name, owner);
}
