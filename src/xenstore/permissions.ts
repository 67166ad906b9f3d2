/**
 * Who may do what with a node. The first entry names the owner; its letter is for everybody who is not named after it. An entry is bound to
 * a domain's life, not to its number: a later domain with the same number finds it void.
 */
import { domidAny } from '../wire/xenstore.ts';
import type { Domain } from './domains.ts';
import { entrySize } from './quotas.ts';

export type Letter = 'n' | 'r' | 'w' | 'b';
/** What an operation needs. */
export const reading = 1;
export const writing = 2;
export type Access = typeof reading | typeof writing;
const rights: Readonly<Record<Letter, number>> = { n: 0, r: reading, w: writing, b: reading | writing };

export interface Entry {
  readonly letter: Letter;
  readonly domid: number;
  /** The domain that lived under this number when the entry was made; undefined for a number that nobody had. */
  readonly domain: Domain | undefined;
}

export class Permissions {
  /** At least one. */
  readonly entries: readonly Entry[];
  /** On the wire: `<letter><domid>␀` for each. */
  readonly text: string;
  /** The last answer of `ownedBy`: siblings made by one domain share their list. */
  #owned: Permissions | undefined;

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
    this.text = entries.map((e) => `${e.letter}${e.domid}\0`).join('');
  }
  get owner(): Domain | undefined {
    return (this.entries[0] as Entry).domain;
  }
  /** Bytes that the list is charged. */
  get size(): number {
    return this.entries.length * entrySize;
  }
  /** Whether the domain has the right, by itself or through the domain it acts for. */
  allows(domain: Domain, access: Access): boolean {
    if (domain.privileged) return true;
    const entries = this.entries;
    const target = domain.target;
    const first = entries[0] as Entry;
    if (first.domain === domain || (target !== undefined && first.domain === target)) return true;
    for (let i = 1; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      const named =
        entry.domain === domain || (target !== undefined && entry.domain === target) || entry.domid === domidAny;
      if (named) return (rights[entry.letter] & access) !== 0;
    }
    return (rights[first.letter] & access) !== 0;
  }
  /** Whether the domain is the owner or may act as it. */
  isOwner(domain: Domain): boolean {
    return domain.privileged || this.owner === domain || (domain.target !== undefined && this.owner === domain.target);
  }
  /** The list for a node that `domain` makes below one with this list. */
  ownedBy(domain: Domain): Permissions {
    if (domain.privileged || this.owner === domain) return this;
    if (this.#owned?.owner !== domain) {
      const [first, ...rest] = this.entries as readonly [Entry, ...Entry[]];
      this.#owned = new Permissions([{ letter: first.letter, domid: domain.domid, domain }, ...rest]);
    }
    return this.#owned as Permissions;
  }
}

const entryPattern = /^([nrwb])(\d{1,5})$/;

/** Entries as they are sent; undefined when one is malformed. `identify` finds who lives under a number now. */
export function parseEntries(
  texts: readonly string[],
  identify: (domid: number) => Domain | undefined,
): Entry[] | undefined {
  const entries: Entry[] = [];
  for (const text of texts) {
    const [, letter, digits] = entryPattern.exec(text) ?? [];
    const domid = Number(digits);
    if (letter === undefined || !(domid <= 0xffff)) return undefined;
    entries.push({ letter: letter as Letter, domid, domain: identify(domid) });
  }
  return entries;
}
