/** What boot loaders' configurations come down to: a menu of entries, and which one is the default. Pure. */
import { bootloaderErrors } from '../contracts/bootloader.ts';

/** A file system that was found on a disk. */
export interface Volume {
  /** As the reader calls it: `loop0` is the whole disk, `loop0,gpt1` its first partition, `lvm/group-volume`. */
  readonly device: string;
  readonly label: string;
  readonly uuid: string;
}
export interface FileRef {
  readonly volume: string;
  /** Absolute in its volume. */
  readonly path: string;
}
/** What can be asked of a disk. Everything that comes back was written by a guest. */
export interface Files {
  readonly volumes: readonly Volume[];
  /** The content of a small file; undefined when there is none. */
  text(file: FileRef): Promise<string | undefined>;
  /** The names in a folder, folders with a `/` behind; empty when there is none. */
  list(folder: FileRef): Promise<readonly string[]>;
}
/** What an entry starts. */
export interface Target {
  readonly kernel: FileRef;
  /** Put together in this order. */
  readonly ramdisks: readonly FileRef[];
  readonly cmdline: string;
}
export interface Item {
  readonly title: string;
  /** Other names by which it is chosen. */
  readonly ids: readonly string[];
  /** Found out only when it is chosen; a submenu has entries of its own. */
  open(): Promise<Target | Menu>;
}
export interface Menu {
  readonly items: readonly Item[];
  /** A number from 0, a title or an id; of submenus `outer>inner`; '' for the first. */
  readonly preferred: string;
}

/** A configuration, or a disk, that does not lead to a kernel: the sentence names the place. */
export const nothing = (reason: string, cause?: unknown): Error =>
  bootloaderErrors.make('Nothing_to_boot', { reason }, { cause });

const deepest = 8;
const isMenu = (found: Target | Menu): found is Menu => 'items' in found;

/**
 * The entry that `wish` names (it must be there), or the menu's default, or else its first. Answers its titles, outer first, and
 * what it starts.
 */
export async function choose(menu: Menu, wish?: string): Promise<{ readonly title: string; readonly target: Target }> {
  const titles: string[] = [];
  let at = menu;
  let path = wish ?? menu.preferred;
  for (let depth = 0; depth < deepest; depth++) {
    const { item, rest } = pick(at, path, wish !== undefined && depth === 0);
    titles.push(item.title);
    const found = await item.open();
    if (!isMenu(found)) return { title: titles.join(' > '), target: found };
    at = found;
    path = rest;
  }
  throw nothing(`the boot menu has more than ${deepest} levels`);
}

function pick(menu: Menu, path: string, must: boolean): { item: Item; rest: string } {
  const [first] = menu.items;
  if (!first) throw nothing('the boot menu has no entries');
  const whole = named(menu, path);
  if (whole) return { item: whole, rest: '' };
  const cut = path.indexOf('>');
  const outer = cut > 0 ? named(menu, path.slice(0, cut)) : undefined;
  if (outer) return { item: outer, rest: path.slice(cut + 1) };
  if (!must) return { item: first, rest: '' };
  const titles = menu.items.slice(0, 20).map((item, n) => `${n} ${JSON.stringify(item.title.slice(0, 100))}`);
  throw nothing(`the boot menu has no entry ${JSON.stringify(path)}; there are ${titles.join(', ')}`);
}
function named(menu: Menu, name: string): Item | undefined {
  if (/^\d{1,4}$/.test(name)) return menu.items[Number(name)];
  if (name === '') return undefined;
  return menu.items.find((item) => item.ids.includes(name)) ?? menu.items.find((item) => item.title === name);
}
