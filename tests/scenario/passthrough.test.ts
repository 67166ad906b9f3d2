/** Devices of the host for guests, on the simulator's host, which has a card and a stick. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Ref } from '../../src/datamodel/dsl.ts';
import { jsonDriver } from './drivers.ts';
import { testHouse } from './house.ts';

const run = promisify(execFile);

test('a VM is given PCI devices by their addresses; what cannot be given is refused with the reason', async () => {
  await using h = await testHouse();
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'carded');
  const vm = db.byUuid('VM', uuid);
  const cards = [...db.rows('PCI')];
  assert.deepEqual(cards.map(([, c]) => c.pci_id).sort(), ['0000:03:00.0', '0000:04:00.0']);
  const set = (pci: string) => root('VM.set_other_config', vm, { pci });
  await assert.rejects(set('0/03:00.0'), /VALUE_NOT_SUPPORTED.*other_config:pci/);
  await assert.rejects(set('0/0000:03:00.0,1/0000:03:00.0'), /VALUE_NOT_SUPPORTED/);
  await set('0/0000:04:00.0');
  await assert.rejects(root('VM.start', vm, false, false), /VALUE_NOT_SUPPORTED.*0000:04:00\.0.*its driver is e1000e/);
  await set('0/0000:03:00.0');
  await d.power(uuid, 'start');
  const [ref] = cards.find(([, c]) => c.pci_id === '0000:03:00.0') ?? [];
  assert.deepEqual(db.get('VM', vm).attached_PCIs, [ref]);
  await d.power(uuid, 'hard_shutdown');
  assert.deepEqual(db.get('VM', vm).attached_PCIs, []);
});

test('a VM is given the USB device of a group, once somebody allows that', async () => {
  await using h = await testHouse();
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'sticky');
  const vm = db.byUuid('VM', uuid);
  const [host] = [...db.refs('host')];
  await root('PUSB.scan', host);
  const [[pusb, stick] = []] = [...db.rows('PUSB')];
  assert.ok(pusb && stick);
  assert.deepEqual(
    [stick.path, stick.vendor_id, stick.product_desc, stick.passthrough_enabled],
    ['1-1.2', '0781', 'Stick', false],
  );
  const create = () => root('VUSB.create', vm, stick.USB_group, {}) as Promise<Ref<'VUSB'>>;
  await assert.rejects(create(), /OPERATION_NOT_ALLOWED.*given away/);
  const env = { PATH: process.env['PATH'], HOME: h.data, GUESTHOUSE_DATA: h.data };
  await run(
    join(import.meta.dirname, '../../bin/xe'),
    ['pusb-param-set', `uuid=${stick.uuid}`, 'passthrough-enabled=true'],
    { env },
  );
  const vusb = await create();
  await assert.rejects(create(), /USB_GROUP_CONFLICT/);
  await assert.rejects(root('PUSB.set_passthrough_enabled', pusb, false), /USB_ALREADY_ATTACHED/);
  await d.power(uuid, 'start');
  assert.equal(db.get('VUSB', vusb).currently_attached, true);
  assert.deepEqual((await h.house.xenops.vm.stat({ id: uuid })).spec.usbs, [
    { id: db.get('VUSB', vusb).uuid, path: '1-1.2' },
  ]);
  await assert.rejects(root('VUSB.destroy', vusb), /VM_BAD_POWER_STATE/);
  await d.power(uuid, 'hard_shutdown');
  assert.equal(db.get('VUSB', vusb).currently_attached, false);
  await root('VUSB.destroy', vusb);
  await root('PUSB.scan', host);
  assert.equal([...db.rows('PUSB')].length, 1);
});
