/**
 * Layers become one in the background, one pair of a repository at a time. Whoever wants a disk on them has the way at once:
 *
 *     chosen (in the repository's turn) ──▶ written together ──▶ renamed (in its turn) ──▶ next
 *                                                └──somebody wants a disk on them──▶ given up: nothing has changed
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Log } from '../base/log.ts';
import { type Call, isKind } from '../contracts/contract.ts';
import { storageErrors } from '../contracts/storage.ts';
import type { Merge } from './driver.ts';
import type { Repositories } from './repositories.ts';
import type { Uses } from './uses.ts';

export interface MergeGround {
  readonly repositories: Repositories;
  readonly uses: Uses;
  /** Tells watchers that a disk changed. */
  readonly changed: (sr: string, vdi: string) => void;
  readonly log: Log;
  /** Aborted when storage closes. */
  readonly closing: AbortSignal;
}
interface Running {
  readonly merge: Merge;
  readonly stop: AbortController;
  /** Settles when nothing is being written any more. */
  readonly written: Promise<void>;
}

export class Merges {
  readonly #ground: MergeGround;
  readonly #running = new Map<string, Running>();
  /** Repositories → how many want a disk now. */
  readonly #wanted = new Map<string, number>();

  constructor(ground: MergeGround) {
    this.#ground = ground;
  }
  /** Does `work` on a disk, which no merge touches meanwhile; null: on all disks of the repository. */
  async aside<T>(sr: string, vdi: string | null, work: () => Promise<T>): Promise<T> {
    this.#wanted.set(sr, (this.#wanted.get(sr) ?? 0) + 1);
    try {
      const running = this.#running.get(sr);
      if (running && (vdi === null || running.merge.disks.includes(vdi))) {
        running.stop.abort();
        await Promise.allSettled([running.written]);
      }
      return await work();
    } finally {
      const left = (this.#wanted.get(sr) ?? 1) - 1;
      if (left > 0) this.#wanted.set(sr, left);
      else this.#wanted.delete(sr);
    }
  }
  /** In the repository's turn: merges what is quick. */
  async tidy(sr: string): Promise<void> {
    if (this.#running.has(sr)) return;
    await bestEffort('layers that stay are made one later', this.#ground.log, async () => {
      for (let merge = await this.#next(sr, true); merge; merge = await this.#next(sr, true)) {
        await merge.commit();
        await merge.finish();
      }
    });
  }
  /** Merges until nothing is left, or somebody wants a disk. */
  async run(sr: string, call: Call = {}): Promise<{ merged: number }> {
    const { repositories, closing, changed } = this.#ground;
    for (let merged = 0; ; merged++) {
      const running = await repositories.serial(sr, () => this.#begin(sr, call));
      if (!running) return { merged };
      const { merge, stop, written } = running;
      const give = () => stop.abort();
      for (const signal of [call.signal, closing]) signal?.addEventListener('abort', give, { once: true });
      try {
        await written;
        await repositories.serial(sr, async () => {
          if (stop.signal.aborted) throw storageErrors.make('Cancelled');
          await merge.finish();
        });
        for (const vdi of merge.disks) changed(sr, vdi);
      } catch (error) {
        if (!isKind(error, 'Cancelled') || call.signal?.aborted) throw error;
        return { merged };
      } finally {
        this.#running.delete(sr);
        for (const signal of [call.signal, closing]) signal?.removeEventListener('abort', give);
      }
    }
  }
  async #begin(sr: string, call: Call): Promise<Running | undefined> {
    call.signal?.throwIfAborted();
    if (this.#running.has(sr) || this.#wanted.has(sr) || this.#ground.closing.aborted) return undefined;
    const merge = await this.#next(sr, false);
    if (!merge || this.#wanted.has(sr)) return undefined;
    const stop = new AbortController();
    const { progress } = call;
    const written = merge.commit({ signal: stop.signal, ...(progress ? { progress } : {}) });
    written.catch(() => undefined); // told by whoever waits for it
    const running = { merge, stop, written };
    // Nothing is waited for since nobody wanted a disk: whoever does from now on finds it running.
    this.#running.set(sr, running);
    progress?.(0);
    return running;
  }
  async #next(sr: string, quick: boolean): Promise<Merge | undefined> {
    const { repositories, uses } = this.#ground;
    return repositories.find(sr)?.repository.nextMerge?.((vdi) => uses.of(sr, vdi).length === 0, quick);
  }
}
