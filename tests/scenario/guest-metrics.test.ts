/** What a guest's agent says, through the API and the door of xenopsd's kind of state, on the simulator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonDriver } from './drivers.ts';
import { testHouse } from './house.ts';

test('VM_guest_metrics is there while the guest runs, and follows its agent', async () => {
  await using h = await testHouse();
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'Tells of itself');
  await d.addNetwork(uuid);
  const vm = db.byUuid('VM', uuid);
  await root('VM.add_to_platform', vm, 'sim:agent', 'true');
  const metrics = () => db.find('VM_guest_metrics', db.get('VM', vm).guest_metrics);
  assert.equal(metrics(), undefined);
  await d.power(uuid, 'start');
  const seen = metrics();
  assert.equal(seen?.live, true);
  assert.equal(seen?.PV_drivers_detected, true);
  assert.deepEqual(seen?.PV_drivers_version, { major: '1', minor: '0', micro: '' });
  assert.deepEqual(seen?.os_version, {
    name: 'Simulated Linux 1.0',
    uname: '1.0',
    distro: 'simulated',
    major: '1',
    minor: '0',
  });
  assert.equal(seen?.networks['0/ip'], '192.0.2.1');
  assert.equal(seen?.networks['0/ipv4/0'], '192.0.2.1');
  assert.deepEqual(seen?.netbios_name, { host_name: 'tells-of-itself' });
  assert.equal(seen?.disks['0/mount'], '/');
  assert.equal(seen?.disks['0/used'], String(2 ** 29));
  assert.equal(seen?.other['feature-freeze'], '1');
  assert.ok(Number(seen?.memory['free']) > 0);
  const { ref, last_updated } = { ref: db.get('VM', vm).guest_metrics, last_updated: seen?.last_updated };
  // What does not change is not written again.
  await root('VM.pause', vm);
  await root('VM.unpause', vm);
  assert.equal(db.get('VM', vm).guest_metrics, ref);
  assert.ok(last_updated);
  await d.power(uuid, 'hard_shutdown');
  assert.equal(metrics(), undefined);
});
