/** Lists for people: columns padded to their widest cell, the first ones left, numbers right. */
export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string;
  readonly right?: boolean;
  /** At least so wide. */
  readonly width?: number;
}
export function tableText<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = [columns.map((c) => c.head), ...rows.map((row) => columns.map((c) => c.cell(row)))];
  const widths = columns.map((c, i) => Math.max(c.width ?? 0, ...cells.map((line) => line[i]?.length ?? 0)));
  const line = (parts: readonly string[]) =>
    parts
      .map((text, i) => (columns[i]?.right ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${cells.map(line).join('\n')}\n`;
}
