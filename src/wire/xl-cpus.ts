/** `cpus = "0-3,^1"`: which processors of the host a guest's CPUs may run on. */
import type { Refuse } from './xl-elements.ts';

const most = 4095;

/** The processors, growing; undefined for `all`. `nodes:` needs to know the host and is refused. */
export function parseXlCpus(text: string, refuse: Refuse): readonly number[] | undefined {
  const chosen = new Set<number>();
  let all = false;
  let index = 0;
  for (const raw of text.split(',')) {
    const part = raw.trim();
    const at = index + raw.indexOf(part);
    index += raw.length + 1;
    if (/^\^?nodes?:/.test(part)) throw refuse(at, `"${part}": nodes are not supported; name the processors`);
    if (part === 'all') {
      all = true;
      continue;
    }
    const [, not, from, to] = /^(\^?)([0-9]{1,4})(?:-([0-9]{1,4}))?$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to ?? from)];
    if (from === undefined || !(first <= last) || last > most)
      throw refuse(at, `"${part}" is no processor or range of them: 0-3,5,^1`);
    if (all && not !== '') throw refuse(at, `"${part}": what is left of all depends on the host; name the processors`);
    for (let cpu = first; cpu <= last; cpu++) not === '' ? chosen.add(cpu) : chosen.delete(cpu);
  }
  if (all) return undefined;
  if (chosen.size === 0) throw refuse(0, `"${text}" leaves no processor`);
  return [...chosen].sort((a, b) => a - b);
}
/** `[0,1,2,5]` as `0-2,5`. */
export function cpusText(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cpus.length; i++) {
    const first = cpus[i] ?? 0;
    while (cpus[i + 1] === (cpus[i] ?? 0) + 1) i++;
    const last = cpus[i] ?? 0;
    parts.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return parts.join();
}
