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

/** Labels of a record padded for printing: right aligned to the longest plus four, the first one left aligned. */
export function padded(labels: readonly string[]): readonly string[] {
  const width = 4 + Math.max(0, ...labels.map((l) => l.length));
  return labels.map((l, i) => `${i === 0 ? l.padEnd(width) : l.padStart(width)}: `);
}

/** A record, a line per value; `labels` are padded ones. */
export function recordText(labels: readonly string[], values: readonly string[]): string {
  let text = '';
  for (let i = 0; i < labels.length; i++) text += `${labels[i]}${values[i]}\n`;
  return text;
}

/** `--minimal`: values on one line, comma between them, commas and backslashes escaped. */
export const minimalText = (values: readonly string[]): string =>
  values.map((v) => v.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',');
