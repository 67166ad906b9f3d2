/** What a running command has: the caller's session, what was typed, and the client's screen. */
import type { Log } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { messageNamed } from '../../client/client.ts';
import { runTask } from '../../client/events.ts';
import { type Request, XeError } from './arguments.ts';
import { cellOf, type Item, labelOf } from './cells.ts';
import { type Peek, Reader } from './reader.ts';
import type { RecordKind, Row } from './record.ts';
import type { Screen } from './screen.ts';
import { type Cell, minimalText, padded, recordText, textOf } from './table.ts';

export interface WorkParts {
  readonly client: Client;
  readonly request: Request;
  readonly screen: Screen;
  readonly log: Log;
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
  readonly version: string;
  readonly peek?: Peek;
}

export class Work {
  readonly client: Client;
  readonly request: Request;
  readonly screen: Screen;
  readonly log: Log;
  readonly gone: AbortSignal;
  readonly version: string;
  readonly reader: Reader;

  constructor(parts: WorkParts) {
    this.client = parts.client;
    this.request = parts.request;
    this.screen = parts.screen;
    this.log = parts.log;
    this.gone = parts.gone;
    this.version = parts.version;
    this.reader = new Reader(parts.client.$, parts.peek);
  }

  // ---- printing

  print(text: string): void {
    this.screen.print(text);
  }
  /** One value by itself. */
  printCell(cell: Cell): void {
    this.print(this.request.json ? JSON.stringify(cell.json) : textOf(cell.shown));
  }
  /** Several plain values: a line each, or on one line with `--minimal`. */
  printList(values: readonly string[]): void {
    if (this.request.json) this.print(JSON.stringify(values));
    else if (this.request.minimal) this.print(minimalText(values));
    else for (const value of values) this.print(value);
  }
  /** Made-up records: pairs of label and value. */
  printTables(tables: readonly (readonly (readonly [string, string])[])[]): void {
    if (this.request.json) this.print(JSON.stringify(tables.map((t) => Object.fromEntries(t))));
    else if (this.request.minimal) this.print(minimalText(tables.map((t) => t[0]?.[1] ?? '')));
    else
      for (const t of tables) {
        const labels = padded(t.map(([label]) => label));
        this.print(
          `${recordText(
            labels,
            t.map(([, text]) => text),
          )}\n`,
        );
      }
  }
  /** Records of a class. `full`: expensive fields too. */
  async printRecords(kind: RecordKind, items: readonly Item[], rows: readonly Row[], full: boolean): Promise<void> {
    const shownRows = this.request.minimal && !this.request.json ? rows.slice(0, 1) : rows;
    const asked = (row: Row) => full || this.request.json || !row.expensive;
    const out: Cell[][] = [];
    for (const item of items) {
      const cells: Cell[] = [];
      for (const row of shownRows) {
        const cell = asked(row) ? cellOf(this.reader, kind, row, item) : expensive;
        cells.push(cell instanceof Promise ? await cell : cell);
      }
      out.push(cells);
    }
    if (this.request.json) {
      const objects = out.map((cells) => Object.fromEntries(cells.map((c, i) => [shownRows[i]?.name ?? '', c.json])));
      this.print(JSON.stringify(objects, undefined, 2));
    } else if (this.request.minimal)
      this.print(minimalText(out.map((cells) => (cells[0] ? textOf(cells[0].shown) : ''))));
    else {
      const labels = padded(shownRows.map(labelOf));
      for (const cells of out)
        this.print(
          `${recordText(
            labels,
            cells.map((c) => textOf(c.shown)),
          )}\n`,
        );
    }
  }
  /** The uuid of an object that a command has made. */
  async printUuid(cls: string, ref: string): Promise<void> {
    this.print(String(await this.client.$.call(`${cls}.get_uuid`, { self: ref })));
  }

  // ---- calling

  /** A call that may take long: with `--progress` it runs as a task whose progress is shown. Answers the result. */
  async run(method: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (!this.request.progress || messageNamed(method).sync) return this.client.$.call(method, args);
    let last = -1;
    const onProgress = (fraction: number) => {
      const percent = Math.floor(fraction * 100);
      if (percent === last) return;
      last = percent;
      this.screen.printError(`\r${method} ${percent} %`);
      void this.screen.flush().catch(() => undefined);
    };
    try {
      return await runTask(this.client, method, args, { onProgress });
    } finally {
      this.screen.printError('\n');
    }
  }
  /** Asks for a yes; anything else ends the command. Not asked with `--force`. */
  async confirm(text: string): Promise<void> {
    if (this.request.force) return;
    this.screen.print(text);
    this.screen.print("Type 'yes' to continue");
    const said = (await this.screen.prompt()).trim().toLowerCase();
    if (said !== 'yes' && said !== 'y') throw new XeError('Nothing was done: the answer was not yes');
  }
}

const expensive: Cell = { shown: '<expensive field>', json: null };
