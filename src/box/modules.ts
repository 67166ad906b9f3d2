/** Which drivers of a kernel package go into the box: those of `box/modules.txt` with all that they need. */
import { BoxProblem } from './problem.ts';

/** Names of a list, one a line: without comments, the word `load`, and the difference between `-` and `_`. */
export const moduleNames = (list: string): string[] =>
  lines(list).map((line) => moduleName(line.replace(/^load\s+/, '')));
/** The lines of a list without comments. */
export const lines = (list: string): string[] =>
  list
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
/** `kernel/net/8021q.ko.xz` → `8021q` */
export const moduleName = (path: string): string =>
  (path.split('/').at(-1) ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');

/**
 * The files of the wanted modules, each after those that it needs. `dep` is `modules.dep` as depmod writes it (`FILE: NEEDED…`, the
 * last named is loaded first), `builtin` is `modules.builtin`. A name that is in neither is refused: it would be missed at run time.
 */
export function pickModules(dep: string, builtin: string, wanted: readonly string[]): string[] {
  const files = new Map<string, { readonly file: string; readonly needs: readonly string[] }>();
  for (const line of lines(dep)) {
    const [file = '', needs = ''] = line.split(':');
    files.set(moduleName(file), { file, needs: needs.split(' ').filter(Boolean).reverse() });
  }
  const present = new Set(lines(builtin).map(moduleName));
  const missing = wanted.filter((name) => !files.has(name) && !present.has(name));
  if (missing.length > 0) throw new BoxProblem(`the kernel has no driver ${missing.join(', ')}; see box/modules.txt`);
  const picked = new Set<string>();
  for (const name of wanted) {
    const found = files.get(name);
    for (const file of found ? [...found.needs, found.file] : []) picked.add(file);
  }
  return [...picked];
}
