/** The firewall as its description reads: every rule asked about every message, nothing made ready. */
import type { Direction, Rule } from '../../src/broker/rules.ts';
import type { Judged, Source } from '../../src/broker/verdict.ts';

export function naiveVerdict(
  rules: readonly Rule[],
  source: Source,
  properties: Readonly<Record<string, string | boolean>>,
  direction: Direction,
  message: Judged,
): boolean {
  if (source.domid === 0) return true;
  let answer = direction === 'outgoing';
  for (const rule of rules) {
    const conditions = [
      rule.direction === direction,
      rule.kind === 'any' || rule.kind === message.kind,
      rule.stubdom === source.stubdom,
      rule.domid === undefined || rule.domid === source.domid,
      rule.uuid === undefined || rule.uuid === source.uuid,
      ...rule.properties.map((p) => source.uuid !== null && properties[p.property] === p.value),
      ...(['destination', 'member', 'sender'] as const).map(
        (h) => rule[h] === undefined || message[h] === undefined || rule[h] === message[h],
      ),
      rule.interface === undefined ||
        message.interface === undefined ||
        [message.interface, message.target].includes(rule.interface),
    ];
    if (conditions.every(Boolean)) answer = rule.verdict === 'allow';
  }
  return answer;
}
