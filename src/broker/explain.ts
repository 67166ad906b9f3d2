/** Why a message gets its verdict: the rule that decided, and what kept each later one from deciding. */
import { firstMismatch } from './mismatch.ts';
import type { Direction, Rule } from './rules.ts';
import { Judge, type Judged, type JudgeOptions, type Properties, type Source } from './verdict.ts';

export interface Question {
  readonly rules: readonly Rule[];
  readonly source: Source;
  readonly properties: Properties;
  readonly direction: Direction;
  readonly message: Judged;
  readonly options?: JudgeOptions;
}
/** `allow` or `deny` with the reason; then the rules that were looked at before, from the last one on. */
export function explain({ rules, source, properties, direction, message, options = {} }: Question): string[] {
  const verdict = new Judge(rules, source, properties, options).judge(direction, message);
  const head = `${verdict.allow ? 'allow' : 'deny'}: ${verdict.why}`;
  if (source.domid === 0) return [head];
  const after = rules.slice(verdict.rule === undefined ? 0 : rules.indexOf(verdict.rule) + 1).toReversed();
  return [
    head,
    ...after.map(
      (rule) => `  ${rule.place}: ${rule.text}: ${firstMismatch(rule, source, properties, direction, message)}`,
    ),
  ];
}
