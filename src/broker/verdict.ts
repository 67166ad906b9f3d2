/**
 * Verdicts: rules made ready for one source. What is known of the source is compared once, when a judge is made; a message then meets
 * only the rules that its kind and its destination leave, from the last to the first, and the first that matches decides.
 */
import { type DbusMessage, firstString, type MessageKind, messageTypes } from '../wire/dbus/message.ts';
import type { Direction, PropertyCondition, Rule } from './rules.ts';

/** Whose messages are judged, as its transport tells. */
export interface Source {
  readonly domid: number;
  /** Null: not known. Then nothing that is said of a VM holds. */
  readonly uuid: string | null;
  readonly stubdom: boolean;
}
/** Properties of the source's VM, by name; one that it does not have is absent. */
export type Properties = ReadonlyMap<string, string | boolean>;
/** What rules compare of a message. */
export interface Judged {
  readonly kind: MessageKind;
  readonly destination?: string | undefined;
  readonly interface?: string | undefined;
  readonly member?: string | undefined;
  readonly sender?: string | undefined;
  /** The interface whose property a call of org.freedesktop.DBus.Properties is about. */
  readonly target?: string | undefined;
}
export interface Verdict {
  readonly allow: boolean;
  /** What decided; undefined: nothing matched, or nothing is asked of this source. */
  readonly rule?: Rule;
  readonly why: string;
}
export interface JudgeOptions {
  /** A call without an interface meets no allow rule that names one. */
  readonly strict?: boolean;
}

const propertiesInterface = 'org.freedesktop.DBus.Properties';
const propertyCalls: readonly (string | undefined)[] = ['Get', 'Set', 'GetAll'];

/** What rules compare, taken from a message. */
export function judged(message: DbusMessage): Judged {
  const { kind, destination, interface: name, member, sender } = message;
  const about = kind === 'method-call' && name === propertiesInterface && propertyCalls.includes(member);
  return { kind, destination, interface: name, member, sender, target: about ? firstString(message) : undefined };
}

/** A VM's own rules are about that VM, whatever they say. */
export const rulesOfVm = (uuid: string, rules: readonly Rule[]): Rule[] => rules.map((rule) => ({ ...rule, uuid }));

/** Whether a rule is about this source at all; `properties` are asked only when all else fits. */
export function concerns(rule: Rule, source: Source): boolean {
  if (rule.stubdom !== source.stubdom) return false;
  if (rule.domid !== undefined && rule.domid !== source.domid) return false;
  if (rule.uuid !== undefined && rule.uuid !== source.uuid) return false;
  return rule.properties.length === 0 || source.uuid !== null;
}
export const holds = ({ property, value }: PropertyCondition, properties: Properties): boolean =>
  properties.get(property) === value;

/** Names of the properties that must be known to judge this source. */
export function wantedProperties(rules: readonly Rule[], source: Source): ReadonlySet<string> {
  return new Set(
    rules.filter((rule) => concerns(rule, source)).flatMap((rule) => rule.properties.map((p) => p.property)),
  );
}

/** Whether the message is as the rule says; a header that a message lacks is as any rule says. */
export function matches(rule: Rule, message: Judged, options: JudgeOptions): boolean {
  const { destination, member, sender } = message;
  if (rule.member !== undefined && member !== undefined && rule.member !== member) return false;
  if (rule.interface !== undefined && !interfaceMatches(rule.interface, rule.verdict, message, options)) return false;
  if (rule.destination !== undefined && destination !== undefined && rule.destination !== destination) return false;
  return rule.sender === undefined || sender === undefined || rule.sender === sender;
}
function interfaceMatches(
  wanted: string,
  verdict: Rule['verdict'],
  message: Judged,
  { strict }: JudgeOptions,
): boolean {
  if (message.interface === undefined) return !(strict && verdict === 'allow' && message.kind === 'method-call');
  return message.interface === wanted || message.target === wanted;
}

/** Rules for one direction and kind, last first: all, and those that a destination leaves. */
interface Lists {
  readonly all: readonly Rule[];
  readonly withoutDestination: readonly Rule[];
  readonly byDestination: ReadonlyMap<string, readonly Rule[]>;
}
function listsOf(rules: readonly Rule[]): Lists {
  const all = rules.toReversed();
  const named = new Set(all.flatMap((rule) => rule.destination ?? []));
  const left = (destination: string) => all.filter((r) => r.destination === undefined || r.destination === destination);
  return {
    all,
    withoutDestination: all.filter((rule) => rule.destination === undefined),
    byDestination: new Map([...named].map((destination) => [destination, left(destination)])),
  };
}

const unfiltered: Verdict = { allow: true, why: 'messages of domain 0 are not filtered' };
const noRule: Verdict = { allow: false, why: 'no rule matches' };
const noOutgoingRule: Verdict = { allow: true, why: 'no rule about outgoing messages matches' };

export class Judge {
  readonly #lists: Readonly<Record<Direction, ReadonlyMap<MessageKind, Lists>>>;
  readonly #options: JudgeOptions;
  readonly #unfiltered: boolean;
  readonly #verdicts = new Map<Rule, Verdict>();

  /** `rules`: the global ones, then the VM's own, each in its order. */
  constructor(rules: readonly Rule[], source: Source, properties: Properties, options: JudgeOptions = {}) {
    this.#unfiltered = source.domid === 0;
    this.#options = options;
    const left = rules.filter((rule) => concerns(rule, source) && rule.properties.every((p) => holds(p, properties)));
    const of = (direction: Direction) =>
      new Map(
        messageTypes.map((kind) => [
          kind,
          listsOf(left.filter((r) => r.direction === direction && (r.kind === 'any' || r.kind === kind))),
        ]),
      );
    this.#lists = { incoming: of('incoming'), outgoing: of('outgoing') };
    for (const rule of left)
      this.#verdicts.set(rule, { allow: rule.verdict === 'allow', rule, why: `${rule.place}: ${rule.text}` });
  }
  /** Nothing said about an incoming message denies it; an outgoing one passes unless a rule denies it. */
  judge(direction: Direction, message: Judged): Verdict {
    if (this.#unfiltered) return unfiltered;
    return this.decided(direction, message) ?? (direction === 'incoming' ? noRule : noOutgoingRule);
  }
  /** The verdict of a rule; undefined when none matches. */
  decided(direction: Direction, message: Judged): Verdict | undefined {
    const lists = this.#lists[direction].get(message.kind) as Lists;
    const { destination } = message;
    const left =
      destination === undefined ? lists.all : (lists.byDestination.get(destination) ?? lists.withoutDestination);
    const rule = left.find((each) => matches(each, message, this.#options));
    return rule && this.#verdicts.get(rule);
  }
}
