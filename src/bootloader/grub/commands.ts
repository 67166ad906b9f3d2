/** GRUB's commands, as far as they decide what is booted. One row each; the answer is whether it succeeded. */
import { blsItems } from '../bls.ts';
import { findVolume } from '../devices.ts';
import { type FileRef, type Files, type Item, nothing, type Volume } from '../menu.ts';
import { isThere } from '../syslinux.ts';
import { test } from './test.ts';

/** What commands work on. */
export interface Machine {
  readonly files: Files;
  readonly root: string;
  kernel: FileRef | undefined;
  cmdline: string;
  ramdisks: FileRef[];
  readonly variables: Map<string, string>;
  variable(name: string): string;
  set(name: string, value: string): void;
  /** A file by its name; undefined when it can be on no volume. */
  file(name: string): FileRef | undefined;
  addItems(items: readonly Item[]): void;
  dropItems(): void;
  script(text: string): Promise<boolean>;
}
type Command = (m: Machine, args: readonly string[]) => boolean | Promise<boolean>;
const mostLength = 16_384;

export const commands: Readonly<Record<string, Command>> = {
  set(m, args) {
    for (const arg of args) {
      const at = arg.indexOf('=');
      if (at > 0) m.set(arg.slice(0, at), arg.slice(at + 1));
    }
    return true;
  },
  unset(m, args) {
    for (const name of args) m.variables.delete(name);
    return true;
  },
  load_env: loadEnv,
  search: (m, args) => search(m, args),
  'search.fs_uuid': (m, args) => searchFor(m, 'uuid', args),
  'search.fs_label': (m, args) => searchFor(m, 'label', args),
  'search.file': (m, args) => searchFor(m, 'file', args),
  probe,
  test: (m, args) => test(m, args),
  '[': (m, args) => (args.at(-1) === ']' ? test(m, args.slice(0, -1)) : false),
  source: include,
  '.': include,
  async configfile(m, args) {
    m.dropItems();
    return include(m, args);
  },
  async blscfg(m) {
    const volume = findVolume(m.files.volumes, (m.variable('boot') || m.root).replace(/^\(|\)$/g, ''));
    const items = volume ? await blsItems(m.files, volume.device, (name) => m.variable(name)) : [];
    m.addItems(items);
    return items.length > 0;
  },
  linux,
  linux16: linux,
  linuxefi: linux,
  initrd,
  initrd16: initrd,
  initrdefi: initrd,
  // A hypervisor's own entry: its first module is the kernel, the second its ramdisk.
  multiboot: hypervisor,
  multiboot2: hypervisor,
  xen_hypervisor: hypervisor,
  module: hypervisorModule,
  module2: hypervisorModule,
  xen_module: hypervisorModule,
  true: () => true,
  false: () => false,
  '!': () => false,
  ...Object.fromEntries(
    [
      ...[
        'echo',
        'export',
        'insmod',
        'save_env',
        'sleep',
        'play',
        'load_video',
        'gfxmode',
        'loadfont',
        'background_image',
      ],
      ...['terminal_input', 'terminal_output', 'terminal', 'serial', 'normal', 'clear', 'rmmod', 'cat', 'increment'],
    ].map((name): [string, Command] => [name, () => true]),
  ),
};

