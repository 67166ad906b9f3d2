/** Entries in files of their own, `loader/entries/*.conf`, as Fedora, Red Hat and systemd write them. */
import { fileRef } from './devices.ts';
import { type FileRef, type Files, type Item, type Menu, nothing, type Target } from './menu.ts';

const mostEntries = 200;
const mostLines = 1_000;
export const entryFolders = ['/loader/entries', '/boot/loader/entries'] as const;

/** The entries of a volume, newest first; empty when it has none. `variables` are put in the place of `$name`. */
export async function blsItems(
  files: Files,
  volume: string,
  variables: (name: string) => string,
): Promise<readonly Item[]> {
  for (const path of entryFolders) {
    const names = (await files.list({ volume, path })).filter((name) => name.endsWith('.conf'));
    if (names.length === 0) continue;
    names.sort((a, b) => compareVersions(b, a));
    const items: Item[] = [];
    for (const name of names.slice(0, mostEntries)) {
      const text = await files.text({ volume, path: `${path}/${name}` });
      if (text !== undefined) items.push(itemOf(files, { volume, path: `${path}/${name}` }, text, variables));
    }
    return items;
  }
  return [];
}

/** The menu of a volume whose loader is systemd's, or undefined. */
export async function blsMenu(files: Files, volume: string): Promise<Menu | undefined> {
  const items = await blsItems(files, volume, () => '');
  if (items.length === 0) return undefined;
  const settings = (await files.text({ volume, path: '/loader/loader.conf' })) ?? '';
  const pattern = /^\s*default\s+(\S+)/m.exec(settings)?.[1] ?? '';
  const chosen = items.find((item) => item.ids.some((id) => glob(pattern, id) || glob(pattern, `${id}.conf`)));
  return { items, preferred: chosen?.ids[0] ?? '' };
}

function itemOf(files: Files, file: FileRef, text: string, variables: (name: string) => string): Item {
  const values = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/, mostLines)) {
    const [, key = '', value = ''] = /^\s*([a-z][a-z_-]*)\s+(.*?)\s*$/.exec(line) ?? [];
    const known = values.get(key);
    if (known) known.push(value);
    else if (key !== '') values.set(key, [value]);
  }
  const all = (key: string) => (values.get(key) ?? []).map((value) => expand(value, variables));
  const id = file.path.slice(file.path.lastIndexOf('/') + 1, -'.conf'.length);
  const title = all('title')[0] ?? id;
  const version = all('version')[0];
  return {
    title,
    ids: version === undefined ? [id] : [id, `${title} (${version})`],
    async open(): Promise<Target> {
      const ref = (name: string): FileRef => {
        const found = fileRef(files.volumes, name, file.volume);
        if (!found) throw nothing(`${file.path}: ${JSON.stringify(name)} is not on this disk`);
        return found;
      };
      const [kernel] = all('linux');
      if (kernel === undefined || kernel === '') throw nothing(`${file.path}: it names no kernel ("linux")`);
      const ramdisks = all('initrd').flatMap((line) => line.split(/\s+/).filter((name) => name !== ''));
      return { kernel: ref(kernel), ramdisks: ramdisks.map(ref), cmdline: all('options').join(' ').trim() };
    },
  };
}
const expand = (value: string, variables: (name: string) => string): string =>
  value.replace(/\$\{?([A-Za-z_]\w*)\}?/g, (_, name: string) => variables(name)).trim();

function glob(pattern: string, text: string): boolean {
  if (pattern === '') return false;
  // `*` only: everything before the last one must be found in this order.
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === text;
  let at = 0;
  for (const [n, part] of parts.entries()) {
    const found = n === parts.length - 1 ? text.length - part.length : text.indexOf(part, at);
    if (found < at || !text.startsWith(part, found) || (n === 0 && found !== 0)) return false;
    at = found + part.length;
  }
  return true;
}

/** As package managers order versions: numbers by value, letters by the alphabet, a longer one last. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string): readonly string[] => text.match(/\d+|[A-Za-z]+|~/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i], right[i]];
    if (x === y) continue;
    // What follows a tilde comes before the version itself.
    if (x === '~' || y === '~') return x === '~' ? -1 : 1;
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [nx, ny] = [/^\d/.test(x), /^\d/.test(y)];
    if (nx !== ny) return nx ? 1 : -1;
    const [dx, dy] = [x.replace(/^0+/, ''), y.replace(/^0+/, '')];
    if (nx && dx.length !== dy.length) return dx.length - dy.length;
    if (dx !== dy) return dx < dy ? -1 : 1;
  }
  return 0;
}
