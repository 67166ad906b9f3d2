/** A suspend image that is damaged is refused, the guest that is in it is not lost, and whole again it is resumed. */
import assert from 'node:assert/strict';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { jsonDriver } from '../scenario/drivers.ts';
import { testHouse } from '../scenario/house.ts';
import { newestFile } from '../scenario/snapshot-bed.ts';
import { domainOf, inGuest } from './guest-shell.ts';
import { cannotRun, consoleSays } from './host.ts';
import { image } from './linux-bed.ts';

test('a damaged suspend image is refused', { skip: cannotRun() ?? false }, async () => {
  await using h = await testHouse({ hypervisor: 'qemu', guest: image(), quiet: true });
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'sleeps');
  await d.power(uuid, 'start');
  const at = domainOf(h.data, uuid);
  await consoleSays(join(at, 'console.log'), 'READY');
  await inGuest(at, 'echo remembered > /tmp/it');
  const vm = db.byUuid('VM', uuid);
  await root('VM.suspend', vm);
  const vdi = db.get('VDI', db.get('VM', vm).suspend_VDI);
  const [pbd] = db.get('SR', vdi.SR).PBDs;
  const { location = '' } = db.get('PBD', pbd ?? assert.fail()).device_config;
  const file = await open(join(location, newestFile(await readdir(location), vdi.uuid)), 'r+');
  try {
    const head = Buffer.alloc(64);
    await file.read(head, 0, 64, 0);
    const [start, length] = [head.readUInt32LE(36), Number(head.readBigUInt64LE(40))];
    const damage = async (position: number) => {
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, position);
      byte[0] = (byte[0] ?? 0) ^ 1;
      await file.write(byte, 0, 1, position);
    };
    // The header, the end with the devices, and the memory.
    for (const position of [80, start + length - 100, start + Math.floor(length / 2)]) {
      await damage(position);
      await assert.rejects(root('VM.resume', vm, false, false), /damaged/);
      assert.equal(db.get('VM', vm).power_state, 'Suspended');
      await damage(position);
    }
  } finally {
    await file.close();
  }
  await root('VM.resume', vm, false, false);
  assert.equal(await inGuest(at, 'cat /tmp/it'), 'remembered');
});
