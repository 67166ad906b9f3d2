/** What is known of a disk beside its bytes, in `<vdi>.json`, so that a folder can be taken to another host. */
import { readFile } from 'node:fs/promises';
import { isAbsent, writeDurably } from '../../durable.ts';

export interface Sidecar {
  readonly name: string;
  readonly description: string;
  readonly snapshotOf: string | null;
}
const text = (v: unknown): string => (typeof v === 'string' ? v : '');

/** The sidecar; an absent or damaged one is empty: the disk itself is worth more than its name. */
export async function readSidecar(path: string): Promise<Sidecar> {
  let found: Partial<Sidecar> = {};
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value === 'object' && value !== null) found = value;
  } catch (error) {
    if (!isAbsent(error) && !(error instanceof SyntaxError)) throw error;
  }
  const snapshotOf = typeof found.snapshotOf === 'string' ? found.snapshotOf : null;
  return { name: text(found.name), description: text(found.description), snapshotOf };
}
export const writeSidecar = (path: string, temporary: string, sidecar: Sidecar): Promise<void> =>
  writeDurably(path, temporary, JSON.stringify(sidecar));
