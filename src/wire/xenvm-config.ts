/** xenvm's configuration files, checked whole: each value by its key, every mistake with its place. */
import { isUuid } from '../base/ids.ts';
import { parseXenvmDisk, parseXenvmDisplay, parseXenvmNic, parseXenvmPci } from './xenvm-devices.ts';
import { canonical, type XenvmList, xenvmKeys } from './xenvm-keys.ts';
import {
  longestFile,
  Mistake,
  parseBoolean,
  parseInteger,
  partsOf,
  settingsOf,
  XenvmError,
  type XenvmSetting,
} from './xenvm-syntax.ts';

export interface XenvmConfig {
  readonly file: string;
  /** The last one of each scalar key, under the name that it goes by. */
  readonly scalars: ReadonlyMap<string, XenvmSetting>;
  /** Each entry of a list key. */
  list(key: XenvmList): readonly XenvmSetting[];
  /** The value of a key, or its default; '' for none. */
  text(key: string): string;
  flag(key: string): boolean;
  /** Undefined when it is neither set nor has a default. */
  number(key: string): number | undefined;
  /** An error at the value of a setting, or at the begin of the file for a key that is not set. */
  refuse(at: XenvmSetting | string, why: string, offset?: number): XenvmError;
}

/** Throws XenvmError: all that is wrong. */
export function readXenvm(file: string, text: string): XenvmConfig {
  if (text.length > longestFile)
    throw new XenvmError(`${file}:1:1: file: it has ${text.length} characters; at most ${longestFile} are read`);
  const scalars = new Map<string, XenvmSetting>();
  const lists = new Map<string, XenvmSetting[]>();
  const mistakes: string[] = [];
  for (const setting of settingsOf(text)) {
    const key = canonical(setting.key);
    const wrong = checkSetting(key, setting);
    if (wrong !== undefined) mistakes.push(`${file}:${wrong}`);
    else if (xenvmKeys.get(key)?.type !== 'list') scalars.set(key, setting);
    else lists.set(key, [...(lists.get(key) ?? []), setting]);
  }
  if (mistakes.length > 0) throw new XenvmError(mistakes.join('\n'));
  const said = (key: string) => scalars.get(key)?.value ?? xenvmKeys.get(key)?.otherwise ?? '';
  return {
    file,
    scalars,
    list: (key) => lists.get(key) ?? [],
    text: said,
    flag: (key) => parseBoolean(said(key)) ?? false,
    number: (key) => parseInteger(said(key)),
    refuse(at, why, offset = 0) {
      const setting = typeof at === 'string' ? scalars.get(at) : at;
      const key = typeof at === 'string' ? at : at.key;
      const place = setting ? `${setting.line}:${setting.valueColumn + offset}` : '1:1';
      return new XenvmError(`${file}:${place}: ${key}: ${why}`);
    },
  };
}
/** `LINE:COLUMN: key: why`, or undefined when nothing is wrong. */
function checkSetting(key: string, setting: XenvmSetting): string | undefined {
  const known = xenvmKeys.get(key);
  if (!known) return `${setting.line}:${setting.column}: ${setting.key}: there is no such key`;
  const place = (offset: number) => `${setting.line}:${setting.valueColumn + offset}: ${setting.key}`;
  const control = setting.value.search(/[\x00-\x08\x0a-\x1f\x7f]/);
  if (control >= 0) return `${place(control)}: it has a control character`;
  try {
    if (known.type === 'int' && parseInteger(setting.value) === undefined)
      throw new Mistake(0, `"${setting.value}" is no whole number`);
    if (known.type === 'bool' && parseBoolean(setting.value) === undefined)
      throw new Mistake(0, `"${setting.value}" is neither true nor false`);
    if (Object.hasOwn(checks, key)) checks[key]?.(setting.value);
    return undefined;
  } catch (error) {
    if (error instanceof Mistake) return `${place(error.offset)}: ${error.message}`;
    throw error;
  }
}

type Check = (value: string) => unknown;
const action: Check = (value) => {
  if (!/^(destroy|restart|reboot|preserve)$/.test(value))
    throw new Mistake(0, `"${value}" is none of destroy, restart, preserve`);
};
const form =
  (pattern: RegExp, what: string): Check =>
  (value) => {
    if (!pattern.test(value)) throw new Mistake(0, `"${value}" is not ${what}`);
  };
