import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nullRef, secret, type Type, t } from '../datamodel/dsl.ts';
import { ApiError } from '../datamodel/errors.ts';
import type { Wire } from '../wire/xmlrpc-decode.ts';
import { datetimeText, decodeAs, timeOf, timeText } from './decode.ts';

const refused = (type: Type<unknown>, wire: Wire, code: string, text: RegExp) =>
  assert.throws(
    () => decodeAs(type, wire, 'p'),
    (e: unknown) => e instanceof ApiError && e.code === code && text.test(e.wire.slice(1).join(' | ')),
  );

describe('parameters', () => {
  test('what clients send is taken', () => {
    assert.equal(decodeAs(t.int, '-42', 'p'), -42);
    assert.equal(decodeAs(t.int, 42, 'p'), 42);
    assert.equal(decodeAs(t.float, '1.5', 'p'), 1.5);
    assert.equal(decodeAs(t.float, 60, 'p'), 60);
    assert.equal(decodeAs(t.ref('VM'), '', 'p'), nullRef);
    assert.deepEqual(decodeAs(t.map(t.string, t.int), { a: '1' }, 'p'), { a: 1 });
    assert.deepEqual(decodeAs(t.map(t.int, t.string), { '01': 'a' }, 'p'), { 1: 'a' });
    assert.deepEqual(decodeAs(t.set(t.bool), [true, false], 'p'), [true, false]);
    assert.equal(decodeAs(t.option(t.string), null, 'p'), undefined);
  });
  test('everything else is refused by name', () => {
    refused(t.string, 5, 'FIELD_TYPE_ERROR', /p: expected a string, got 5/);
    refused(t.string, 'a\u0000', 'INVALID_VALUE', /NUL/);
    refused(t.string, '\udc00', 'INVALID_VALUE', /UTF-8/);
    refused(t.int, 1.5, 'FIELD_TYPE_ERROR', /integer/);
    refused(t.int, '9223372036854775807', 'INVALID_VALUE', /2\^53/);
    refused(t.int, 2 ** 53, 'INVALID_VALUE', /2\^53/);
    refused(t.int, '', 'FIELD_TYPE_ERROR', /integer/);
    refused(t.float, 'x', 'FIELD_TYPE_ERROR', /number/);
    refused(t.float, '1e999', 'INVALID_VALUE', /finite/);
    refused(t.bool, '1', 'FIELD_TYPE_ERROR', /boolean/);
    refused(t.enum('e', ['a', 'b']), 'c', 'INVALID_VALUE', /p \| "c": it must be one of a, b/);
    refused(t.set(t.int), ['x'], 'FIELD_TYPE_ERROR', /p\[0\]/);
    refused(t.map(t.string, t.string), { k: ['x'] }, 'FIELD_TYPE_ERROR', /p\.k/);
    refused(t.map(t.string, t.string), [], 'FIELD_TYPE_ERROR', /struct/);
    refused(t.datetime, '2026-13-01T00:00:00Z', 'INVALID_VALUE', /20260131/);
    refused(t.string, ['x'.repeat(1000)], 'FIELD_TYPE_ERROR', /\(1004 characters\)/);
    refused(secret(t.string), ['hush'], 'FIELD_TYPE_ERROR', /got a secret/);
    refused(secret(t.set(t.string)), [['hush']], 'FIELD_TYPE_ERROR', /got a secret/);
  });
});

describe('dates', () => {
  test('in all the forms that clients send', () => {
    const same = [
      '20260131T23:59:59Z',
      '2026-01-31T23:59:59Z',
      '20260131T235959',
      '2026-01-31T23:59:59.123Z',
      '2026-02-01T01:59:59+02:00',
      '20260131T18:59:59-0500',
    ];
    for (const text of same) assert.equal(datetimeText(text), '20260131T23:59:59Z', text);
    for (const text of ['', 'now', '2026-02-30T00:00:00Z', '2026-01-01', '20260101T24:00:00Z', 'x'.repeat(100_000)])
      assert.equal(datetimeText(text), undefined, text.slice(0, 20));
  });
  test('text and milliseconds are each other’s inverse, to the second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253402300799 }), (s) => {
        assert.equal(timeOf(timeText(s * 1000)), s * 1000);
        assert.equal(datetimeText(timeText(s * 1000)), timeText(s * 1000));
      }),
      { seed: 5 },
    );
  });
});
