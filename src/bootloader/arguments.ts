/** What a VM passes to its boot loader, in the words of `pygrub`. Pure. */
import { bootloaderErrors } from '../contracts/bootloader.ts';

export interface Arguments {
  /** A number, title or id of the menu. */
  readonly entry: string | undefined;
  /** Files on the disk, instead of a menu. */
  readonly kernel: string | undefined;
  readonly ramdisk: string | undefined;
  /** Put after the kernel's command line. */
  readonly args: string;
  /** Bytes from the disk's start to the partition table or file system. */
  readonly offset: number;
  /** Boots the installer though the disk would boot. */
  readonly install: boolean;
}
/** Of `pygrub`'s own command line, without meaning here. */
const ignored = new Set(['-q', '--quiet', '-n', '--not-really', '--debug', '-i', '--interactive']);
const ignoredWithValue = new Set(['--output', '--output-format', '--output-directory', '--runas']);
const taking = new Set(['--entry', '--kernel', '--ramdisk', '--args', '--offset']);

/** Refuses words that it does not know, naming them. */
export function parseArguments(text: string): Arguments {
  const bad = (reason: string) => bootloaderErrors.make('Bad_arguments', { value: JSON.stringify(text), reason });
  const words = split(text);
  if (!words) throw bad('a quote is not closed');
  const values = new Map<string, string>();
  let install = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const [, key = word, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    if (ignored.has(word)) continue;
    if (word === '--install') {
      install = true;
      continue;
    }
    if (!taking.has(key) && !ignoredWithValue.has(key))
      throw bad(`${JSON.stringify(key)} is not known; there are ${[...taking].join(', ')} and --install`);
    const given = value ?? words[++i];
    if (given === undefined) throw bad(`${key} needs a value`);
    if (taking.has(key)) values.set(key, given);
  }
  const offset = values.get('--offset') ?? '0';
  if (!/^\d{1,15}$/.test(offset) || Number(offset) % 512 !== 0)
    throw bad(`--offset=${offset}: it is a number of bytes, a multiple of 512`);
  for (const key of ['--kernel', '--ramdisk'])
    if (/[\x00-\x1f\x7f]/.test(values.get(key) ?? '')) throw bad(`${key}: a path has no control characters`);
  if (values.has('--ramdisk') && !values.has('--kernel')) throw bad('--ramdisk needs --kernel');
  return {
    entry: values.get('--entry'),
    kernel: values.get('--kernel'),
    ramdisk: values.get('--ramdisk'),
    args: values.get('--args') ?? '',
    offset: Number(offset),
    install,
  };
}

/** Words as a shell tells them apart, without anything else that a shell does. Undefined: a quote is open. */
function split(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? '';
    if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (c === '"' || c === "'") {
      const end = text.indexOf(c, i + 1);
      if (end < 0) return undefined;
      word = (word ?? '') + text.slice(i + 1, end);
      i = end;
    } else if (c === '\\' && i + 1 < text.length) word = (word ?? '') + text[++i];
    else word = (word ?? '') + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}
