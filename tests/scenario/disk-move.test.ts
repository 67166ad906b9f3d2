import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskHouse } from './disk-house.ts';
import { disksOf, get, membersOf, mib, sparse, vmWithDisks } from './vm-files.ts';

test('a disk moves to another repository, its drive with it', async () => {
  await using h = await diskHouse();
  const content = sparse(9 * mib);
  const vm = await vmWithDisks(h, [content]);
  const [vbd] = await h.root<string[]>('VM.get_VBDs', vm);
  const vdi = await h.root('VBD.get_VDI', vbd);
  const [me] = await h.root<string[]>('host.get_all');
  const sr = await h.root('SR.create', me, { format: 'raw' }, 0, 'other', '', 'file', 'user', false, {});
  await h.root('VM.start', vm, false, false);
  await assert.rejects(h.root('VDI.pool_migrate', vdi, sr, {}), /OPERATION_NOT_ALLOWED|VDI_IN_USE/);
  await h.root('VM.hard_shutdown', vm);
  const moved = await h.root('VDI.pool_migrate', vdi, sr, {});
  assert.notEqual(moved, vdi);
  assert.equal(await h.root('VBD.get_VDI', vbd), moved);
  assert.deepEqual(await h.root('SR.get_VDIs', sr), [moved]);
  await assert.rejects(h.root('VDI.get_record', vdi), /HANDLE_INVALID/);
  assert.ok((await disksOf(h, vm))[0]?.equals(content));
  await h.root('VM.start', vm, false, false);
  await h.root('VM.hard_shutdown', vm);
});

test('a disk goes out as the chunks of an archive', async () => {
  await using h = await diskHouse();
  const content = sparse(9 * mib + 512);
  const vm = await vmWithDisks(h, [content]);
  const [vbd] = await h.root<string[]>('VM.get_VBDs', vm);
  const { status, body } = await get(h, '/export_raw_vdi', { vdi: await h.root('VBD.get_VDI', vbd), format: 'tar' });
  assert.equal(status, 200);
  const members = await membersOf(body);
  const chunks = members.filter(({ name }) => /^vdi\/\d{8}$/.test(name));
  assert.equal(members.length, 2 * chunks.length);
  const again = Buffer.alloc(content.length);
  for (const { name, data } of chunks) data.copy(again, Number(name.slice(4)) * mib);
  assert.ok(again.equals(content));
});
