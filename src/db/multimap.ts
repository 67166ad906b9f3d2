/** Key → values, each once, in order of arrival. Most keys have one value, so that one is kept without a set. */
export class Multimap {
  readonly #map = new Map<string, string | Set<string>>();

  add(key: string, value: string): void {
    const held = this.#map.get(key);
    if (held === undefined) this.#map.set(key, value);
    else if (typeof held === 'object') held.add(value);
    else if (held !== value) this.#map.set(key, new Set([held, value]));
  }
  delete(key: string, value: string): void {
    const held = this.#map.get(key);
    if (held === value) this.#map.delete(key);
    else if (typeof held === 'object' && held.delete(value) && held.size === 0) this.#map.delete(key);
  }
  /** The values of a key, as a new array. */
  get(key: string): string[] {
    const held = this.#map.get(key);
    if (held === undefined) return [];
    return typeof held === 'object' ? [...held] : [held];
  }
  /** The first value, in constant time. */
  first(key: string): string | undefined {
    const held = this.#map.get(key);
    return typeof held === 'object' ? held.values().next().value : held;
  }
}
