/** From a row and an object to the cell that is printed. */
import { messageNamed } from '../../client/client.ts';
import { ApiError } from '../../datamodel/errors.ts';
import { derived } from './derived.ts';
import type { Reader, Rec } from './reader.ts';
import type { RecordKind, Row } from './record.ts';
import { type Cell, notInDatabase, textCell } from './table.ts';

export interface Item {
  readonly ref: string;
  readonly rec: Rec;
}

/** The cell of one row. Values that a call cannot give print as `<unknown>`. */
export function cellOf(reader: Reader, kind: RecordKind, row: Row, item: Item): Cell | Promise<Cell> {
  if (row.derived || row.call) return asked(reader, kind, row, item);
  const found = reader.at(kind.cls, item.rec, row.path);
  const cell = (f: Awaited<typeof found>) => (f ? setOfValues(row, reader.show(f.type, f.value)) : notInDatabase);
  return found instanceof Promise ? found.then(cell) : cell(found);
}

/** A map that the command line treats as a set (`current-operations`) shows its values. */
function setOfValues(row: Row, cell: Cell | Promise<Cell>): Cell | Promise<Cell> {
  if (row.kind !== 'set') return cell;
  const values = (c: Cell): Cell =>
    c.shown instanceof Map ? { shown: [...c.shown.values()], json: Object.values(c.json as Rec) } : c;
  return cell instanceof Promise ? cell.then(values) : values(cell);
}

async function asked(reader: Reader, kind: RecordKind, row: Row, item: Item): Promise<Cell> {
  try {
    if (row.call) {
      const m = messageNamed(row.call);
      const self = Object.keys(m.params)[0];
      const value = await reader.caller.call(row.call, self ? { [self]: item.ref } : {});
      return await reader.show(m.result, value);
    }
    const derive = derived[`${kind.cls}.${row.name}`];
    if (!derive) throw new TypeError(`${kind.cls}.${row.name} is declared as derived and is not in derived.ts`);
    return await derive(reader, item);
  } catch (error) {
    // one value that cannot be had must not hide the others
    if (error instanceof ApiError) return { ...textCell('<unknown>'), json: null };
    throw error;
  }
}

/** `name-label ( RW)`: the name and how it may be written. */
export function labelOf(row: Row): string {
  const kind = row.kind === 'scalar' ? ' ' : row.kind === 'set' ? 'S' : 'M';
  const mark = `(${kind}${row.writable ? 'RW' : 'RO'})`;
  return `${row.name} ${mark}${row.deprecated ? ' [DEPRECATED]' : ''}`;
}