const between =
  (least: number, most: number): Check =>
  (value) => {
    const n = parseInteger(value) ?? Number.NaN;
    if (!(n >= least && n <= most)) throw new Mistake(0, `${value} is not from ${least} to ${most}`);
  };
const number = '(0x[0-9a-fA-F]{1,12}|[0-9]{1,15})';
const relative = form(/^[A-Za-z0-9_@:./-]+$/, 'a path in the store, such as data/updated');
const notifyForms = 'unix,PATH or tcp,ADDRESS:PORT or dbus[,PATH]';
const onlyWords: Check = (value) => {
  if (!/^(true|false)$/.test(value)) throw new Mistake(0, `"${value}" is neither true nor false`);
};
const checks: Readonly<Record<string, Check>> = {
  uuid(value) {
    if (!isUuid(value)) throw new Mistake(0, `"${value}" is no UUID`);
  },
  startup: (value) => readStartup(value),
  ...{ on_halt: action, on_restart: action, on_crash: action, debug: onlyWords, no_mem_check: onlyWords },
  notify: form(/^(unix,\/.+|tcp,[^:\s]+:[0-9]{1,5}|dbus(,\/.*)?)$/, notifyForms),
  ...{ 'extra-local-watch': relative, 'extra-vm-watch': relative },
  ...{ memory: between(1, 1 << 24), 'memory-max': between(1, 1 << 24), vcpus: between(1, 4096) },
  ...{ 'cores-per-socket': between(1, 4096), videoram: between(0, 4096), 'extra-maxmem': between(0, 1 << 24) },
  boot: form(/^[acdn]{1,4}$/, 'an order of a, c, d and n, such as dc'),
  'time-offset': form(/^-?[0-9]{1,10}$/, 'a number of seconds'),
  'cpus-affinity'(value) {
    const [vcpu, cpus] = partsOf(value, ':');
    const good =
      /^[0-9]{1,4}$/.test(vcpu?.text ?? '') && cpus?.text.split(',').every(isCpu) && value.split(':').length === 2;
    if (!good) throw new Mistake(0, `"${value}" is not VCPU:CPU,CPU,… with CPUs from 0 to 63`);
  },
  cpuid: form(
    /^[0-9a-fx]+(\+[0-9a-fx]+)?:e[abcd]x=[01xsk]{32}(,e[abcd]x=[01xsk]{32})*$/i,
    'NODE[+NODE]:REGISTER=MASK with 32 of 0, 1, x, s, k',
  ),
  ...{
    platform: form(/^[A-Za-z0-9_.:-]+=.*$/, 'KEY=VALUE'),
    'bios-string': form(/^[A-Za-z0-9_.:-]+=.*$/, 'KEY=VALUE'),
  },
  'extra-hvm': form(/^[A-Za-z0-9_-]+(=.*)?$/, 'OPTION or OPTION=VALUE'),
  'passthrough-io': form(new RegExp(`^${number}-${number}$`), 'START-END'),
  'passthrough-mmio': form(new RegExp(`^${number}-${number}$`), 'START-END'),
  ...{ disk: parseXenvmDisk, nic: parseXenvmNic, pci: parseXenvmPci, display: parseXenvmDisplay },
};
const isCpu = (text: string): boolean => /^[0-9]{1,2}$/.test(text) && Number(text) < 64;

export type Startup =
  | { readonly do: 'start' | 'paused' | 'shutdown' }
  | { readonly do: 'restore'; readonly file: string; readonly remove: boolean };
/** Throws Mistake. */
export function readStartup(value: string): Startup {
  if (value === 'start' || value === 'started') return { do: 'start' };
  if (value === 'paused') return { do: 'paused' };
  if (value === 'shutdown' || value === 'poweroff') return { do: 'shutdown' };
  const [, how, file = ''] = /^(restore|restore-del)[ \t]+(\/.*)$/.exec(value) ?? [];
  if (how !== undefined) return { do: 'restore', file, remove: how === 'restore-del' };
  throw new Mistake(0, `"${value}" is none of start, paused, shutdown, restore /FILE, restore-del /FILE`);
}
