/** extlinux.conf, syslinux.cfg, isolinux.cfg. */
import { beside } from './devices.ts';
import { type FileRef, type Files, type Item, type Menu, nothing, type Target } from './menu.ts';

interface Label {
  readonly name: string;
  title: string;
  kernel: string;
  ramdisks: string[];
  append: string | undefined;
  preferred: boolean;
}
interface Reading {
  readonly labels: Label[];
  /** The default by its name, or as a command line. */
  default: string;
  ontimeout: string;
  append: string;
  files: number;
}
const mostFiles = 32;
const mostLabels = 500;

/** The menu of a configuration and of those that it includes. */
export async function syslinuxMenu(files: Files, file: FileRef, text: string): Promise<Menu> {
  const found: Reading = { labels: [], default: '', ontimeout: '', append: '', files: 0 };
  await read(files, file, text, found);
  const items = found.labels.filter((l) => l.kernel !== '').map((label) => itemOf(files, file, label, found.append));
  const named = found.labels.find((l) => l.preferred)?.name ?? (found.ontimeout || found.default);
  // A default may be a label, or a label with words to be added, or the program that shows the menu.
  const [word = ''] = named.split(/\s+/);
  return { items, preferred: items.some((i) => i.ids.includes(word)) ? word : '' };
}

async function read(files: Files, file: FileRef, text: string, found: Reading): Promise<void> {
  if (++found.files > mostFiles) throw nothing(`${file.path} includes more than ${mostFiles} files`);
  let label: Label | undefined;
  for (const line of text.split(/\r?\n/)) {
    const [, word = '', value = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(line) ?? [];
    const [second = '', ...more] = value.split(/\s+/);
    const menu = word.toLowerCase() === 'menu' ? second.toLowerCase() : '';
    if (word.startsWith('#')) continue;
    if (word.toLowerCase() === 'label') {
      if (found.labels.length >= mostLabels) throw nothing(`${file.path} has more than ${mostLabels} labels`);
      label = { name: value, title: value, kernel: '', ramdisks: [], append: undefined, preferred: false };
      found.labels.push(label);
    } else if (word.toLowerCase() === 'include' || menu === 'include') {
      await include(files, file, menu === '' ? value : (more[0] ?? ''), found);
    } else if (menu === 'label' && label) label.title = more.join(' ').replaceAll('^', '');
    else if (menu === 'default' && label) label.preferred = true;
    else if (label) ofLabel(label, word.toLowerCase(), value);
    else if (word.toLowerCase() === 'append') found.append = value;
    if (word.toLowerCase() === 'default') found.default = value;
    if (word.toLowerCase() === 'ontimeout') found.ontimeout = value;
  }
}
async function include(files: Files, from: FileRef, name: string, found: Reading): Promise<void> {
  const file = beside(from, name);
  const text = file && (await files.text(file));
  if (file && text !== undefined) await read(files, file, text, found);
}
function ofLabel(label: Label, word: string, value: string): void {
  if (word === 'kernel' || word === 'linux') label.kernel = value;
  if (word === 'initrd') label.ramdisks = value.split(/[\s,]+/).filter((name) => name !== '');
  // "append -" means that nothing of the common one is taken.
  if (word === 'append') label.append = value === '-' ? '' : value;
}

function itemOf(files: Files, file: FileRef, label: Label, common: string): Item {
  return {
    title: label.title,
    ids: [label.name],
    async open(): Promise<Target> {
      if (/\.(c32|com|cbt|0|bin|bss)$/i.test(label.kernel))
        throw nothing(`${file.path}: the entry ${JSON.stringify(label.title)} starts ${label.kernel}, not Linux`);
      const words = (label.append ?? common).split(/\s+/).filter((word) => word !== '');
      // The ramdisk may stand among the kernel's arguments.
      const inline = words.filter((word) => word.startsWith('initrd=')).flatMap((word) => word.slice(7).split(','));
      const ramdisks = label.ramdisks.length > 0 ? label.ramdisks : inline;
      const found = async (name: string): Promise<FileRef> => {
        const ref = beside(file, name);
        if (!ref) throw nothing(`${file.path}: ${JSON.stringify(name)} is no path`);
        return (await onTop(files, file, name)) ?? ref;
      };
      return {
        kernel: await found(label.kernel),
        ramdisks: await Promise.all(ramdisks.map(found)),
        cmdline: words.filter((word) => !word.startsWith('initrd=')).join(' '),
      };
    },
  };
}
/** A file that is not beside its configuration, but where another root folder would have it: seen when /boot is a partition of its own. */
async function onTop(files: Files, file: FileRef, name: string): Promise<FileRef | undefined> {
  if (!name.startsWith('/boot/')) return undefined;
  const [whole, cut] = [beside(file, name), beside(file, name.slice('/boot'.length))];
  if (!whole || !cut || (await isThere(files, whole))) return undefined;
  return (await isThere(files, cut)) ? cut : undefined;
}
/** Whether a file or folder is there, asking no further than the first folder that is not. Small and capital letters are one, as on FAT. */
export async function isThere(files: Files, { volume, path }: FileRef): Promise<boolean> {
  const parts = path.split('/').filter((part) => part !== '');
  for (const [n, part] of parts.entries()) {
    // Names with spaces cannot be told apart in a list: looked for when they are read.
    if (/\s/.test(part)) return true;
    const names = await files.list({ volume, path: `/${parts.slice(0, n).join('/')}` });
    const wanted = part.toLowerCase();
    if (!names.some((name) => name.replace(/\/$/, '').toLowerCase() === wanted)) return false;
  }
  return true;
}
