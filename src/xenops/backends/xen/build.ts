/** From a created domain to a guest that stands at its first instruction, known to the store. */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { GuestPages } from '../../../xen/domain-builder.ts';
import { XenFailed } from '../../../xen/session.ts';
import { acpiTables } from './acpi.ts';
import { machineFiles } from './check.ts';
import { cmdlineOf } from './cmdline.ts';
import { openConsole } from './console.ts';
import type { Domain } from './domain.ts';
import { startMachine } from './machine.ts';
import { ringNodes, storeRingPath, writeNodes } from './store-layout.ts';

/** Where a PVH guest's firmware tables lie. */
const tablesAt = 0xfc00_0000;

/** No_bootable_device with the builder's words for a kernel that cannot be started; Internal_error for the rest. */
export async function buildDomain(domain: Domain, boot: VmSpec['boot']): Promise<void> {
  if (domain.built) return;
  if (!isDeepStrictEqual(domain.record.spec.boot, boot))
    await domain.update(({ spec }) => ({ spec: { ...spec, boot } }));
  const { spec, domid, ports } = domain.record;
  const { domainType: type } = spec;
  const machine = type === 'hvm' ? { firmware: await readFile(machineFiles.bios), vcpus: domain.record.vcpus } : {};
  const { kernel, ramdisk } = type === 'hvm' ? loaderFiles : kernelFiles(domain);
  const maxVcpus = spec.vcpus.max;
  try {
    const pages = await domain.needs.xen.build({
      domid,
      type,
      kernel,
      ramdisk,
      cmdline: cmdlineOf(spec),
      memoryMax: spec.memory.staticMax,
      memory: domain.record.memoryTarget,
      maxVcpus,
      storePort: ports.store,
      consolePort: ports.console,
      ...machine,
      ...(type === 'pvh' ? { tables: [{ data: acpiTables(tablesAt, maxVcpus), address: tablesAt }] } : {}),
    });
    await introduce(domain, pages);
    if (type === 'hvm') await startMachine(domain);
  } catch (error) {
    throw inWords(error, spec.id);
  }
}
/**
 * Says where the guest's store and console are, and lets them begin. The introduction comes last, since it wakes the console
 * daemon, which this domain's other work would wait for; a toolstack that is killed just before it leaves it to the next one.
 */
export async function introduce(domain: Domain, pages: GuestPages): Promise<void> {
  const { domid, ports } = domain.record;
  const { store } = domain.needs;
  const rings = { ...pages, storePort: ports.store, consolePort: ports.console };
  await store.transaction((inside) => writeNodes(inside, ringNodes(domid, rings)));
  domain.console = openConsole(domain);
  await domain.update({ phase: 'built' });
  await store.introduce(domid, pages.store, ports.store);
  domain.changed();
}
/** Introduces a guest whose toolstack was killed just before. */
export async function introduceAgain(domain: Domain): Promise<void> {
  const { domid, ports } = domain.record;
  const { store } = domain.needs;
  if (await store.isIntroduced(domid)) return;
  await store.introduce(domid, BigInt(await store.read(storeRingPath(domid))), ports.store);
}

const loaderFiles = { kernel: machineFiles.loader, ramdisk: undefined };

/** What the builder says of a kernel, in this contract's words. */
function inWords(error: unknown, vm: string): unknown {
  if (!(error instanceof XenFailed)) return error;
  const files = ['xc_dom_kernel_file', 'xc_dom_module_file', 'xc_dom_parse_image'];
  return files.includes(error.call)
    ? xenopsErrors.make('No_bootable_device', { vm, reason: error.message }, { cause: error })
    : xenopsErrors.make('Internal_error', { reason: `building ${vm}: ${error.message}` }, { cause: error });
}
function kernelFiles(domain: Domain): { readonly kernel: string; readonly ramdisk: string | undefined } {
  const { boot, id } = domain.record.spec;
  if (boot.kind !== 'kernel')
    throw xenopsErrors.make('No_bootable_device', { vm: id, reason: `it boots by ${boot.kind}, not from a kernel` });
  return { kernel: boot.kernel, ramdisk: boot.ramdisk };
}
