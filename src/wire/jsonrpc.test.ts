import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { tries } from '../../tests/property/soak.ts';
import { t } from '../datamodel/dsl.ts';
import { encodeRecordJson, JsonError, jsonFailure, jsonSuccess, jsonValue, parseJsonCall } from './jsonrpc.ts';

const refused = (call: unknown, why: RegExp) =>
  assert.throws(
    () => parseJsonCall(typeof call === 'string' ? call : JSON.stringify(call)),
    (e: Error) => e instanceof JsonError && why.test(e.message),
  );

describe('calls', () => {
  test('1.0 and 2.0', () => {
    assert.deepEqual(parseJsonCall('{"method":"m","params":[1,"a"],"id":"x"}'), {
      version: '1.0',
      id: 'x',
      method: 'm',
      params: [1, 'a'],
    });
    assert.deepEqual(parseJsonCall('{"jsonrpc":"2.0","method":"m","id":0}'), {
      version: '2.0',
      id: 0,
      method: 'm',
      params: [],
    });
  });
  test('refused, with the reason', () => {
    refused('{', /not JSON/);
    refused('[]', /batches/);
    refused('"x"', /object/);
    refused({ jsonrpc: '3.0', method: 'm', id: 1 }, /jsonrpc must be/);
    refused({ method: 5, id: 1 }, /method/);
    refused({ jsonrpc: '2.0', method: 'm' }, /notifications/);
    refused({ method: 'm', id: null }, /notifications/);
    refused({ method: 'm', id: 1.5 }, /id must be/);
    refused('{"method":"m","id":9007199254740993}', /id must be/);
    refused({ method: 'm', id: {} }, /id must be/);
    refused({ method: 'm', id: 1, params: {} }, /array/);
    refused(`{"method":"m","id":1,"params":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`, /nested/);
    refused(`{"method":"m","id":1,"params":[${'{"a":'.repeat(100)}1${'}'.repeat(100)}]}`, /nested/);
    assert.doesNotThrow(() =>
      parseJsonCall(JSON.stringify({ method: 'm', id: 1, params: ['['.repeat(1000), '\\"'.repeat(9), '\\'] })),
    );
  });
});

describe('answers, byte for byte', () => {
  const v1 = { version: '1.0', id: 'a' } as const;
  const v2 = { version: '2.0', id: 7 } as const;
  const success = (call: typeof v1 | typeof v2, text: string) =>
    jsonSuccess(call).before + text + jsonSuccess(call).after;
  test('success and failure', () => {
    assert.equal(success(v1, '1'), '{"result":1,"error":null,"id":"a"}');
    assert.equal(success(v2, '1'), '{"jsonrpc":"2.0","result":1,"id":7}');
    assert.equal(jsonFailure(v1, ['CODE', 'p']), '{"result":null,"error":["CODE","p"],"id":"a"}');
    assert.equal(
      jsonFailure(v2, ['CODE', 'p']),
      '{"jsonrpc":"2.0","error":{"code":1,"message":"CODE","data":["p"]},"id":7}',
    );
  });
  test('values', () => {
    assert.equal(jsonValue(t.none, undefined), '""');
    assert.equal(jsonValue(t.int, 9007199254740991), '9007199254740991');
    assert.equal(jsonValue(t.datetime, '20260131T00:00:00Z'), '"20260131T00:00:00Z"');
    assert.equal(
      encodeRecordJson('secret', { uuid: 'u', value: 'v', other_config: {} }).toString(),
      '{"uuid":"u","value":"v","other_config":{}}',
    );
    assert.doesNotMatch(encodeRecordJson('task', { uuid: 'u', session: 'secret!' }).toString(), /secret!/);
  });
});

test('any text is read or refused, never anything else', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    '"id"',
    '1',
    '"method"',
    '"m"',
    '"params"',
    'null',
    '1e999',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 20 }), (parts) => {
      for (const text of [parts.join(''), `{"method":"m","id":1,"params":[${parts.join('')}]}`])
        try {
          parseJsonCall(text);
        } catch (error) {
          assert.ok(error instanceof JsonError, String(error));
        }
    }),
    tries({ seed: 3, numRuns: 3000 }),
  );
});
