/** What `--explain` is asked, from `KEY=VALUE` words. */
import { messageTypes } from '../wire/dbus/message.ts';
import type { Question } from './explain.ts';
import { parseRules, type Rule } from './rules.ts';
import { rulesOfVm, type Source } from './verdict.ts';

const keys = ['type', 'direction', 'destination', 'interface', 'member', 'sender', 'arg0', 'domid', 'uuid', 'stubdom'];

/** Without a word about it the source is domain 1, no stub domain, of no known VM; the message an incoming method call. */
export function parseQuestion(words: readonly string[], global: readonly Rule[]): Omit<Question, 'options'> {
  const said = new Map<string, string>();
  const properties = new Map<string, string | boolean>();
  const own: string[] = [];
  for (const word of words) {
    const [, key = '', value = ''] = /^([a-z0-9-]+|property\.[^=]+)=(.*)$/s.exec(word) ?? [];
    if (key === 'vm-rule') own.push(value);
    else if (key.startsWith('property.')) properties.set(key.slice('property.'.length), valueSaid(value));
    else if (keys.includes(key)) said.set(key, value);
    else
      throw new Error(`--explain ${word}: KEY=VALUE is wanted, KEY one of ${keys.join(', ')}, property.NAME, vm-rule`);
  }
  const source = sourceOf(said);
  const target =
    /^(Get|Set|GetAll)$/.test(said.get('member') ?? '') && said.get('interface')?.endsWith('.DBus.Properties');
  const vmRules = own.flatMap((text) => parseRules('vm-rule', text));
  if (vmRules.length > 0 && source.uuid === null) throw new Error('--explain vm-rule=…: whose? uuid=UUID is missing');
  return {
    rules: [...global, ...(source.uuid === null ? [] : rulesOfVm(source.uuid, vmRules))],
    source,
    properties,
    direction: choice(said, 'direction', ['incoming', 'outgoing']),
    message: {
      kind: choice(said, 'type', messageTypes),
      destination: said.get('destination'),
      interface: said.get('interface'),
      member: said.get('member'),
      sender: said.get('sender'),
      target: target ? said.get('arg0') : undefined,
    },
  };
}
function sourceOf(said: ReadonlyMap<string, string>): Source {
  const domid = said.get('domid') ?? '1';
  if (!/^[0-9]{1,5}$/.test(domid)) throw new Error(`--explain domid=${domid}: a domain's number is wanted`);
  const stubdom = choice(said, 'stubdom', ['false', 'true']) === 'true';
  return { domid: Number(domid), uuid: said.get('uuid')?.toLowerCase() ?? null, stubdom };
}
/** The first is meant where nothing is said. */
function choice<T extends string>(said: ReadonlyMap<string, string>, key: string, allowed: readonly T[]): T {
  const value = said.get(key) ?? allowed[0];
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new Error(`--explain ${key}=${value}: it is one of ${allowed.join(', ')}`);
  return found;
}
const valueSaid = (text: string): string | boolean => (text === 'true' || text === 'false' ? text === 'true' : text);
