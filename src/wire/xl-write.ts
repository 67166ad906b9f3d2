/** Values as xl files write them. */

/** In single quotes; what they cannot hold is escaped. */
export function xlString(text: string): string {
  const escaped = text.replace(/[\\'\0-\x1f]/g, (c) => {
    if (c === '\\' || c === "'") return `\\${c}`;
    return c === '\n'
      ? '\\n'
      : c === '\t'
        ? '\\t'
        : c === '\r'
          ? '\\r'
          : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `'${escaped}'`;
}
export type XlWritten = string | number | boolean | readonly string[];
/** A line per setting; what is undefined is left out. Strings are quoted, lists are of strings. */
export function writeXl(settings: Readonly<Record<string, XlWritten | undefined>>): string {
  let text = '';
  for (const [key, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    text += `${key} = ${written(value)}\n`;
  }
  return text;
}
function written(value: XlWritten): string {
  if (typeof value === 'string') return xlString(value);
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value.length < 2) return `[ ${value.map(xlString).join()} ]`;
  return `[\n${value.map((item) => `  ${xlString(item)},\n`).join('')}]`;
}
