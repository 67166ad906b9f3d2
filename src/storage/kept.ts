/** What uploads that were cut off have written, one for each disk, until somebody goes on with it or an hour has passed. */
import type { Clock } from '../base/clock.ts';
import { storageErrors } from '../contracts/storage.ts';
import type { Staged } from './driver.ts';

interface Disk {
  readonly sr: string;
  readonly vdi: string;
}
interface Entry {
  readonly staged: Staged;
  readonly bytes: number;
  readonly forget: () => void;
}
const patienceMs = 3_600_000;
const keyOf = ({ sr, vdi }: Disk): string => `${sr}/${vdi}`;

export class Kept {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  constructor(clock: Clock) {
    this.#clock = clock;
  }
  bytes(disk: Disk): number {
    return this.#entries.get(keyOf(disk))?.bytes ?? 0;
  }
  put(disk: Disk, staged: Staged, bytes: number): void {
    const forget = this.#clock.after(patienceMs, () => void this.drop(disk));
    this.#entries.set(keyOf(disk), { staged, bytes, forget });
  }
  /** Hands it over to an upload that begins at `offset`; undefined for one that begins at 0, which throws away what was kept. */
  async take(disk: Disk, offset: number): Promise<Staged | undefined> {
    const entry = this.#entries.get(keyOf(disk));
    if (offset === 0) {
      await this.drop(disk);
      return undefined;
    }
    const now = entry
      ? `the upload that was cut off goes on at ${entry.bytes}`
      : 'no upload of it was kept: begin at 0';
    if (entry?.bytes !== offset) throw storageErrors.make('Bad_data', { reason: `it begins at ${offset}; ${now}` });
    this.#entries.delete(keyOf(disk));
    entry.forget();
    return entry.staged;
  }
  async drop(disk: Disk): Promise<void> {
    const entry = this.#entries.get(keyOf(disk));
    if (!entry) return;
    this.#entries.delete(keyOf(disk));
    entry.forget();
    await entry.staged.discard();
  }
  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { staged, forget } of entries) {
      forget();
      await staged.discard();
    }
  }
}
