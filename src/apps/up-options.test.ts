import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from './refusal.ts';
import { addressOf, checkFree, checkUpOptions, type UpOptions } from './up-options.ts';

const good: UpOptions = {
  data: '/x',
  listen: '127.0.0.1:8080',
  listenTls: '0.0.0.0:8443',
  hypervisor: 'auto',
  store: 'sqlite',
  demo: false,
};

test('good options pass', () => {
  checkUpOptions(good);
  checkUpOptions({ ...good, listen: '[::1]:0', listenTls: 'none' });
  checkUpOptions({ ...good, listen: 'localhost:65535', listenTls: 'host.example:443' });
  assert.deepEqual(addressOf('--listen', '[fe80::1]:80'), { host: 'fe80::1', port: 80 });
});

test('a refusal names the flag, the value and what to do', () => {
  const cases: [Partial<UpOptions>, RegExp][] = [
    [{ listen: '8080' }, /^--listen 8080: not an address; write HOST:PORT/],
    [{ listen: '127.0.0.1:99999' }, /^--listen 127\.0\.0\.1:99999: not an address/],
    [{ listen: '127.0.0.1:' }, /not an address/],
    [{ listen: '::1:80' }, /not an address/],
    [{ listen: '0.0.0.0:80' }, /^--listen 0\.0\.0\.0:80: plain HTTP is for this machine only/],
    [{ listen: '127.0.0.1.example.com:80' }, /this machine only/],
    [{ listenTls: 'nobody' }, /^--listen-tls nobody: not an address/],
    [{ hypervisor: 'kvm' }, /^--hypervisor kvm: not known; choose one of auto, xen, qemu, simulator/],
    [{ store: 'etcd://x' }, /^--store etcd:\/\/x: etcd is not supported yet/],
    [{ store: 'x' }, /^--store x: not known/],
  ];
  for (const [part, why] of cases)
    assert.throws(
      () => checkUpOptions({ ...good, ...part }),
      (e: Error) => e instanceof Refusal && why.test(e.message),
      JSON.stringify(part),
    );
});

test('an address that this machine does not have is refused', async () => {
  await checkFree('--listen', '127.0.0.1:0');
  await assert.rejects(
    checkFree('--listen-tls', '192.0.2.1:8443'),
    /^Refusal: --listen-tls 192\.0\.2\.1:8443: this machine has no address/,
  );
});
