/** What the machine says of itself, read once at start. */
import { readFile } from 'node:fs/promises';
import { cpus, hostname, release, totalmem } from 'node:os';

export interface HostFacts {
  readonly hostname: string;
  /** Release of the kernel. */
  readonly kernel: string;
  /** Seconds since the epoch at which the machine was booted. */
  readonly bootTime: number;
  readonly timezone: string;
  /** Bytes. */
  readonly memoryTotal: number;
  readonly cpu: {
    readonly count: number;
    readonly sockets: number;
    readonly vendor: string;
    readonly model: string;
    readonly mhz: number;
    readonly family: number;
    readonly modelNumber: number;
    readonly stepping: string;
    /** Names, separated by spaces. */
    readonly flags: string;
  };
  /** As `bios-vendor`, `system-product-name` …; those that can be read. */
  readonly bios: Readonly<Record<string, string>>;
}

const biosFiles: Readonly<Record<string, string>> = {
  'bios-vendor': 'bios_vendor',
  'bios-version': 'bios_version',
  'system-manufacturer': 'sys_vendor',
  'system-product-name': 'product_name',
  'system-version': 'product_version',
  'baseboard-manufacturer': 'board_vendor',
  'baseboard-product-name': 'board_name',
};

export async function hostFacts(): Promise<HostFacts> {
  const list = cpus();
  const info = await textOf('/proc/cpuinfo');
  const value = (key: string) => new RegExp(`^${key}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? '';
  const sockets = new Set([...info.matchAll(/^physical id\s*: (\d+)$/gm)].map((m) => m[1])).size;
  const bios: Record<string, string> = {};
  for (const [key, file] of Object.entries(biosFiles)) {
    const text = (await textOf(`/sys/class/dmi/id/${file}`)).trim();
    if (text !== '') bios[key] = text;
  }
  return {
    hostname: hostname(),
    kernel: release(),
    bootTime: Number(/^btime (\d+)$/m.exec(await textOf('/proc/stat'))?.[1] ?? '0'),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    memoryTotal: totalmem(),
    cpu: {
      count: list.length,
      sockets: Math.max(1, sockets),
      vendor: value('vendor_id'),
      model: value('model name') || (list[0]?.model ?? ''),
      mhz: Math.round(Number(value('cpu MHz'))) || (list[0]?.speed ?? 0),
      family: Number(value('cpu family')) || 0,
      modelNumber: Number(value('model')) || 0,
      stepping: value('stepping'),
      flags: value('flags'),
    },
    bios,
  };
}

/** Empty for a file that this machine or this user has not. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
