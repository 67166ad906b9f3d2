/**
 * Kernels of VMs whose boot loader reads them out of their disk: taken before the domain is made, so that every ground boots a
 * kernel by path and none knows boot loaders.
 *
 *     (nothing) ──load──▶ DIR/<vm>/{kernel,ramdisk,boot.json} ──drop──▶ (nothing)
 *                             kept while the VM runs or is Suspended: a saved guest is made again with the same kernel
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Boot, Bootloader, BootRequest } from '../contracts/bootloader.ts';
import { type Call, ContractError } from '../contracts/contract.ts';
import { type VbdSpec, type VmSpec, xenopsErrors } from '../contracts/xenops.ts';
import { type Neighbours, withMedia } from './media.ts';

export interface Kernels {
  /** Takes the kernel of a VM, anew when there is one. A failure leaves none. Bootloader_error, Unknown_bootloader. */
  load(g: Neighbours, spec: VmSpec, call: Call): Promise<void>;
  /** The description with the kernel that was taken, by path. Bootloader_error when it is gone. */
  resolve(spec: VmSpec): Promise<VmSpec>;
  /** The VM needs its kernel no more. None is no error. */
  drop(vm: string): Promise<void>;
  /** VMs that have one. */
  list(): Promise<readonly string[]>;
}

/** `dir`: an absolute folder that nobody else writes in. */
export function diskKernels(o: { readonly bootloader: Bootloader; readonly dir: string }): Kernels {
  const folderOf = (vm: string) => join(o.dir, vm);
  const drop = (vm: string) => rm(folderOf(vm), { recursive: true, force: true });
  return {
    async load(g, spec, call) {
      const folder = folderOf(spec.id);
      await drop(spec.id);
      await mkdir(folder, { recursive: true, mode: 0o711 });
      try {
        const boot = await extract(g, o.bootloader, spec, folder, call);
        await writeFile(join(folder, 'boot.json'), JSON.stringify(boot), { mode: 0o600 });
      } catch (error) {
        await drop(spec.id);
        throw inWords(error, spec);
      }
    },
    async resolve(spec) {
      if (spec.boot.kind !== 'bootloader') return spec;
      try {
        return withKernel(spec, JSON.parse(await readFile(join(folderOf(spec.id), 'boot.json'), 'utf8')) as Boot);
      } catch (cause) {
        const reason = `the kernel that was taken out of its disk is not there any more: ${String(cause)}`;
        throw xenopsErrors.make('Bootloader_error', { vm: spec.id, reason }, { cause });
      }
    },
    drop,
    list: () =>
      readdir(o.dir).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? [] : Promise.reject(error))),
  };
}

/** What a ground is asked beforehand, when the kernel is not known yet. */
export function expectedSpec(spec: VmSpec): VmSpec {
  if (spec.boot.kind !== 'bootloader') return spec;
  return { ...spec, boot: { kind: 'kernel', kernel: '/unknown-yet', cmdline: spec.boot.cmdline } };
}
export function withKernel(spec: VmSpec, { kernel, ramdisk, cmdline }: Boot): VmSpec {
  return { ...spec, boot: { kind: 'kernel', kernel, cmdline, ...(ramdisk === null ? {} : { ramdisk }) } };
}

/** The drive that is booted from: a bootable one before others, disks before discs, then by position. */
export function bootDrive(spec: VmSpec): VbdSpec | undefined {
  const rank = (d: VbdSpec) => (d.bootable ? 0 : 2) + (d.type === 'Disk' ? 0 : 1);
  return spec.vbds
    .filter((d) => d.media !== null && d.type !== 'Floppy')
    .sort((a, b) => rank(a) - rank(b) || a.position - b.position)[0];
}

async function extract(g: Neighbours, bootloader: Bootloader, spec: VmSpec, folder: string, call: Call): Promise<Boot> {
  const { boot, id } = spec;
  if (boot.kind !== 'bootloader') throw new Error(`${id} has no boot loader`);
  const ask = (disk: BootRequest['disk'], disc: BootRequest['disc']) =>
    bootloader.kernel.extract(
      {
        loader: boot.bootloader,
        args: boot.args,
        cmdline: boot.cmdline,
        disk,
        disc,
        folder,
        ...(boot.installRepository === undefined ? {} : { installRepository: boot.installRepository }),
        ...(boot.installHints === undefined ? {} : { installHints: boot.installHints }),
      },
      call,
    );
  const media = bootDrive(spec)?.media;
  const disc =
    boot.installRepository === 'cdrom' ? spec.vbds.find((d) => d.type === 'CD' && d.media)?.media : undefined;
  const reading = <T>(m: VbdSpec['media'] | undefined, f: (disk: BootRequest['disk']) => Promise<T>): Promise<T> =>
    m ? withMedia(g, id, m, 'RO', call, ({ path, format }) => f({ path, format })) : f(null);
  return reading(media, (disk) => (disc === media ? ask(disk, disk) : reading(disc, (cd) => ask(disk, cd))));
}

function inWords(error: unknown, { id, boot }: VmSpec): unknown {
  if (!(error instanceof ContractError)) return error;
  const loader = boot.kind === 'bootloader' ? boot.bootloader : '';
  switch (error.kind) {
    case 'Unknown_bootloader':
      return xenopsErrors.make('Unknown_bootloader', { vm: id, loader, known: error.args['known'] }, { cause: error });
    case 'Bad_arguments':
    case 'Nothing_to_boot':
    case 'Not_possible':
      return xenopsErrors.make('Bootloader_error', { vm: id, reason: error.message }, { cause: error });
    case 'Cancelled':
      return xenopsErrors.make('Cancelled', { task: id }, { cause: error });
    default:
      return error;
  }
}
