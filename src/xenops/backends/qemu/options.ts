/** QEMU's option syntax: where a value ends at a comma, a comma in it is doubled. */

/** A value inside `key=value,key=value`. Control characters other than newline and tab cannot be in arguments: see `checkArgument`. */
export const escapeValue = (value: string): string => value.replaceAll(',', ',,');

/** `name,key=value,…`; undefined members are left out, lists repeat their key, booleans are on and off. */
export function options(
  first: string,
  members: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): string {
  const parts = first === '' ? [] : [escapeValue(first)];
  for (const [key, value] of Object.entries(members)) {
    if (value === undefined) continue;
    for (const v of Array.isArray(value) ? value : [value])
      parts.push(`${key}=${escapeValue(typeof v === 'boolean' ? (v ? 'on' : 'off') : String(v))}`);
  }
  return parts.join(',');
}

/** Splits what `options` made, as QEMU does. The inverse, for tests and for reading logs. */
export function parseOptions(text: string): [string, string][] {
  const parts: string[] = [];
  let current = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== ',') current += text[i];
    else if (text[i + 1] === ',') {
      current += ',';
      i++;
    } else {
      parts.push(current);
      current = '';
    }
  }
  parts.push(current);
  return parts.map((part, i) => {
    const at = part.indexOf('=');
    return at < 0 || (i === 0 && !/^[a-z-]+=/.test(part)) ? ['', part] : [part.slice(0, at), part.slice(at + 1)];
  });
}
