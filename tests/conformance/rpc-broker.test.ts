/** The firewall's vectors: texts of rules, and verdicts about messages that go through their bytes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Direction, parseRules, RuleError } from '../../src/broker/rules.ts';
import { Judge, judged, rulesOfVm, type Source } from '../../src/broker/verdict.ts';
import { type MessageKind, parseMessage } from '../../src/wire/dbus/message.ts';
import { encodeMessage } from '../../src/wire/dbus/write.ts';

interface Vectors {
  readonly vms: Readonly<Record<string, Readonly<Record<string, string | boolean>>>>;
  readonly rulesets: Readonly<Record<string, readonly string[]>>;
  readonly verdicts: readonly {
    readonly id: string;
    readonly rules: string;
    readonly vmRules?: readonly string[];
    readonly source: Source;
    readonly direction: Direction;
    readonly message: Readonly<
      Record<'path' | 'interface' | 'member' | 'destination' | 'sender', string | undefined>
    > & {
      readonly type: MessageKind;
      readonly args?: readonly string[];
    };
    readonly expect: 'allow' | 'deny' | 'error';
  }[];
  readonly texts: readonly { readonly id: string; readonly text: string; readonly rules: number | null }[];
}
const file = join(import.meta.dirname, 'rpc-broker', 'vectors.json');
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;

/** The vector's message as a guest would send it. */
function onTheWire({ type, args = [], ...fields }: Vectors['verdicts'][number]['message']): Buffer {
  const reply = type === 'method-return' || type === 'error' ? { replySerial: 3 } : {};
  const named = type === 'error' ? { errorName: 'org.example.Error' } : {};
  return encodeMessage({ kind: type, serial: 1, ...fields, ...reply, ...named, body: args.map((s) => ({ s })) });
}
function verdict({ rules, vmRules = [], source, direction, message }: Vectors['verdicts'][number]): string {
  try {
    const text = vectors.rulesets[rules];
    assert.ok(text, rules);
    const global = parseRules('rules', text.join('\n'));
    const own =
      source.uuid === null
        ? []
        : rulesOfVm(
            source.uuid,
            vmRules.flatMap((rule) => parseRules('vm', rule)),
          );
    const properties = new Map(Object.entries(vectors.vms[source.uuid ?? ''] ?? {}));
    const judge = new Judge([...global, ...own], source, properties);
    return judge.judge(direction, judged(parseMessage(onTheWire(message)))).allow ? 'allow' : 'deny';
  } catch (error) {
    if (error instanceof RuleError) return 'error';
    throw error;
  }
}

describe('rpc-broker: verdicts', () => {
  for (const vector of vectors.verdicts)
    test(`${vector.id}: ${vector.rules}`, () => assert.equal(verdict(vector), vector.expect));
});
describe('rpc-broker: texts of rules', () => {
  for (const { id, text, rules } of vectors.texts)
    test(`${id}: ${JSON.stringify(text)}`, () => {
      if (rules === null) assert.throws(() => parseRules('f', text), RuleError);
      else assert.equal(parseRules('f', text).length, rules);
    });
});
