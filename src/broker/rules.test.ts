import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRules, type Rule } from './rules.ts';
import { Judge, type Judged, wantedProperties } from './verdict.ts';

const uuid = '11111111-2222-3333-4444-555555555551';
const only = (text: string): Rule => parseRules('f', text)[0] as Rule;
const call = (fields: Partial<Judged>): Judged => ({ kind: 'method-call', destination: 'a.b', member: 'M', ...fields });

describe('rules', () => {
  test('all that a rule can say', () => {
    const text = `deny out-signal destination d.e interface i.j member m sender s.t dom-uuid ${uuid.toUpperCase()} dom-id 7 dom-type svm dom-name n stubdom true if-boolean p false`;
    assert.deepEqual(only(`\n  ${text} # why\n`), {
      verdict: 'deny',
      direction: 'outgoing',
      kind: 'signal',
      destination: 'd.e',
      interface: 'i.j',
      member: 'm',
      sender: 's.t',
      uuid,
      domid: 7,
      stubdom: true,
      properties: [
        { property: 'type', value: 'svm' },
        { property: 'name', value: 'n' },
        { property: 'p', value: false },
      ],
      place: 'f:2',
      text,
    });
  });
  const mistakes: readonly [string, string][] = [
    ['permit all', 'f:1:1: permit: a rule begins with allow or deny'],
    ['  ALLOW all', 'f:1:3: ALLOW: a rule begins with allow or deny'],
    ['allow all member m', 'f:1:11: member: nothing may follow "all"'],
    ['allow member m all', 'f:1:16: all: it stands alone, without conditions'],
    ['allow destination', 'f:1:18: destination: its value is missing'],
    ['allow if-boolean p yes', 'f:1:20: yes: true or false is wanted'],
    ['allow dom-id 32752', "f:1:14: 32752: a domain's number is wanted, 0 to 32751"],
    ['allow inc-calls', 'f:1:7: inc-calls: after inc- comes one of method-call, method-return, error, signal, any'],
    ['allow member m inc-signal', 'f:1:16: inc-signal: it belongs directly after allow or deny'],
    ['allow member m deny all', 'f:1:16: deny: a rule ends with its line: begin a new one'],
    ['allow member -x', 'f:1:14: -x: a word begins with a letter or a digit'],
    [`allow member ${'m'.repeat(256)}`, `f:1:14: ${'m'.repeat(40)}…: more than 255 characters`],
  ];
  for (const [text, said] of mistakes)
    test(said.slice(0, 60), () => assert.throws(() => parseRules('f', text), { name: 'RuleError', message: said }));
  test('every line with a mistake is told, with the column of the character', () => {
    assert.throws(
      () => parseRules('f', 'allow all\nallow sender :1.5\ndeny path /\n'),
      /^RuleError: f:2:14: :1\.5: character ":" cannot .*\nf:3:11: \/: character "\/" cannot .*$/,
    );
  });
  test('too much of it', () => {
    assert.throws(() => parseRules('f', 'allow\n'.repeat(10_001)), /f:1:1: file: 10001 rules/);
    assert.throws(() => parseRules('f', '#'.repeat((1 << 20) + 1)), /f:1:1: file: more than 1048576/);
  });
});

describe('verdicts', () => {
  const source = { domid: 5, uuid, stubdom: false };
  const judge = (text: string, options = {}) => new Judge(parseRules('f', text), source, new Map(), options);
  test('the rule that decided is told', () => {
    const verdict = judge('deny all\nallow member M').judge('incoming', call({}));
    assert.deepEqual([verdict.allow, verdict.why], [true, 'f:2: allow member M']);
    assert.equal(judge('').judge('incoming', call({})).why, 'no rule matches');
  });
  test('an outgoing message passes unless an outgoing rule denies it', () => {
    const rules = judge('deny all\ndeny out-signal member S');
    assert.equal(rules.judge('outgoing', call({ kind: 'signal', member: 'S' })).allow, false);
    assert.equal(rules.judge('outgoing', call({ kind: 'signal', member: 'T' })).allow, true);
    assert.equal(rules.judge('outgoing', call({ kind: 'method-return' })).allow, true);
  });
  test('strict: a call without an interface meets no allow rule with one, and every deny rule', () => {
    const bare = call({ interface: undefined });
    const text = 'allow destination a.b interface i.j member M';
    assert.equal(judge(text).judge('incoming', bare).allow, true);
    assert.equal(judge(text, { strict: true }).judge('incoming', bare).allow, false);
    assert.equal(judge('allow all\ndeny interface i.j', { strict: true }).judge('incoming', bare).allow, false);
  });
  test('only properties that can matter are asked for', () => {
    const rules = parseRules('f', 'allow dom-type svm\nallow if-boolean a true dom-id 6\nallow if-boolean b true');
    assert.deepEqual([...wantedProperties(rules, source)], ['type', 'b']);
    assert.deepEqual([...wantedProperties(rules, { ...source, uuid: null })], []);
  });
});
