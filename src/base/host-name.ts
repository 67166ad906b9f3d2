/** Names of guests in DHCP and DNS: labels made of whatever a VM is called. */

const longest = 63;
/** What dnsmasq would take for the duration of a lease or another of its own words. */
const misread = /^(\d+[smhdw]?|infinite|ignore)$/;

/** A DNS label that reads like `name`: `web-1` for `Web #1`. One made of the VM's id when nothing of the name can stay. */
export function hostLabel(name: string, vm: string): string {
  const label = cleaned(name.slice(0, 1000));
  if (label === '') return cleaned(`vm-${vm.slice(0, 8)}`);
  return misread.test(label) ? cleaned(`vm-${label}`) : label;
}
function cleaned(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, longest)
    .replace(/-$/, '');
}
/** `wish`, or `wish-2`, `wish-3`, … when it is taken: the one that it had before, if that is still possible. */
export function uniqueLabel(wish: string, taken: ReadonlySet<string>, before?: string): string {
  const free = (label: string) => label !== 'localhost' && !taken.has(label);
  const numbered = (n: number) => `${wish.slice(0, longest - 1 - String(n).length).replace(/-$/, '')}-${n}`;
  if (free(wish)) return wish;
  const number = Number(/-(\d{1,6})$/.exec(before ?? '')?.[1] ?? 0);
  if (before !== undefined && number > 1 && before === numbered(number) && free(before)) return before;
  let n = 2;
  while (!free(numbered(n))) n++;
  return numbered(n);
}
