/** Files of a folder as nodes of the database below `/dom-store`: their names are the nodes' names, what they hold is read over the bus. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TreeError } from './tree.ts';

const home = '/dom-store';
/** D-Bus takes no longer arrays. */
const longestFile = 1 << 26;
const mostFiles = 10_000;

export class Files {
  /** Path of the node → of the file; undefined for a folder. */
  readonly #nodes = new Map<string, string | undefined>();

  /** What is in `folder` now; links are left out. Undefined: there are no files. */
  constructor(folder: string | undefined) {
    if (folder === undefined) return;
    this.#nodes.set(home, undefined);
    this.#scan(folder, home);
  }
  #scan(folder: string, at: string): void {
    for (const name of readdirSync(folder).sort()) {
      const [path, node] = [join(folder, name), `${at}/${name}`];
      const stat = lstatSync(path);
      if (this.#nodes.size >= mostFiles) throw new TreeError(`${folder}: more than ${mostFiles} files and folders`);
      if (stat.isFile()) this.#nodes.set(node, path);
      if (!stat.isDirectory()) continue;
      this.#nodes.set(node, undefined);
      this.#scan(path, node);
    }
  }
  /** The file of a node; undefined when it is none. */
  at(path: string): string | undefined {
    return this.#nodes.get(path);
  }
  has(path: string): boolean {
    return this.#nodes.has(path);
  }
  /** Names directly below. */
  list(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    return [...this.#nodes.keys()].flatMap((each) =>
      each.startsWith(prefix) && !each.includes('/', prefix.length) ? [each.slice(prefix.length)] : [],
    );
  }
  /** Refuses to change a file, or what would be below one. */
  refuseChange(path: string): void {
    const names = path.split('/').slice(1);
    for (let n = 1; n <= names.length; n++) {
      const file = this.at(`/${names.slice(0, n).join('/')}`);
      if (file !== undefined) throw new TreeError(`${path}: it is the file ${file}, which is not changed from here`);
    }
  }
  /** Throws when the node is no file, or it cannot be read. */
  content(path: string): Buffer {
    const file = this.at(path);
    if (file === undefined) throw new TreeError(`${path}: not a binary node`);
    const { size } = lstatSync(file);
    if (size > longestFile) throw new TreeError(`${path}: ${size} bytes; at most ${longestFile} go over the bus`);
    return readFileSync(file);
  }
}
