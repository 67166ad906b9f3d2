/** Verdicts of random rule sets are those of a model that has nothing made ready; their texts are read as they were written. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { explain } from '../../src/broker/explain.ts';
import { parseRules, type Rule, RuleError } from '../../src/broker/rules.ts';
import { Judge, type Judged, type Source } from '../../src/broker/verdict.ts';
import { messageTypes } from '../../src/wire/dbus/message.ts';
import { naiveVerdict } from './naive-broker.ts';
import { tries } from './soak.ts';

const names = fc.constantFrom('a.b', 'a.c', 'd.e');
const members = fc.constantFrom('Get', 'M', 'N');
const uuids = fc.constantFrom('u-1', 'u-2');
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const property = fc.oneof(
  fc.record({ property: fc.constantFrom('type', 'name'), value: fc.constantFrom('svm', 'n') }),
  fc.record({ property: fc.constantFrom('p', 'q'), value: fc.boolean() }),
);
const direction = fc.constantFrom('incoming', 'outgoing');
const rule = fc.record({
  verdict: fc.constantFrom('allow', 'deny'),
  direction,
  kind: fc.constantFrom(...messageTypes, 'any'),
  destination: maybe(names),
  interface: maybe(names),
  member: maybe(members),
  sender: maybe(names),
  uuid: maybe(uuids),
  domid: maybe(fc.integer({ min: 0, max: 2 })),
  stubdom: fc.boolean(),
  properties: fc.array(property, { maxLength: 2 }),
});
type Drawn = typeof rule extends fc.Arbitrary<infer T> ? T : never;
const source: fc.Arbitrary<Source> = fc.record({
  domid: fc.integer({ min: 0, max: 2 }),
  uuid: fc.option(uuids),
  stubdom: fc.boolean(),
});
const properties = fc.dictionary(fc.constantFrom('type', 'name', 'p', 'q'), fc.constantFrom('svm', 'n', true, false));
const message: fc.Arbitrary<Judged> = fc.record({
  kind: fc.constantFrom(...messageTypes),
  destination: maybe(names),
  interface: maybe(names),
  member: maybe(members),
  sender: maybe(names),
  target: maybe(names),
});

/** A rule as somebody would write it. */
function written(r: Drawn): string {
  const subject = `${r.direction === 'incoming' ? 'inc' : 'out'}-${r.kind}`;
  const plain = Object.entries({
    destination: r.destination,
    interface: r.interface,
    member: r.member,
    sender: r.sender,
    'dom-uuid': r.uuid,
    'dom-id': r.domid,
    stubdom: r.stubdom,
  }).flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${value}`]));
  const conditions = r.properties.map((p) =>
    typeof p.value === 'boolean' ? `if-boolean ${p.property} ${p.value}` : `dom-${p.property} ${p.value}`,
  );
  return [r.verdict, subject, ...plain, ...conditions].join(' ');
}

describe('rpc-broker: random rules', () => {
  test('the verdict is the model’s, and the explanation says the same', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        source,
        properties,
        direction,
        message,
        (drawn, from, has, way, m) => {
          const text = drawn.map(written).join('\n');
          const rules = parseRules('f', text);
          assert.equal(rules.length, drawn.length);
          const known = new Map(Object.entries(has));
          const { allow } = new Judge(rules, from, known).judge(way, m);
          assert.equal(allow, naiveVerdict(drawn as unknown as Rule[], from, has, way, m), text);
          const [head = ''] = explain({ rules, source: from, properties: known, direction: way, message: m });
          assert.ok(head.startsWith(allow ? 'allow:' : 'deny:'), head);
        },
      ),
      tries({ seed: 7, numRuns: 3000 }),
    );
  });
  test('any text is rules or a RuleError whose lines say where', () => {
    const pieces = fc.constantFrom(
      ' ',
      '\n',
      '\r\n',
      '\t',
      '#',
      'allow',
      'deny',
      'all',
      'inc-signal',
      'member',
      'if-boolean',
      'true',
      'x.y',
      ':',
      '*',
      '\0',
      'é',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 6 })), { maxLength: 40 }), (parts) => {
        try {
          parseRules('f', parts.join(''));
        } catch (error) {
          assert.ok(error instanceof RuleError);
          for (const line of error.message.split('\n')) assert.match(line, /^f:[0-9]+:[0-9]+: .+: .+/s);
        }
      }),
      tries({ seed: 8, numRuns: 3000 }),
    );
  });
});
