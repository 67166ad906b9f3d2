/** Takes typed values out of a parsed file, and knows which settings nobody has asked for. */
import {
  numberOf,
  XlError,
  type XlFile,
  type XlPlace,
  type XlSetting,
  type XlString,
  type XlValue,
} from './xl-syntax.ts';

export class XlReader {
  readonly file: string;
  readonly #settings: ReadonlyMap<string, XlSetting>;
  readonly #asked = new Set<string>();

  constructor(file: XlFile) {
    this.file = file.file;
    this.#settings = file.settings;
  }
  has(key: string): boolean {
    return this.#settings.has(key);
  }
  /** Undefined when it is not there. */
  value(key: string): XlValue | undefined {
    this.#asked.add(key);
    return this.#settings.get(key)?.value;
  }
  /** Settings that were never asked for, in the order of the file. */
  unasked(): XlSetting[] {
    return [...this.#settings.values()].filter(({ key }) => !this.#asked.has(key));
  }
  error(key: string, why: string, at?: XlPlace): XlError {
    const setting = this.#settings.get(key);
    return new XlError(this.file, at ?? setting?.value.at ?? { line: 1, column: 1 }, key, why);
  }

  string(key: string): string | undefined {
    const v = this.value(key);
    if (v === undefined || v.kind === 'string') return v?.text;
    if (v.kind === 'number') return String(v.value);
    throw this.error(key, 'a string in quotes is expected, not a list');
  }
  /** One of some words. */
  word<const W extends string>(key: string, words: readonly W[]): W | undefined {
    const text = this.string(key);
    const found = words.find((w) => w === text);
    if (text === undefined || found !== undefined) return found;
    throw this.error(key, `"${text}" is not known; it may be ${words.join(', ')}`);
  }
  /** A number, also in quotes. */
  number(key: string, least = 0, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const v = this.value(key);
    if (v === undefined) return undefined;
    const value = v.kind === 'number' ? v.value : v.kind === 'string' ? numberOf(v.text.trim()) : undefined;
    if (value === undefined) {
      const found = v.kind === 'string' ? JSON.stringify(v.text) : 'a list';
      throw this.error(key, `a number is expected, not ${found}`);
    }
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `between ${least} and ${most}`;
    throw this.error(key, `${value} is not possible; it must be ${range}`);
  }
  /** 0 is false, any other number true. */
  boolean(key: string): boolean | undefined {
    const value = this.number(key);
    return value === undefined ? undefined : value !== 0;
  }
  /** The strings of a list; a single string counts as a list of one. Empty strings of a list are passed over, unless `empty`. */
  strings(key: string, empty = false): XlString[] {
    const v = this.value(key);
    if (v === undefined) return [];
    if (v.kind === 'string') return v.text === '' ? [] : [v];
    if (v.kind === 'number') throw this.error(key, 'a list of strings is expected, not a number');
    return v.items.flatMap((item) => {
      if (item.kind !== 'string') throw this.error(key, `a string in quotes is expected, not a ${item.kind}`, item.at);
      return item.text.trim() === '' && !empty ? [] : [item];
    });
  }
}
