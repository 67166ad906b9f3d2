/** A guest that serves the devices of another: a driver domain, on real Xen. Runs in dom0. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import { withoutXen } from './xen-bench.ts';
import { boot, drive, ground, run } from './xen-ground.ts';

const skip = withoutXen() ?? false;
const mib = 1 << 20;

test('xen: a driver domain serves the interface and the disk of another guest', { skip }, async (t) => {
  const b = await ground(t, 'pv');
  const disk = await b.file('raw', 4 * mib);
  const driver = await boot(b, (id) => b.backend.vbd.attach(id, drive(0, disk)));
  const domid = b.xen.domains.list().find((d) => d.uuid === driver)?.domid;
  await run(b, driver, 'echo from the driver domain > /dev/xvda', 'WRITTEN');
  await run(b, driver, `modprobe bridge; brctl addbr ${b.bridge}; ip addr add 10.99.8.1/24 dev ${b.bridge}`, 'BRIDGED');

  const vif = await b.vif(2, 0);
  b.with({ platform: { [`backend:${vif.spec.id}`]: `${domid}`, 'backend:d0': `${domid}` } });
  const spec = b.spec(2);
  await b.backend.vm.create(spec, 2);
  await b.backend.vif.attach(spec.id, vif);
  await b.backend.vbd.attach(spec.id, drive(0, { path: '/dev/xvda', format: 'raw', readOnly: true }));
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  await b.ready(spec.id);
  await run(b, spec.id, 'ip link set eth0 up; ip addr add 10.99.8.2/24 dev eth0', 'CONFIGURED');
  await run(b, spec.id, 'until ping -c 1 -W 1 10.99.8.1 > /dev/null; do :; done', 'PINGED');
  await run(
    b,
    spec.id,
    'until [ -b /dev/xvda ]; do sleep 0.1; done; head -c 22 /dev/xvda | grep -q "driver domain"',
    'READ',
  );
  await b.backend.vif.detach(spec.id, vif.spec.id, false);
  await b.backend.vbd.detach(spec.id, 'd0', false);
  await run(b, spec.id, 'until [ ! -e /sys/class/net/eth0 ] && [ ! -b /dev/xvda ]; do sleep 0.1; done', 'LET-GO');
  await run(
    b,
    driver,
    'until [ -z "$(ls -d /sys/class/net/vif* 2> /dev/null)" ]; do sleep 0.1; done',
    'NOTHING-SERVED',
  );

  await b.backend.vif.attach(spec.id, vif);
  await run(b, spec.id, 'until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done', 'PLUGGED');
  // With its driver domain gone, a guest is destroyed all the same.
  await b.backend.vm.destroy(driver);
  await b.backend.vm.destroy(spec.id);
  assert.deepEqual(await b.store.directory('/local/domain'), ['0']);

  await b.backend.vm.create(spec, 3);
  await assert.rejects(b.backend.vif.attach(spec.id, vif), (e) => isKind(e, 'Bad_spec'));
});
