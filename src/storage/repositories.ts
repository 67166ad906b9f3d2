/**
 * The repositories that are attached. What is attached is kept in the store and attached again at start.
 *
 *     (none) ──create──▶ attached ◀──attach── known ──(start: folder is gone)──▶ known, not attached
 *                           └────detach, destroy────▶ (none)
 */

import { isUuid } from '../base/ids.ts';
import { KeyedQueue } from '../base/queue.ts';
import { storageErrors } from '../contracts/storage.ts';
import type { Capability, Config, Driver, Ground, Repository } from './driver.ts';
import type { Rows } from './uses.ts';

export interface Attached {
  readonly sr: string;
  readonly driver: Driver;
  readonly config: Config;
  readonly repository: Repository;
}
const table = 'storage.repositories';

export class Repositories {
  readonly #drivers: Readonly<Record<string, Driver>>;
  readonly ground: Ground;
  readonly #rows: Rows;
  readonly #attached = new Map<string, Attached>();
  readonly #queue = new KeyedQueue(16);

  constructor(drivers: Readonly<Record<string, Driver>>, ground: Ground, rows: Rows) {
    this.#drivers = drivers;
    this.ground = ground;
    this.#rows = rows;
  }
  /** Runs `work` after all earlier work on the same repository. */
  serial<T>(sr: string, work: () => Promise<T>): Promise<T> {
    return this.#queue.push(sr, async () => work());
  }
  driver(type: string): Driver {
    const driver = Object.hasOwn(this.#drivers, type) ? this.#drivers[type] : undefined;
    if (!driver) throw storageErrors.make('Unknown_type', { type, known: Object.keys(this.#drivers).join(', ') });
    return driver;
  }
  /** Attaches again what was attached; a repository that is not there is logged and left for `attach`. */
  async restore(): Promise<void> {
    for await (const [sr, { type, config }] of this.#rows.load<{ type: string; config: Config }>(table)) {
      try {
        const driver = this.driver(type);
        this.#attached.set(sr, { sr, driver, config, repository: await driver.attach(this.ground, sr, config) });
      } catch (error) {
        this.ground.log.warn('a repository cannot be attached', { sr, type, error: String(error) });
      }
    }
  }
  find(sr: string): Attached | undefined {
    return this.#attached.get(sr);
  }
  get(sr: string): Attached {
    const found = this.find(sr);
    if (!found) throw storageErrors.make('Sr_not_attached', { sr });
    return found;
  }
  list(): readonly Attached[] {
    return [...this.#attached.values()];
  }
  async create(sr: string, type: string, config: Config): Promise<void> {
    requireUuid('sr', sr);
    if (this.#attached.has(sr)) throw storageErrors.make('Already_exists', { what: 'repository', id: sr });
    await this.driver(type).create(this.ground, sr, config);
    await this.attach(sr, type, config);
  }
  async attach(sr: string, type: string, config: Config): Promise<void> {
    requireUuid('sr', sr);
    const driver = this.driver(type);
    const now = this.#attached.get(sr);
    if (now) {
      const same = now.driver === driver && JSON.stringify(now.config) === JSON.stringify(config);
      if (same) return;
      throw storageErrors.make('Already_exists', { what: 'repository with another configuration', id: sr });
    }
    const repository = await driver.attach(this.ground, sr, config);
    await this.#rows.put(table, sr, { type, config });
    this.#attached.set(sr, { sr, driver, config, repository });
  }
  /** Forgets it, attached or not. */
  async detach(sr: string): Promise<void> {
    await this.#rows.remove(table, sr);
    this.#attached.delete(sr);
  }
}
/** Refuses (Bad_config) an id that is no UUID in lower case: ids become file names. */
export function requireUuid(key: string, id: string): void {
  if (isUuid(id) && id === id.toLowerCase()) return;
  throw storageErrors.make('Bad_config', { key, reason: `${JSON.stringify(id)} is no UUID in lower case` });
}
/** Not_supported. */
export function requireCapability({ driver }: Attached, operation: Capability): void {
  if (!driver.capabilities.includes(operation))
    throw storageErrors.make('Not_supported', { operation, type: driver.type });
}
