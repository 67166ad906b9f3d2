/** The life of a VM by every client, as on the simulator and on QEMU, on real Xen: in a box, from outside. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { jsonDriver, xeDriver, xmlDriver } from '../scenario/drivers.ts';
import { password, type TestHouse } from '../scenario/house.ts';
import { lifecycle } from '../scenario/lifecycle.ts';
import { cannotBox, liveBox, ready } from './box-host.ts';

const skip = cannotBox();

test('the life of a VM, by every client, on Xen', { skip, timeout: 900_000 }, async (t) => {
  await using b = await liveBox({ password });
  // What the drivers use of a host.
  const host = { url: b.url, data: b.data } as TestHouse;
  for (const make of [xmlDriver, jsonDriver, xeDriver]) {
    const driver = await make(host);
    const up = (uuid: string) => ready(b, uuid);
    await t.test(driver.name, () => lifecycle(driver, { template: 'Tiny Linux', answers: true, suspend: true, up }));
  }
  const { out } = await b.exec([
    'sh',
    '-c',
    'xenstore-list /local/domain; losetup --list --noheadings; ls /sys/class/net',
  ]);
  assert.doesNotMatch(out.toString(), /^[1-9]/m, 'no domain stays in the store');
  assert.doesNotMatch(out.toString(), /loop|vif/, `no disk and no interface stays: ${out}`);
});
