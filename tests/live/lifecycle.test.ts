/** The life of a VM on real QEMU, by every client; npm `xen-api`, unchanged, starts and stops a guest through `Async.*`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { createClient } from 'xen-api';
import { jsonDriver, xeDriver, xmlDriver } from '../scenario/drivers.ts';
import { password, testHouse } from '../scenario/house.ts';
import { lifecycle } from '../scenario/lifecycle.ts';
import { cannotRun, consoleSays } from './host.ts';

const skip = cannotRun() ?? false;
const folder = join(import.meta.dirname, '../../build/guest');
const image = () => {
  const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<
    'kernel' | 'ramdisk' | 'cmdline',
    string
  >;
  return { kernel: join(folder, m.kernel), ramdisk: join(folder, m.ramdisk), cmdline: m.cmdline };
};

test('the life of a VM, by every client, on QEMU', { skip }, async (t) => {
  await using h = await testHouse({ hypervisor: 'qemu', guest: image() });
  const up = (uuid: string) => consoleSays(join(h.data, 'domains', uuid, 'console.log'), 'READY');
  for (const make of [xmlDriver, jsonDriver, xeDriver]) {
    const driver = await make(h);
    await t.test(driver.name, () => lifecycle(driver, { template: 'Tiny Linux', answers: true, suspend: true, up }));
  }
  assert.deepEqual(await h.house.storage.vdi.users({}), [], 'no disk stays open');
  assert.deepEqual(await h.house.network.port.list({}), [], 'no port stays');
});

// biome-ignore lint/suspicious/noExplicitAny: the package has no types
type Loose = any;

test('npm xen-api connects unchanged, sees events, starts and stops a guest', { skip }, async () => {
  await using h = await testHouse({ hypervisor: 'qemu', guest: image() });
  const xapi: Loose = createClient({ url: h.url, auth: { user: 'root', password }, debounce: 0 });
  await using _ = { [Symbol.asyncDispose]: () => xapi.disconnect() };
  await xapi.connect();
  await xapi.objectsFetched;
  const template = Object.values(xapi.objects.all as Record<string, Loose>).find(
    (o) => o.$type === 'VM' && o.name_label === 'Tiny Linux',
  );
  const vm = await xapi.callAsync('VM.clone', template.$ref, 'by xen-api');
  await xapi.callAsync('VM.provision', vm);
  const seen: string[] = [];
  const halted = new Promise<void>((resolve) => {
    xapi.objects.on('update', (objects: Record<string, Loose>) => {
      for (const o of Object.values(objects)) {
        if (o?.$ref !== vm) continue;
        if (o.power_state !== seen.at(-1)) seen.push(o.power_state);
        if (o.power_state === 'Halted' && seen.includes('Running')) resolve();
      }
    });
  });
  await xapi.callAsync('VM.start', vm, false, false);
  assert.equal(await xapi.call('VM.get_power_state', vm), 'Running');
  await xapi.callAsync('VM.hard_shutdown', vm);
  await halted;
  assert.ok(seen.includes('Running'));
});
