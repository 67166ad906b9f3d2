/** What `xc_dom_create` makes a domain of: the settings file, with what the command line replaces. */
import { type Module, runSettings, type Settings, SettingsFailure, type Value } from './python/index.ts';
import { Tuple, typeName } from './python/values.ts';

export interface DiskSetting {
  /** `phy:sda7`, `vd:3`, `file:/path`. */
  readonly uname: string;
  /** As the guest sees it: `sda1`, `hdd`. */
  readonly dev: string;
  /** `r`, `w` or `rw`. */
  readonly mode: string;
}
export interface DomainSettings {
  readonly image: string;
  readonly ramdisk: string;
  readonly builder: 'linux' | 'netbsd';
  readonly memoryMib: number;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly disks: readonly DiskSetting[];
  /** 0: nothing shared for writing; 1: one writer; 2: several. */
  readonly expert: 0 | 1 | 2;
  readonly cmdline: { readonly ip: string; readonly root: string; readonly extra: string };
  readonly autoRestart: boolean;
}
/** What the command line says; what is undefined is the file's. */
export type Overrides = Partial<Omit<DomainSettings, 'cmdline'>> & {
  readonly cmdlineIp?: string;
  readonly cmdlineRoot?: string;
  readonly cmdlineExtra?: string;
};
export interface SettingsFile {
  readonly file: string;
  readonly text: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly modules: readonly Module[];
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}
/** Throws SettingsFailure: `FILE:LINE:COLUMN: why`, or `FILE: key: why` for a value that is not what it must be. */
export function readSettings(from: SettingsFile, o: Overrides): DomainSettings {
  const settings = runSettings(from);
  const read = new Reader(from.file, settings);
  const builder = o.builder ?? read.text('builder_fn', 'linux');
  if (builder !== 'linux' && builder !== 'netbsd')
    throw read.wrong('builder_fn', `"${builder}" is neither linux nor netbsd`);
  const memoryMib = o.memoryMib ?? read.integer('mem_size');
  if (memoryMib < 1) throw read.wrong('mem_size', `${memoryMib} is no size in MB`);
  const expert = o.expert ?? read.integer('vbd_expert', 0);
  if (expert !== 0 && expert !== 1 && expert !== 2) throw read.wrong('vbd_expert', `${expert} is not 0, 1 or 2`);
  return {
    image: o.image ?? read.text('image'),
    ramdisk: o.ramdisk ?? read.text('ramdisk', ''),
    builder,
    memoryMib,
    name: o.name ?? read.text('domain_name', '(anon)'),
    addresses: o.addresses ?? read.texts('vfr_ipaddr'),
    disks: o.disks ?? read.disks(),
    expert,
    cmdline: {
      ip: o.cmdlineIp ?? read.text('cmdline_ip', ''),
      root: o.cmdlineRoot ?? read.text('cmdline_root', ''),
      extra: o.cmdlineExtra ?? read.text('cmdline_extra', ''),
    },
    autoRestart: o.autoRestart ?? read.boolean('auto_restart'),
  };
}
/** `image,dev,mode`; undefined when it is not that. */
export function parseDisk(text: string): DiskSetting | undefined {
  const [uname = '', dev = '', mode = '', ...more] = text.split(',').map((p) => p.trim());
  return uname && dev && isMode(mode) && more.length === 0 ? { uname, dev, mode } : undefined;
}
const isMode = (mode: string): boolean => ['r', 'w', 'rw'].includes(mode);
/** `yes`, `true`, `1` and `on` are yes, everything else is no. */
export const isYes = (text: string): boolean => ['yes', 'true', '1', 'on'].includes(text.toLowerCase());

class Reader {
  readonly #file: string;
  readonly #settings: Settings;
  constructor(file: string, settings: Settings) {
    this.#file = file;
    this.#settings = settings;
  }
  wrong(key: string, why: string): SettingsFailure {
    return new SettingsFailure(`${this.#file}: ${key}: ${why}`, this.#settings);
  }
  #get(key: string, wanted: string, fallback: Value | undefined): Value {
    const value = this.#settings.get(key) ?? fallback;
    if (value === undefined) throw this.wrong(key, `it is not set; ${wanted} is needed`);
    return value;
  }
  text(key: string, fallback?: string): string {
    const value = this.#get(key, 'a string', fallback);
    if (typeof value !== 'string') throw this.wrong(key, `a string is needed, not ${typeName(value)}`);
    return value;
  }
  integer(key: string, fallback?: number): number {
    const value = this.#get(key, 'a whole number', fallback);
    if (typeof value === 'boolean') return Number(value);
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    throw this.wrong(key, `a whole number is needed, not ${typeName(value)}`);
  }
  boolean(key: string): boolean {
    const value = this.#settings.get(key) ?? false;
    if (typeof value === 'string') return isYes(value);
    if (typeof value === 'boolean' || typeof value === 'number') return Boolean(value);
    throw this.wrong(key, `True or False is needed, not ${typeName(value)}`);
  }
  texts(key: string): string[] {
    const value = this.#settings.get(key) ?? [];
    const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
    if (!items?.every((i) => typeof i === 'string')) throw this.wrong(key, 'a list of strings is needed');
    return items as string[];
  }
  disks(): DiskSetting[] {
    const value = this.#settings.get('vbd_list') ?? [];
    const rows = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
    if (!rows) throw this.wrong('vbd_list', `a list of (name, device, mode) is needed, not ${typeName(value)}`);
    return rows.map((row, i) => {
      const parts = row instanceof Tuple ? row.items : Array.isArray(row) ? row : [];
      const [uname, dev, mode] = parts;
      if (parts.length === 3 && typeof uname === 'string' && typeof dev === 'string' && isMode(String(mode)))
        return { uname, dev, mode: String(mode) };
      throw this.wrong('vbd_list', `entry ${i + 1} is not (name, device, mode) with the mode r, w or rw`);
    });
  }
}
