/** How records and lists are printed. */

export type Shown = string | readonly string[] | ReadonlyMap<string, string>;

/** One value of a record: as text for people, as JSON for programs. */
export interface Cell {
  readonly shown: Shown;
  readonly json: unknown;
}

export const notInDatabase: Cell = { shown: '<not in database>', json: null };
export const textCell = (text: string): Cell => ({ shown: text, json: text });

/** Sets as `a; b`, maps as `k: v; k: v`. */
export function textOf(shown: Shown): string {
  if (typeof shown === 'string') return shown;
  if (shown instanceof Map) return [...(shown as ReadonlyMap<string, string>)].map(([k, v]) => `${k}: ${v}`).join('; ');
  return (shown as readonly string[]).join('; ');
}

export interface Line {
  readonly label: string;
  readonly text: string;
}

/** A record: labels right aligned to the longest plus four, the first one left aligned; an empty line after it. */
export function recordText(lines: readonly Line[]): string {
  const width = 4 + Math.max(0, ...lines.map((l) => l.label.length));
  return lines.map((l, i) => `${i === 0 ? l.label.padEnd(width) : l.label.padStart(width)}: ${l.text}\n`).join('');
}

/** `--minimal`: values on one line, comma between them, commas and backslashes escaped. */
export const minimalText = (values: readonly string[]): string =>
  values.map((v) => v.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',');
