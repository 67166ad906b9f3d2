import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSwitchAddress } from './switch-address.ts';

const nats = { user: undefined, password: undefined, tls: false, ca: undefined, namespace: 'guesthouse', replicas: 1 };

test('a path is a socket', () => {
  assert.deepEqual(parseSwitchAddress('/run/a b/sock'), { kind: 'socket', path: '/run/a b/sock' });
  assert.deepEqual(parseSwitchAddress('sock'), { kind: 'socket', path: 'sock' });
});
test('NATS: servers, credentials, namespace, settings', () => {
  const read = (text: string) => {
    const parsed = parseSwitchAddress(text);
    return parsed.kind === 'nats' ? parsed.nats : undefined;
  };
  assert.deepEqual(read('nats://a'), { ...nats, servers: ['a:4222'] });
  assert.deepEqual(read('nats://a,[fe80::1]:5,10.0.0.1:4223/rack-1?replicas=3'), {
    ...nats,
    servers: ['a:4222', '[fe80::1]:5', '10.0.0.1:4223'],
    namespace: 'rack-1',
    replicas: 3,
  });
  assert.deepEqual(read('tls://me:p%40ss:word@a/?ca=/etc/ca.pem'), {
    ...nats,
    servers: ['a:4222'],
    user: 'me',
    password: 'p@ss:word',
    tls: true,
    ca: '/etc/ca.pem',
  });
});
test('what is no address says what is wrong, and repeats no password', () => {
  for (const [text, why] of [
    ['http://a', /not http:\/\//],
    ['nats://', /no HOST/],
    ['nats://a:0', /no HOST/],
    ['nats://a:99999', /no HOST/],
    ['nats://a,', /no HOST/],
    ['nats://a/b c', /namespace/],
    ['nats://a/b/c', /namespace/],
    ['nats://a?replicas=9', /replicas/],
    ['nats://a?ca=/x', /knows no "ca"/],
    ['tls://10.0.0.1:4222', /names in their certificates/],
    ['nats://u:secret%zz@a', /begins no escape/],
  ] as const)
    assert.throws(
      () => parseSwitchAddress(text),
      (e: Error) => e instanceof TypeError && why.test(e.message),
      text,
    );
  fc.assert(
    fc.property(fc.constantFrom('nats://', 'tls://'), fc.string(), (scheme, rest) => {
      try {
        parseSwitchAddress(scheme + rest);
      } catch (e) {
        assert.ok(e instanceof TypeError);
      }
    }),
  );
});
