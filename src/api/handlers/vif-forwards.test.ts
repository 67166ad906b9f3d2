import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForwards } from './vif-forwards.ts';

test('forwards are read', () => {
  assert.deepEqual(parseForwards(''), []);
  assert.deepEqual(parseForwards('tcp:127.0.0.1:2222:22, udp::5353:53,TCP:0.0.0.0:80:8080,tcp:[::1]:81:8081,'), [
    { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 2222, guestPort: 22 },
    { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 5353, guestPort: 53 },
    { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 80, guestPort: 8080 },
    { protocol: 'tcp', hostAddress: '::1', hostPort: 81, guestPort: 8081 },
  ]);
});

test('what cannot be read is refused by name', () => {
  for (const wrong of ['2222:22', 'sctp::1:2', 'tcp::0:22', 'tcp::70000:22', 'tcp::22', 'tcp:host:1:2', 'tcp::1:2;rm'])
    assert.throws(
      () => parseForwards(`tcp::1:1,${wrong}`),
      (error: Error & { wire?: readonly string[] }) => {
        assert.equal(error.wire?.[0], 'VALUE_NOT_SUPPORTED');
        assert.equal(error.wire?.[2], wrong);
        return true;
      },
    );
});
