import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { tries } from '../../tests/property/soak.ts';
import { t } from '../datamodel/dsl.ts';
import {
  encodeRecordXml,
  escapeXml,
  floatText,
  parseXmlCall,
  parseXmlResponse,
  parseXmlValue,
  type Wire,
  XmlError,
  xmlBare,
  xmlCall,
  xmlFailure,
  xmlOf,
  xmlSuccess,
  xmlValue,
} from './xmlrpc.ts';

const value = (inner: string): Wire => parseXmlValue(`<value>${inner}</value>`);
const refused = (text: string, why?: RegExp) =>
  assert.throws(
    () => parseXmlCall(text),
    (e: Error) => e instanceof XmlError && (!why || why.test(e.message)),
  );
const callOf = (inner: string) =>
  `<methodCall><methodName>m</methodName><params><param><value>${inner}</value></param></params></methodCall>`;

describe('what goes out', () => {
  test('values, byte for byte', () => {
    assert.equal(xmlValue(t.string, 'a<b>&"c\'\n\t'), "<value>a&lt;b&gt;&amp;&quot;c'\n\t</value>");
    assert.equal(xmlValue(t.int, 9007199254740991), '<value>9007199254740991</value>');
    assert.equal(xmlValue(t.bool, true), '<value><boolean>1</boolean></value>');
    assert.equal(xmlValue(t.bool, false), '<value><boolean>0</boolean></value>');
    assert.equal(xmlValue(t.float, 0.1), '<value><double>0.1</double></value>');
    assert.equal(
      xmlValue(t.datetime, '20260131T23:59:59Z'),
      '<value><dateTime.iso8601>20260131T23:59:59Z</dateTime.iso8601></value>',
    );
    assert.equal(xmlValue(t.none, undefined), '<value></value>');
    assert.equal(
      xmlValue(t.set(t.ref('VM')), ['OpaqueRef:1']),
      '<value><array><data><value>OpaqueRef:1</value></data></array></value>',
    );
    assert.equal(xmlValue(t.set(t.string), []), '<value><array><data></data></array></value>');
    assert.equal(
      xmlValue(t.map(t.int, t.string), { 1: 'a' }),
      '<value><struct><member><name>1</name><value>a</value></member></struct></value>',
    );
    assert.equal(xmlValue(t.option(t.string), undefined), '<value><nil/></value>');
  });
  test('control characters are dropped, carriage returns survive a parser', () => {
    assert.equal(escapeXml('a\u0000b\u0007c\u001fd\re\ud800f'), 'abcd&#13;e\ufffdf');
  });
  test('floats have at most 16 significant digits', () => {
    for (const n of [Number.MAX_VALUE, -1.7976931348623155e308]) assert.equal(floatText(n), String(n));
    assert.deepEqual([0, 1, -2.5, 1 / 3, 1e21, Number.NaN, Number.POSITIVE_INFINITY].map(floatText), [
      '0',
      '1',
      '-2.5',
      '0.3333333333333333',
      '1e+21',
      'nan',
      'inf',
    ]);
  });
  test('answers, byte for byte', () => {
    assert.equal(
      `${xmlSuccess.before}<value></value>${xmlSuccess.after}`,
      '<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>Status</name><value>Success</value></member><member><name>Value</name><value></value></member></struct></value></param></params></methodResponse>',
    );
    assert.equal(
      xmlFailure(['HANDLE_INVALID', 'VM', 'a&b']),
      '<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>Status</name><value>Failure</value></member><member><name>ErrorDescription</name><value><array><data><value>HANDLE_INVALID</value><value>VM</value><value>a&amp;b</value></data></array></value></member></struct></value></param></params></methodResponse>',
    );
    assert.deepEqual(parseXmlResponse(`${xmlBare.before}${xmlValue(t.set(t.string), ['a'])}${xmlBare.after}`), ['a']);
  });
  test('a record has its public fields in declared order', () => {
    const text = encodeRecordXml('secret', { uuid: 'u', value: 'v', other_config: { k: 'w' } }).toString();
    assert.equal(
      text,
      '<value><struct><member><name>uuid</name><value>u</value></member><member><name>value</name><value>v</value></member><member><name>other_config</name><value><struct><member><name>k</name><value>w</value></member></struct></value></member></struct></value>',
    );
    assert.doesNotMatch(encodeRecordXml('task', { uuid: 'u', session: 'secret!' }).toString(), /secret!/);
  });
});

