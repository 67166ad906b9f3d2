/**
 * The grammar of xenvm's configuration files: one `key = value` a line. Blanks around line, key and value are no part of them;
 * empty lines, lines that begin with `#` and lines without `=` say nothing; there is no quoting and no continuation.
 */

/** Bytes of a file that are read at most. */
export const longestFile = 1 << 20;

export interface XenvmSetting {
  readonly key: string;
  readonly value: string;
  readonly line: number;
  /** Where the key begins, and where its value does; from 1. */
  readonly column: number;
  readonly valueColumn: number;
}
/** Something wrong in a value: `offset` counts its characters from 0. */
export class Mistake extends Error {
  override readonly name = 'Mistake';
  readonly offset: number;
  constructor(offset: number, why: string) {
    super(why);
    this.offset = offset;
  }
}
/** Everything that is wrong with a file, one `FILE:LINE:COLUMN: key: why` a line. */
export class XenvmError extends Error {
  override readonly name = 'XenvmError';
}

/** In the order of the file. */
export function settingsOf(text: string): XenvmSetting[] {
  const settings: XenvmSetting[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const begin = line.search(/[^ \t\r]/);
    const equals = line.indexOf('=');
    if (begin < 0 || line[begin] === '#' || equals < 0) continue;
    const rest = line.slice(equals + 1);
    const value = trim(rest);
    const valueColumn = equals + 2 + (value === '' ? 0 : rest.indexOf(value));
    settings.push({ key: trim(line.slice(0, equals)), value, line: i + 1, column: begin + 1, valueColumn });
  }
  return settings;
}
const trim = (text: string): string => text.replace(/^[ \t\r]+|[ \t\r]+$/g, '');

/** Parts between separators, each with its offset. */
export interface Part {
  readonly text: string;
  readonly offset: number;
}
export function partsOf(text: string, separator: string, base = 0): Part[] {
  const parts: Part[] = [];
  let offset = base;
  for (const part of text.split(separator)) {
    parts.push({ text: part, offset });
    offset += part.length + separator.length;
  }
  return parts;
}
/** Whole numbers, decimal or as 0x…, 0o…, 0b…. */
export function parseInteger(text: string): number | undefined {
  if (!/^-?([0-9]{1,15}|0x[0-9a-f]{1,12}|0o[0-7]{1,16}|0b[01]{1,48})$/i.test(text)) return undefined;
  const n = Number(text.replace('-', ''));
  return text.startsWith('-') ? -n : n;
}
/** `1 y yes true`, `0 n no false`, in any case. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(1|y|yes|true)$/i.test(text)) return true;
  return /^(0|n|no|false)$/i.test(text) ? false : undefined;
}
