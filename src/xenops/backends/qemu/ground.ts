/** The host as QEMU sees it: which QEMU, which accelerator, how much of everything. */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Backend } from '../../backend.ts';
import type { Accelerator } from './machine.ts';
import { type ProbeOptions, probe } from './probe.ts';

export type AccelerationChoice = 'auto' | Accelerator;
export interface Ground {
  readonly qemu: string;
  /** `MAJOR.MINOR` of QEMU. */
  readonly version: string;
  readonly accelerator: Accelerator;
  /** The group that guests need instead of the given one, to open /dev/kvm. */
  readonly gid: number | undefined;
  host(): ReturnType<Backend['host']>;
}

/** Finds QEMU and decides how it runs guests. Throws, with what to install, when there is none. */
export async function createGround(options: Omit<ProbeOptions, 'qemu'> & { readonly qemu?: string }): Promise<Ground> {
  const qemu = options.qemu ?? (await find('qemu-system-x86_64'));
  const { version, accelerator, gid } = await probe({ ...options, qemu });
  return {
    qemu,
    version: version.split('.').slice(0, 2).join('.'),
    accelerator,
    gid,
    async host() {
      const { total, available } = await memory();
      return {
        version,
        accelerator,
        cpus: availableParallelism(),
        cpuModel: cpus()[0]?.model ?? 'unknown',
        memoryTotal: total,
        memoryFree: available,
      };
    },
  };
}
async function find(program: string): Promise<string> {
  const folders = (process.env['PATH'] ?? '/usr/bin').split(delimiter).filter((f) => f.startsWith('/'));
  for (const folder of folders) {
    const path = join(folder, program);
    const usable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return path;
  }
  throw new Error(`${program} is not in ${folders.join(':')}: install the package "qemu-system-x86"`);
}
/** Bytes, from /proc/meminfo: what there is, and what can be had without swapping. */
async function memory(): Promise<{ total: number; available: number }> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const kib = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { total: kib('MemTotal') * 1024, available: kib('MemAvailable') * 1024 };
}
