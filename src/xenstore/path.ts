/** Paths: what may be named, and how a relative one is made absolute. A checked path is remembered with its parts. */
import { absolutePathMax, relativePathMax } from '../wire/xenstore.ts';

/** A legal absolute path, or a special one (`@…`). */
export interface Path {
  readonly text: string;
  /** Names from the root down; empty for the root and for a special path. */
  readonly parts: readonly string[];
  readonly special: boolean;
}

const legal = /^[-A-Za-z0-9/_@]+$/;
const homePrefix = /^\/local\/domain\/\d{1,5}\//;
/** Paths remembered; more are simply checked again. */
const remembered = 2048;

export class Paths {
  readonly #known = new Map<string, Path>();

  /**
   * The path that `text` names for a connection whose home is `home`; undefined when it cannot be one. `max` is the connection's limit on
   * what follows `/local/domain/<n>/`; 0 is none.
   */
  resolve(text: string, home: string, max: number): Path | undefined {
    const first = text.charCodeAt(0);
    let path: Path | undefined;
    if (first === 0x2f) {
      path = this.#known.get(text) ?? this.#check(text, text);
    } else if (text.length === 0 || text.length > relativePathMax || !legal.test(text)) {
      return undefined;
    } else if (first === 0x40) {
      return text.length > absolutePathMax ? undefined : { text, parts: [], special: true };
    } else {
      const whole = `${home}/${text}`;
      path = this.#known.get(whole) ?? this.#check(whole, text);
    }
    if (path !== undefined && max > 0 && path.text.length > max) {
      const prefix = homePrefix.exec(path.text)?.[0].length ?? 0;
      if (path.text.length - prefix > max) return undefined;
    }
    return path;
  }
  #check(text: string, sent: string): Path | undefined {
    if (text.length > absolutePathMax || !legal.test(sent)) return undefined;
    const parts = text === '/' ? [] : text.slice(1).split('/');
    if (parts.includes('')) return undefined;
    const path = { text, parts, special: false };
    if (this.#known.size >= remembered) this.#known.clear();
    this.#known.set(text, path);
    return path;
  }
}

/** The path of the first `depth` parts. */
export const ancestor = (path: Path, depth: number): string =>
  depth === 0 ? '/' : `/${path.parts.slice(0, depth).join('/')}`;

/** `parent` with one more name. */
export const below = (parent: string, name: string): string => (parent === '/' ? `/${name}` : `${parent}/${name}`);
