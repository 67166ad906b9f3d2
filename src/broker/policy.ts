/**
 * The rules in force. Each connection has a ruling: the global rules with those of its VM, made ready for it. A reload makes all
 * rulings anew while connections go on.
 *
 *     making ──rules and facts read──▶ ready ──reload, VM changed──▶ ready | broken
 *       └──rules unreadable, database away──▶ broken ──reload, or every second while the database is away──▶ ready
 *
 *     ready: the judge decides        making, broken: everything is denied, both ways
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { VmFacts } from './facts.ts';
import { type Direction, parseRules, type Rule, RuleError } from './rules.ts';
import {
  Judge,
  type Judged,
  type JudgeOptions,
  type Properties,
  rulesOfVm,
  type Source,
  type Verdict,
  wantedProperties,
} from './verdict.ts';

export interface PolicyParts {
  /** The global rules' text; `name` is shown in places and mistakes. */
  readonly file: { readonly name: string; read(): string };
  /** Undefined: VMs have no rules of their own and nothing is known of them. */
  readonly facts: VmFacts | undefined;
  readonly options: JudgeOptions;
  readonly clock: Clock;
  readonly log: Log;
}
const retryMs = 1000;

/** The rules for one connection, as they are now. */
export class Ruling {
  readonly source: Source;
  #judge: Judge | undefined;
  #why = 'its rules are not read yet';
  #retry: (() => void) | undefined;
  #ended = false;
  /** Only the newest of several makings counts. */
  #making = 0;
  readonly #policy: Policy;

  constructor(policy: Policy, source: Source) {
    this.#policy = policy;
    this.source = source;
  }
  judge(direction: Direction, message: Judged): Verdict {
    return this.#judge?.judge(direction, message) ?? { allow: false, why: this.#why };
  }
  /** Whether the rules are such that nobody can read them. */
  unreadable = false;
  /** Why everything is denied; undefined: rules decide. */
  get broken(): string | undefined {
    return this.#judge ? undefined : this.#why;
  }
  /** Reads rules and facts again. Until they are there the rules before are in force. */
  async make(): Promise<void> {
    const mine = ++this.#making;
    this.#retry?.();
    this.#retry = undefined;
    const made = await this.#policy.judgeFor(this.source).catch((error: unknown) => error as Error);
    if (mine !== this.#making || this.#ended) return;
    if (made instanceof Judge) {
      this.#judge = made;
      this.unreadable = false;
      return;
    }
    this.#judge = undefined;
    this.#why = made.message.replaceAll('\n', '; ');
    const { clock, log } = this.#policy.parts;
    log.error('everything of this domain is denied', {
      domid: this.source.domid,
      uuid: this.source.uuid,
      why: this.#why,
    });
    this.unreadable = made instanceof RuleError;
    // A text stays wrong until somebody mends it and says so; what is away may come back.
    if (!this.unreadable) this.#retry = clock.after(retryMs, () => void this.make());
  }
  end(): void {
    this.#ended = true;
    this.#retry?.();
    this.#policy.forget(this);
  }
}

export class Policy {
  readonly parts: PolicyParts;
  #rules: readonly Rule[] | Error;
  readonly #rulings = new Set<Ruling>();

  constructor(parts: PolicyParts) {
    this.parts = parts;
    this.#rules = this.#read();
  }
  /** What is wrong with the global rules; undefined: nothing. */
  get broken(): Error | undefined {
    return this.#rules instanceof Error ? this.#rules : undefined;
  }
  /** The global rules; none while they are broken. */
  get rules(): readonly Rule[] {
    return this.#rules instanceof Error ? [] : this.#rules;
  }
  /** The ruling for a connection; `end` it with the connection. */
  async open(source: Source): Promise<Ruling> {
    const ruling = new Ruling(this, source);
    this.#rulings.add(ruling);
    await ruling.make();
    return ruling;
  }
  /** Reads everything again. */
  async reload(): Promise<void> {
    this.#rules = this.#read();
    await Promise.all([...this.#rulings].map((ruling) => ruling.make()));
    const { log, file } = this.parts;
    if (this.broken) log.error('the rules cannot be read: everything is denied', { why: this.broken.message });
    else log.info('rules read', { file: file.name, rules: this.rules.length });
  }
  /** Something about a VM changed. */
  async changed(uuid: string): Promise<void> {
    const its = [...this.#rulings].filter((ruling) => ruling.source.uuid === uuid);
    await Promise.all(its.map((ruling) => ruling.make()));
  }
  forget(ruling: Ruling): void {
    this.#rulings.delete(ruling);
  }
  /** Throws RuleError for texts that cannot be read, another Error for facts that cannot be had. */
  async judgeFor(source: Source): Promise<Judge> {
    const { options } = this.parts;
    if (source.domid === 0) return new Judge([], source, new Map(), options);
    if (this.#rules instanceof Error) throw this.#rules;
    const own = source.uuid === null ? [] : await this.ownRules(source.uuid);
    const rules = [...this.#rules, ...own];
    const wanted = [...wantedProperties(rules, source)];
    return new Judge(rules, source, await this.#properties(source, wanted), options);
  }
  /** A VM's own rules, which are about it whatever they say. */
  async ownRules(uuid: string): Promise<Rule[]> {
    const texts = (await this.parts.facts?.rules(uuid)) ?? [];
    const rules = texts.flatMap((text, i) => parseRules(`/vm/${uuid}/rpc-firewall-rules/${i}`, text));
    return rulesOfVm(uuid, rules);
  }
  async #properties(source: Source, names: readonly string[]): Promise<Properties> {
    const { facts } = this.parts;
    const { uuid } = source;
    if (uuid === null || !facts) return new Map();
    const values = await Promise.all(names.map(async (name) => [name, await facts.property(uuid, name)] as const));
    return new Map(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  }
  #read(): readonly Rule[] | Error {
    const { name, read } = this.parts.file;
    try {
      return parseRules(name, read());
    } catch (error) {
      return error instanceof RuleError ? error : new RuleError(`${name}:1:1: file: ${(error as Error).message}`);
    }
  }
}