async function loadEnv(m: Machine, args: readonly string[]): Promise<boolean> {
  const words = args.filter((arg) => arg !== '--skip-sig');
  const own = words.findIndex((arg) => arg === '-f' || arg === '--file');
  const name = own >= 0 ? (words[own + 1] ?? '') : `${m.variable('prefix')}/grubenv`;
  const only = own >= 0 ? words.toSpliced(own, 2) : words;
  const file = m.file(name);
  const text = file && (await m.files.text(file));
  if (text === undefined) return false;
  for (const line of text.split('\n').slice(0, 200)) {
    const [, key = '', value = ''] = /^([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (key !== '' && (only.length === 0 || only.includes(key))) m.set(key, value.replace(/\\(.)/g, '$1'));
  }
  return true;
}

/** `search --no-floppy --fs-uuid --set=root HINTS UUID`. */
async function search(m: Machine, args: readonly string[]): Promise<boolean> {
  let by: 'uuid' | 'label' | 'file' = 'file';
  let target: string | undefined;
  const names: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--fs-uuid' || arg === '-u') by = 'uuid';
    else if (arg === '--label' || arg === '-l' || arg === '--fs-label') by = 'label';
    else if (arg === '--file' || arg === '-f') by = 'file';
    else if (arg.startsWith('--set=')) target = arg.slice(6);
    else if (arg === '--set' || arg === '-s') target = 'root';
    else if (/^--hint(-\w+)?$/.test(arg)) i++;
    else if (!arg.startsWith('-')) names.push(arg);
  }
  const found = await lookFor(m, by, names.at(-1) ?? '');
  if (found) m.set(names.length > 1 && target === 'root' ? (names[0] ?? 'root') : (target ?? 'root'), found.device);
  return found !== undefined;
}
async function searchFor(m: Machine, by: 'uuid' | 'label' | 'file', args: readonly string[]): Promise<boolean> {
  const found = await lookFor(m, by, args[0] ?? '');
  if (found) m.set(args[1] ?? 'root', found.device);
  return found !== undefined;
}
async function lookFor(m: Machine, by: 'uuid' | 'label' | 'file', name: string): Promise<Volume | undefined> {
  if (name === '') return undefined;
  if (by !== 'file') return m.files.volumes.find((v) => v[by].toLowerCase() === name.toLowerCase());
  if (!name.startsWith('/')) return undefined;
  for (const volume of m.files.volumes)
    if (await isThere(m.files, { volume: volume.device, path: name })) return volume;
  return undefined;
}
/** `probe --set=x --fs-uuid $root`. */
function probe(m: Machine, args: readonly string[]): boolean {
  const set = args.find((arg) => arg.startsWith('--set='))?.slice(6) ?? args[args.indexOf('-s') + 1];
  const volume = findVolume(m.files.volumes, (args.at(-1) ?? '').replace(/^\(|\)$/g, ''));
  if (!volume || set === undefined) return false;
  if (args.includes('--fs-uuid') || args.includes('-u')) m.set(set, volume.uuid);
  else if (args.includes('--label') || args.includes('-l')) m.set(set, volume.label);
  else return false;
  return true;
}
async function include(m: Machine, args: readonly string[]): Promise<boolean> {
  const file = m.file(args[0] ?? '');
  const text = file && (await m.files.text(file));
  return text === undefined ? false : m.script(text);
}

function linux(m: Machine, args: readonly string[]): boolean {
  const [path = '', ...words] = args;
  m.kernel = needed(m, path);
  m.ramdisks = [];
  m.cmdline = commandLine(words);
  return true;
}
function initrd(m: Machine, args: readonly string[]): boolean {
  // `newc:` puts a file under another name into the ramdisk; no distribution's menu does that.
  if (args.some((arg) => arg.startsWith('newc:'))) throw nothing('initrd newc:… is not supported');
  if (args.length > 16) throw nothing('more than 16 ramdisks');
  m.ramdisks = args.map((path) => needed(m, path));
  return true;
}
function hypervisor(m: Machine): boolean {
  m.kernel = undefined;
  m.ramdisks = [];
  return true;
}
function hypervisorModule(m: Machine, args: readonly string[]): boolean {
  const [path = '', ...words] = args.filter((arg) => arg !== '--nounzip');
  if (!m.kernel) return linux(m, [path, ...(words[0] === 'placeholder' ? words.slice(1) : words)]);
  m.ramdisks.push(needed(m, path));
  return true;
}
function needed(m: Machine, name: string): FileRef {
  const file = m.file(name);
  if (!file)
    throw nothing(`the boot menu names the file ${JSON.stringify(name.slice(0, 200))}, which is not on this disk`);
  return file;
}
/** The words as a kernel reads them: with quotes where a space is part of one. */
function commandLine(words: readonly string[]): string {
  const text = words.map((w) => (/[ \t]/.test(w) ? `"${w.replace(/(["'\\])/g, '\\$1')}"` : w)).join(' ');
  if (text.length > mostLength)
    throw nothing(`a kernel's command line has ${text.length} characters; at most ${mostLength}`);
  return text;
}
