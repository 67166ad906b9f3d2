/**
 * That a session lives: a message under its token that expires unless it is repeated. Transient queues whose token nobody holds
 * any more are removed by whoever notices, each live session being asked to look now and then.
 *
 *     taken ──repeated every third of its time──▶ taken ──release──▶ released
 *       └──could not be repeated in time──▶ lost: `onLost`, once
 */
import { DiscardPolicy, type JetStreamClient, type JetStreamManager, StorageType } from '@nats-io/jetstream';
import { bestEffort } from '../../base/best-effort.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { type Names, parseNote } from './names.ts';
import { codes, isCode } from './streams.ts';

/** Seconds. */
export const usualLeaseS = 30;

export interface LeaseParts {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly names: Names;
  readonly replicas: number;
  /** A session that was not heard of for so long is over, seconds. */
  readonly leaseS: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onLost: () => void;
}

export class Lease {
  readonly #parts: LeaseParts;
  readonly #owner: string;
  readonly #subject: string;
  readonly #stop = new AbortController();
  #ended: Promise<void> | undefined;

  /** `owner`: the hash of the token; `holder`: unique among all sessions. */
  constructor(parts: LeaseParts, owner: string, holder: string) {
    this.#parts = parts;
    this.#owner = owner;
    this.#subject = parts.names.holder(owner, holder);
  }
  async take(): Promise<void> {
    const { js, jsm } = this.#parts;
    try {
      await jsm.streams.add(this.#stream);
    } catch (error) {
      // It is there already, for another number of replicas.
      if (!isCode(error, codes.otherStream)) throw error;
    }
    await js.publish(this.#subject, '');
    this.#ended = this.#keep();
  }
  get #stream() {
    const { names, replicas, leaseS } = this.#parts;
    return {
      name: names.sessions,
      subjects: [names.everySession],
      storage: StorageType.Memory,
      max_msgs_per_subject: 1,
      max_age: leaseS * 1e9,
      discard: DiscardPolicy.Old,
      num_replicas: replicas,
    };
  }
  /** No longer repeated. */
  stop(): void {
    this.#stop.abort();
  }
  /** Removes the token's transient queues when nobody else holds it. */
  async release(): Promise<void> {
    const { jsm, names } = this.#parts;
    this.stop();
    await this.#ended;
    await jsm.streams.purge(names.sessions, { filter: this.#subject });
    await this.#reap((owner) => owner === this.#owner);
  }
  async #keep(): Promise<void> {
    const { clock, js, log, leaseS, onLost } = this.#parts;
    const { signal } = this.#stop;
    for (let heard = clock.now(); !signal.aborted; ) {
      await clock.sleep((leaseS * 1000) / 3, signal).catch(() => undefined); // release ends the pause
      if (signal.aborted) return;
      const asked = clock.now();
      const told = await bestEffort('it is tried again', log, () => js.publish(this.#subject, ''));
      // Whoever came back after too long has lost its queues to the others.
      if (clock.now() - heard > leaseS * 1000) return onLost();
      if (told) heard = asked;
      await bestEffort('somebody else looks too', log, () => this.#reap(() => true));
    }
  }
  /** Of the owners that `which` names. */
  async #reap(which: (owner: string) => boolean): Promise<void> {
    const { jsm, names } = this.#parts;
    const gone = new Map<string, boolean>();
    for await (const { config } of jsm.streams.list(names.everyQueue)) {
      const owner = parseNote(config.description)?.owner;
      if (owner === undefined || !which(owner)) continue;
      if (!gone.has(owner)) gone.set(owner, !(await this.#isHeld(owner)));
      if (gone.get(owner)) await jsm.streams.delete(config.name);
    }
  }
  async #isHeld(owner: string): Promise<boolean> {
    const { jsm, names } = this.#parts;
    const { state } = await jsm.streams.info(names.sessions, { subjects_filter: names.holdersOf(owner) });
    return Object.keys(state.subjects ?? {}).length > 0;
  }
}
