/** The first thing in a rule that is not as it says. */
import type { Direction, Rule } from './rules.ts';
import type { Judged, Properties, Source } from './verdict.ts';

const known = (value: unknown) => (value === null || value === undefined ? 'not known' : String(value));

export function firstMismatch(
  rule: Rule,
  source: Source,
  properties: Properties,
  direction: Direction,
  message: Judged,
): string {
  if (rule.direction !== direction) return `it is about ${rule.direction} messages`;
  if (rule.kind !== 'any' && rule.kind !== message.kind) return `it is about a ${rule.kind}`;
  return ofSource(rule, source, properties) ?? ofMessage(rule, message);
}
function ofSource(rule: Rule, source: Source, properties: Properties): string | undefined {
  if (rule.stubdom !== source.stubdom)
    return rule.stubdom ? 'the source is no stub domain' : 'the source is a stub domain';
  if (rule.domid !== undefined && rule.domid !== source.domid) return `the source's dom-id is ${source.domid}`;
  if (rule.uuid !== undefined && rule.uuid !== source.uuid) return `the source's dom-uuid is ${known(source.uuid)}`;
  const wrong = rule.properties.find((p) => source.uuid === null || properties.get(p.property) !== p.value);
  return wrong && `the VM's ${wrong.property} is ${known(properties.get(wrong.property))}`;
}
function ofMessage(rule: Rule, message: Judged): string {
  for (const header of ['destination', 'interface', 'member', 'sender'] as const) {
    const [wanted, found] = [rule[header], message[header]];
    if (wanted === undefined || wanted === found) continue;
    if (header === 'interface' && message.target === wanted) continue;
    if (found !== undefined)
      return `the ${header} is ${found}${message.target && header === 'interface' ? `, about ${message.target}` : ''}`;
  }
  return 'the call has no interface';
}
