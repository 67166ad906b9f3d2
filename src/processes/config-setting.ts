/** One value of a configuration file, which knows where it stands. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly keyColumn: number;
  readonly key: string;
  readonly text: string;
}
const sizes: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const times: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

export class Setting {
  readonly #place: Place;
  constructor(place: Place) {
    this.#place = place;
  }
  get text(): string {
    return this.#place.text;
  }
  fail(why: string): never {
    const { file, line, column, key } = this.#place;
    throw new ConfigError(`${file}:${line}:${column}: ${key}: ${why}`);
  }
  failAtKey(why: string): never {
    const { file, line, keyColumn, key } = this.#place;
    throw new ConfigError(`${file}:${line}:${keyColumn}: ${key}: ${why}`);
  }
  /** Separated by spaces; `"` holds words together, `\` keeps the next character as it is. */
  words(): Setting[] {
    const words: Setting[] = [];
    const pattern = /\s*((?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+)/gy;
    let end = 0;
    for (let m = pattern.exec(this.text); m; m = pattern.exec(this.text)) {
      end = pattern.lastIndex;
      const raw = m[1] ?? '';
      const plain = raw.replace(/\\(.)|"/g, (_, kept: string | undefined) => kept ?? '');
      words.push(this.#part(end - raw.length, plain));
    }
    const rest = this.text.slice(end);
    if (rest.trim() !== '')
      this.#part(end + rest.search(/\S/), rest).fail('a quotation mark or backslash is not closed');
    return words;
  }
  oneOf<const V extends readonly string[]>(values: V): V[number] {
    if (values.includes(this.text)) return this.text;
    return this.fail(`${this.text} is none of ${values.join(', ')}`);
  }
  /** An integer. */
  count(least: number, most = Number.MAX_SAFE_INTEGER): number {
    const value = Number(this.text);
    if (/^\d+$/.test(this.text) && value >= least && value <= most) return value;
    return this.fail(`${this.text} is no whole number of ${least} or more${most < 2 ** 40 ? ` up to ${most}` : ''}`);
  }
  number(least: number): number {
    const value = Number(this.text);
    if (/^\d+(?:\.\d+)?$/.test(this.text) && value >= least) return value;
    return this.fail(`${this.text} is no number of ${least} or more`);
  }
  /** Bytes: `64 MiB`. */
  size(): number {
    return Math.floor(this.#measure(sizes));
  }
  /** Milliseconds: `1.5 s`. */
  time(): number {
    return Math.floor(this.#measure(times));
  }
  path(): string {
    if (this.text.startsWith('/')) return this.text;
    return this.fail(`${this.text} is no absolute path`);
  }
  #measure(units: Readonly<Record<string, number>>): number {
    const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*(\w+)$/.exec(this.text) ?? [];
    const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (amount !== undefined && factor !== undefined) return Number(amount) * factor;
    return this.fail(`${this.text} is no number with one of the units ${Object.keys(units).join(', ')}`);
  }
  /** What stands from character `from` on, as a value of its own. */
  rest(from: number): Setting {
    const text = this.text.slice(from);
    return this.#part(from + Math.max(0, text.search(/\S/)), text.trim());
  }
  #part(offset: number, text: string): Setting {
    return new Setting({ ...this.#place, column: this.#place.column + offset, text });
  }
}
