/**
 * The firewall's rule language, as OpenXT's rpc-proxy and rpc-broker have it:
 *
 *     rule    = ("allow" | "deny") [("inc-" | "out-") ("method-call" | "signal" | "method-return" | "error" | "any")] what
 *     what    = "all" | { condition }
 *     condition = ("destination" | "interface" | "member" | "sender" | "dom-uuid" | "dom-type" | "dom-name") WORD
 *               | "dom-id" NUMBER | "stubdom" BOOL | "if-boolean" WORD BOOL
 *
 * One rule a line; `#` begins a comment. A word has letters, digits, `_`, `.`, `-` and begins with a letter or digit. The last rule
 * that matches decides.
 */
import { messageTypes } from '../wire/dbus/message.ts';

export type Direction = 'incoming' | 'outgoing';
export type RuleKind = (typeof messageTypes)[number] | 'any';
/** What a property of the source's VM must be: text for `dom-type` and `dom-name`, a boolean for `if-boolean`. */
export interface PropertyCondition {
  readonly property: string;
  readonly value: string | boolean;
}
export interface Rule {
  readonly verdict: 'allow' | 'deny';
  /** Incoming: from a guest to the bus. */
  readonly direction: Direction;
  readonly kind: RuleKind;
  readonly destination?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly sender?: string;
  readonly uuid?: string;
  readonly domid?: number;
  readonly stubdom: boolean;
  readonly properties: readonly PropertyCondition[];
  /** Where it is written: `FILE:LINE`. */
  readonly place: string;
  readonly text: string;
}
/** Everything that is wrong with rules, one `FILE:LINE:COLUMN: key: why` a line. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

export const longestRules = 1 << 20;
const mostRules = 10_000;
const longestWord = 255;
/** The first of the numbers that Xen keeps for itself. */
const domidLimit = 0x7ff0;

/** The rules of a text; `file` is named in mistakes and places. RuleError with all mistakes, the first of each line. */
export function parseRules(file: string, text: string): Rule[] {
  if (text.length > longestRules) throw new RuleError(`${file}:1:1: file: more than ${longestRules} characters`);
  const rules: Rule[] = [];
  const mistakes: string[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    try {
      const rule = parseRule(line, `${file}:${i + 1}`);
      if (rule) rules.push(rule);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      mistakes.push(`${file}:${i + 1}:${error.column}: ${error.key}: ${error.message}`);
    }
  }
  if (rules.length > mostRules)
    mistakes.push(`${file}:1:1: file: ${rules.length} rules; at most ${mostRules} are allowed`);
  if (mistakes.length > 0) throw new RuleError(mistakes.join('\n'));
  return rules;
}

class Mistake extends Error {
  readonly column: number;
  readonly key: string;
  constructor(column: number, key: string, why: string) {
    super(why);
    this.column = column;
    this.key = key;
  }
}
interface Word {
  readonly text: string;
  readonly column: number;
}
function wordsOf(line: string): Word[] {
  const words: Word[] = [];
  const end = line.indexOf('#');
  const read = end < 0 ? line.replace(/\r$/, '') : line.slice(0, end);
  for (const { 0: text, index } of read.matchAll(/[^ \t]+/g)) {
    const wrong = text.search(/[^A-Za-z0-9_.-]/);
    if (wrong >= 0) {
      const why =
        'a word has letters, digits, "_", "." and "-"; there are no quotes, wildcards, object paths or unique names';
      throw new Mistake(
        index + wrong + 1,
        shown(text),
        `character ${JSON.stringify(text[wrong])} cannot be used: ${why}`,
      );
    }
    if (/^[_.-]/.test(text)) throw new Mistake(index + 1, shown(text), 'a word begins with a letter or a digit');
    if (text.length > longestWord) throw new Mistake(index + 1, shown(text), `more than ${longestWord} characters`);
    words.push({ text, column: index + 1 });
  }
  return words;
}
const shown = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** What a condition sets, by its keyword; the values that follow it. */
const conditions: Readonly<Record<string, (draft: Draft, value: () => Word) => void>> = {
  destination: (draft, value) => (draft.destination = value().text),
  interface: (draft, value) => (draft.interface = value().text),
  member: (draft, value) => (draft.member = value().text),
  sender: (draft, value) => (draft.sender = value().text),
  'dom-uuid': (draft, value) => (draft.uuid = value().text.toLowerCase()),
  'dom-id': (draft, value) => (draft.domid = domid(value())),
  'dom-type': (draft, value) => draft.properties.push({ property: 'type', value: value().text }),
  'dom-name': (draft, value) => draft.properties.push({ property: 'name', value: value().text }),
  stubdom: (draft, value) => (draft.stubdom = boolean(value())),
  'if-boolean': (draft, value) => draft.properties.push({ property: value().text, value: boolean(value()) }),
};
type Draft = { -readonly [K in keyof Omit<Rule, 'properties'>]: Rule[K] } & { properties: PropertyCondition[] };

function parseRule(line: string, place: string): Rule | undefined {
  const [first, ...words] = wordsOf(line);
  if (!first) return undefined;
  if (first.text !== 'allow' && first.text !== 'deny')
    throw new Mistake(first.column, shown(first.text), 'a rule begins with allow or deny');
  const subject = subjectOf(words[0]);
  if (subject) words.shift();
  const draft: Draft = {
    verdict: first.text,
    direction: 'incoming',
    kind: 'any',
    ...subject,
    stubdom: false,
    properties: [],
    place,
    text: line.replace(/#.*$/, '').trim(),
  };
  const endColumn = line.trimEnd().length + 1;
  if (words[0]?.text === 'all') {
    if (words[1]) throw new Mistake(words[1].column, shown(words[1].text), 'nothing may follow "all"');
    return draft;
  }
  for (let word = words.shift(); word; word = words.shift()) {
    const key = word;
    const set = Object.hasOwn(conditions, key.text) ? conditions[key.text] : undefined;
    if (!set) throw new Mistake(key.column, shown(key.text), whyNot(key));
    set(draft, () => {
      const value = words.shift();
      if (!value) throw new Mistake(endColumn, key.text, 'its value is missing');
      return value;
    });
  }
  return draft;
}
function subjectOf(word: Word | undefined): Pick<Rule, 'direction' | 'kind'> | undefined {
  const [, way, kind] = /^(inc|out)-(.*)$/.exec(word?.text ?? '') ?? [];
  if (!word || kind === undefined) return undefined;
  const known = [...messageTypes, 'any'] as const;
  const found = known.find((each) => each === kind);
  if (!found) throw new Mistake(word.column, shown(word.text), `after ${way}- comes one of ${known.join(', ')}`);
  return { direction: way === 'inc' ? 'incoming' : 'outgoing', kind: found };
}
function whyNot({ text }: Word): string {
  if (/^(inc|out)-/.test(text)) return 'it belongs directly after allow or deny';
  if (text === 'all') return 'it stands alone, without conditions';
  if (text === 'allow' || text === 'deny') return 'a rule ends with its line: begin a new one';
  return `no such condition; there are: ${Object.keys(conditions).join(', ')}`;
}
function boolean({ text, column }: Word): boolean {
  if (text !== 'true' && text !== 'false') throw new Mistake(column, shown(text), 'true or false is wanted');
  return text === 'true';
}
function domid({ text, column }: Word): number {
  const n = /^[0-9]{1,5}$/.test(text) ? Number(text) : domidLimit;
  if (n >= domidLimit) throw new Mistake(column, shown(text), `a domain's number is wanted, 0 to ${domidLimit - 1}`);
  return n;
}
