import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskHouse } from './disk-house.ts';
import { ask, get, mib } from './vm-files.ts';

test('a disk above 2 TiB goes in and out, but not as VHD', async (t) => {
  await using h = await diskHouse();
  const folder = mkdtempSync(join(tmpdir(), 'gh-large-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const size = 3 * 2 ** 40;
  const [pool] = await h.root<string[]>('pool.get_all');
  const fields = { type: 'user', sharable: false, read_only: false, other_config: {}, name_label: 'large' };
  const vdi = await h.root('VDI.create', {
    ...fields,
    SR: await h.root('pool.get_default_SR', pool),
    virtual_size: size,
  });
  const data = randomBytes(mib);
  const head = (at: number, length: number) => {
    const b = Buffer.alloc(12);
    b.writeBigUInt64LE(BigInt(at));
    b.writeUInt32LE(length, 8);
    return b;
  };
  const frames = Buffer.concat([head(size - mib, mib), data, head(0, 0)]);
  const put = await ask(h, 'PUT', '/import_raw_vdi', { vdi, chunked: 'true' }, frames);
  assert.equal(put.status, 200, put.body.toString());
  assert.ok((await get(h, '/export_raw_vdi', { vdi, chunked: 'true' })).body.equals(frames));
  const { body } = await get(h, '/export_raw_vdi', { vdi, format: 'qcow2' });
  writeFileSync(join(folder, 'large.qcow2'), body);
  writeFileSync(join(folder, 'data'), data);
  execFileSync('qemu-img', ['check', '-q', '-f', 'qcow2', join(folder, 'large.qcow2')]);
  const made = await ask(h, 'PUT', '/import', { name_label: 'large' }, body);
  assert.equal(made.status, 200, made.body.toString());
  const [copy] = (await h.root<string[]>('VDI.get_by_name_label', 'large')).filter((ref) => ref !== vdi);
  assert.ok((await get(h, '/export_raw_vdi', { vdi: copy as string, chunked: 'true' })).body.equals(frames));
  const refused = await get(h, '/export_raw_vdi', { vdi, format: 'vhd' });
  assert.equal(refused.status, 500);
  assert.match(refused.body.toString(), /VDI_TOO_LARGE .* 2190433320960/);
});
