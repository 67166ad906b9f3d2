/** menu.lst and grub.conf of GRUB's first version. */
import { fileRef, findVolume } from './devices.ts';
import { type FileRef, type Files, type Item, type Menu, nothing, type Target } from './menu.ts';

interface Entry {
  readonly title: string;
  root: string;
  kernel: string;
  initrd: string;
  /** Behind a hypervisor's `kernel` stand the guest's own kernel and its ramdisk. */
  modules: string[];
}
const mostEntries = 500;

export function legacyMenu(files: Files, file: FileRef, text: string): Menu {
  const entries: Entry[] = [];
  let preferred = '';
  for (const line of text.split(/\r?\n/)) {
    const [, word = '', value = ''] = /^\s*([^\s=]+)[\s=]*(.*?)\s*$/.exec(line) ?? [];
    if (word.startsWith('#')) continue;
    const entry = entries.at(-1);
    if (word === 'title') {
      if (entries.length >= mostEntries) throw nothing(`${file.path} has more than ${mostEntries} entries`);
      entries.push({ title: value, root: '', kernel: '', initrd: '', modules: [] });
    } else if (!entry) preferred = word === 'default' ? value : preferred;
    else if (word === 'root' || word === 'rootnoverify') entry.root = value;
    else if (word === 'kernel') entry.kernel = value;
    else if (word === 'initrd') entry.initrd = value;
    else if (word === 'module') entry.modules.push(value);
  }
  return {
    items: entries.map((entry) => itemOf(files, file, entry)),
    preferred: /^\d{1,4}$/.test(preferred) ? preferred : '',
  };
}

function itemOf(files: Files, file: FileRef, entry: Entry): Item {
  return {
    title: entry.title,
    ids: [],
    async open(): Promise<Target> {
      const where = `${file.path}: the entry ${JSON.stringify(entry.title)}`;
      const root = /^\(([^()]*)\)/.exec(entry.root)?.[1];
      const volume = root === undefined ? undefined : findVolume(files.volumes, root, 0);
      // A disk that was partitioned anew since, or a partition that is the whole disk now: where the menu is.
      const here = volume?.device ?? file.volume;
      const ref = (name: string): FileRef => {
        const found =
          fileRef(files.volumes, name, here, 0) ?? fileRef(files.volumes, name.replace(/^\([^()]*\)/, ''), here);
        if (!found) throw nothing(`${where} names ${JSON.stringify(name)}, which is no path`);
        return found;
      };
      const hypervisor = entry.modules.length > 0 && /[/)]xen[^/\s]*(\s|$)/.test(entry.kernel);
      const [line = '', ramdisk = ''] = hypervisor ? entry.modules : [entry.kernel, entry.initrd];
      const [kernel = '', ...args] = line.split(/\s+/).filter((word) => !/^--(type|no-mem-option)/.test(word));
      if (kernel === '') throw nothing(`${where} starts no kernel`);
      const [first = ''] = ramdisk.split(/\s+/);
      return { kernel: ref(kernel), ramdisks: first === '' ? [] : [ref(first)], cmdline: args.join(' ') };
    },
  };
}
