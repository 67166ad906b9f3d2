/** The life of a VM by every client, as on the simulator and on QEMU, on real Xen: in a box, from outside. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { jsonDriver, xeDriver, xmlDriver } from '../scenario/drivers.ts';
import { password, type TestHouse } from '../scenario/house.ts';
import { lifecycle } from '../scenario/lifecycle.ts';
import { cannotBox, type LiveBox, liveBox } from './box-host.ts';
import { dial } from './clients/bridge.ts';

const skip = cannotBox();
const readyMs = 120_000;

/** The uuid of the guest's text console: its own uuid leads to its screen. */
async function serial(b: LiveBox, uuid: string): Promise<string> {
  for (const ref of (await b.call('VM.get_consoles', await b.call('VM.get_by_uuid', uuid))) as string[]) {
    const { protocol, uuid: found } = (await b.call('console.get_record', ref)) as Record<string, string>;
    if (protocol === 'vt100' && found) return found;
  }
  throw new Error(`${uuid} has no text console`);
}
/** The guest's console has a line READY; what it said since it was started is told to everybody who comes. */
async function ready(b: LiveBox, uuid: string): Promise<void> {
  const deadline = AbortSignal.timeout(readyMs);
  const socket = await dial({ url: b.url, path: `/console?uuid=${await serial(b, uuid)}`, session: await b.session() });
  let said = '';
  try {
    while (!/^READY\r?$/m.test(said)) {
      const [piece] = (await once(socket, 'data', { signal: deadline })) as [Buffer];
      said += piece.toString('latin1');
    }
  } catch (error) {
    throw new Error(`the guest did not say READY: ${said.slice(-500)}`, { cause: error });
  } finally {
    socket.destroy();
  }
}

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
