/** How names of D-Bus become names of a language. */

/** `read_binary`, `start-on-boot` and `com.citrix.db` → `ReadBinary`, `StartOnBoot`, `ComCitrixDb`. */
export const upperCamel = (name: string): string =>
  name.replace(/(?:^|[._-]+)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase()).replace(/[._-]/g, '');
/** `read_binary` → `readBinary`. */
export function lowerCamel(name: string): string {
  const camel = upperCamel(name);
  return camel.slice(0, 1).toLowerCase() + camel.slice(1);
}
/** `NetworkDaemon` and `network_daemon` → `network-daemon`. */
export const kebab = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[._]/g, '-')
    .toLowerCase();

/** Names that a variable cannot have. */
const reserved: ReadonlySet<string> = new Set(
  `await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements
  import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var
  void while with yield arguments eval caller bus`.split(/\s+/),
);
/** Names of arguments, in their order: usable as variables, each once; those without a name are counted. */
export function argumentNames(list: readonly { readonly name: string }[]): string[] {
  const used = new Set<string>();
  return list.map(({ name }, i) => {
    let found = lowerCamel(name.replace(/[^A-Za-z0-9_.-]/g, '')) || `arg${i + 1}`;
    if (/^[0-9]/.test(found)) found = `arg${found}`;
    while (reserved.has(found) || used.has(found)) found += '_';
    used.add(found);
    return found;
  });
}