describe('what comes in', () => {
  test('typed and untyped scalars', () => {
    assert.deepEqual(
      [
        'plain',
        '<string>s</string>',
        '<i4>1</i4>',
        '<int>-2</int>',
        '<i8>3</i8>',
        '<boolean>1</boolean>',
        '<double>1.5</double>',
        '<nil/>',
        '<string/>',
        '',
      ].map(value),
      ['plain', 's', 1, -2, 3, true, 1.5, null, '', ''],
    );
    assert.equal(value('<i8>9223372036854775807</i8>'), '9223372036854775807', 'kept as text: no number holds it');
    assert.equal(value('<dateTime.iso8601>20260131T00:00:00</dateTime.iso8601>'), '20260131T00:00:00');
    assert.equal(value('<base64>aMOp</base64>'), 'hé');
  });
  test('text: entities, references, CDATA, comments, blanks, line ends', () => {
    assert.equal(value('a&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;'), 'a<>&"\'A😀');
    assert.equal(value('<string> a<![CDATA[<b>&amp;]]><!-- c --> d<?pi e?> </string>'), ' a<b>&amp; d ');
    assert.equal(value('a\r\nb\rc&#13;'), 'a\nb\nc\r');
  });
  test('structs and arrays, blanks between tags, empty forms', () => {
    const text =
      ' <struct> <member> <name>a</name> <value><array><data><value>1</value></data></array></value> </member> </struct> ';
    assert.deepEqual(value(text), { a: ['1'] });
    assert.deepEqual(['<struct/>', '<array><data/></array>', '<array/>', '<struct></struct>'].map(value), [
      {},
      [],
      [],
      {},
    ]);
    const hostile = value('<struct><member><name>__proto__</name><value>x</value></member></struct>');
    assert.deepEqual(Object.keys(hostile as object), ['__proto__']);
  });
  test('calls: prologue, absent and empty parameters', () => {
    const call = (params: string) =>
      parseXmlCall(
        `\ufeff<?xml version="1.0"?><!-- x -->\n<methodCall><methodName> m </methodName>${params}</methodCall>\n`,
      );
    for (const params of ['', '<params/>', '<params />', '<params></params>'])
      assert.deepEqual(call(params), { method: 'm', params: [] });
    assert.deepEqual(parseXmlCall(xmlCall('VM.start', ['r', true, 1, 2 ** 40, 1.5, null, ['a'], { b: 'c' }])).params, [
      'r',
      true,
      1,
      2 ** 40,
      1.5,
      null,
      ['a'],
      { b: 'c' },
    ]);
  });
  test('refused: bombs, depth, wrong tags, wrong values', () => {
    refused(`<!DOCTYPE a [<!ENTITY b "c">]>${callOf('&b;')}`, /refused/);
    refused(callOf('<!ENTITY b "c">'), /refused/);
    refused(callOf('&lol;'), /reference/);
    refused(callOf('&#0;'), /reference/);
    refused(callOf('&#xD800;'), /reference/);
    refused(callOf('a\u0001b'), /forbids/);
    refused(callOf('<array><data><value>'.repeat(70) + '</value></data></array>'.repeat(70)), /nested/);
    for (const bad of [
      '<int>x</int>',
      '<int>1.5</int>',
      '<boolean>2</boolean>',
      '<double>1e</double>',
      '<base64>?</base64>',
      '<base64>/w==</base64>',
      '<weird>1</weird>',
      'a<int>1</int>',
      '<int>1</string>',
      '<struct><member><value>1</value></member></struct>',
    ])
      refused(callOf(bad));
    for (const bad of [
      '',
      'hello',
      '<methodCall>',
      '<methodCall/>',
      '<methodCall><methodName></methodName></methodCall>',
      `${callOf('a')}x`,
      '<methodCall><methodName>m</methodName>',
    ])
      refused(bad);
  });
  test('hostile text costs no more than other text', () => {
    const n = 300_000;
    const started = performance.now();
    for (const bad of [
      `<a${' '.repeat(n)}<`,
      `<${'a'.repeat(n)}`,
      `<a ${'"'.repeat(n)}`,
      callOf(`<double>${'1'.repeat(n)}x</double>`),
      callOf('&'.repeat(n)),
      callOf(`${'<!---->'.repeat(n / 7)}&`),
      '<'.repeat(n),
      callOf(`<int>${' '.repeat(n)}x</int>`),
    ])
      assert.throws(() => parseXmlCall(bad), XmlError);
    assert.ok(performance.now() - started < 5000, 'eight hostile texts within seconds; quadratic ones take minutes');
  });
});

const wire = fc.letrec<{ value: Wire }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1.79e308, max: 1.79e308 }).filter((d) => !Object.is(d, -0)),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;
/** XML cannot carry some characters, and 16 digits not every double. */
const carried = (v: Wire): Wire => {
  if (typeof v === 'string') return v.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]/g, '');
  if (typeof v === 'number') return Number.isSafeInteger(v) ? v : Number(floatText(v));
  if (Array.isArray(v)) return v.map(carried);
  if (typeof v === 'object' && v !== null)
    return Object.fromEntries(Object.entries(v).map(([k, e]) => [carried(k), carried(e)]));
  return v;
};

describe('properties', () => {
  test('what goes out comes in again', () => {
    fc.assert(
      fc.property(wire, (v) => assert.deepEqual(parseXmlValue(xmlOf(v)), carried(v))),
      tries({ seed: 7, numRuns: 500 }),
    );
  });
  test('any text is read or refused, never anything else', () => {
    const piece = fc.constantFrom(
      '<value>',
      '</value>',
      '<string>',
      '</string>',
      '<int>',
      '</int>',
      '1',
      '<struct>',
      '</struct>',
      '<member>',
      '</member>',
      '<name>',
      '</name>',
      '<array>',
      '</array>',
      '<data>',
      '</data>',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '<?',
      '?>',
      '<!',
      '&',
      '&lt;',
      '&#1',
      ';',
      '<params>',
      '</params>',
      '<param>',
      '</param>',
      ' ',
      '\u0000',
      '"',
      '/',
      '<',
      '>',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (parts) => {
        for (const text of [parts.join(''), callOf(parts.join(''))])
          try {
            parseXmlCall(text);
          } catch (error) {
            assert.ok(error instanceof XmlError, String(error));
          }
      }),
      tries({ seed: 11, numRuns: 3000 }),
    );
  });
});
