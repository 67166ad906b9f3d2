/**
 * Mutated files through the whole import, over HTTP into a repository: `GUESTHOUSE_IMPORTS=2000 GUESTHOUSE_SEED=1` for many. What is
 * refused leaves nothing; what is taken is a VM or a disk; nothing appears outside the repository.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createGzip, gzipSync } from 'node:zlib';
import { member } from '../../src/api/xva/disk-out.ts';
import { tarHeader } from '../../src/wire/tar.ts';
import { corpus, mutated, numbers, ovaXml, ovf } from '../property/disk-corpus.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';
import { ask } from './vm-files.ts';

const count = Number(process.env['GUESTHOUSE_IMPORTS'] ?? 60);
const seed = Number(process.env['GUESTHOUSE_SEED'] ?? 1);

/** Every file below the host's folder, but those of the repository itself and of sockets. */
function filesOf(h: DiskHouse, sr: string): readonly string[] {
  const all = readdirSync(h.data, { recursive: true, encoding: 'utf8' });
  return all.filter((file) => !file.includes(sr) && !file.includes('transfers')).sort();
}
async function emptied(h: DiskHouse): Promise<{ vms: number; disks: number }> {
  let vms = 0;
  let disks = 0;
  for (const vm of await h.root<string[]>('VM.get_all')) {
    if ((await h.root<boolean>('VM.get_is_a_template', vm)) || (await h.root<boolean>('VM.get_is_control_domain', vm)))
      continue;
    await h.root('VM.destroy', vm);
    vms++;
  }
  for (const vdi of await h.root<string[]>('VDI.get_all')) {
    await h.root('VDI.destroy', vdi);
    disks++;
  }
  return { vms, disks };
}

test('hostile files are refused, and leave nothing', async () => {
  await using h = await diskHouse();
  const samples = await corpus();
  const [pool] = await h.root<string[]>('pool.get_all');
  const sr_id = await h.root('pool.get_default_SR', pool);
  const uuid = await h.root('SR.get_uuid', sr_id);
  const [before, folder] = [filesOf(h, uuid), readdirSync(join(h.data, 'sr', uuid)).sort()];
  const found = { taken: 0, refused: 0 };
  for (let i = 0; i < count; i++) {
    const next = numbers(seed * 7919 + i);
    const sample = samples[i % samples.length];
    if (!sample) continue;
    const file = mutated(sample, next);
    const disk = ['vhd', 'qcow2', 'vmdk'].includes(sample.kind);
    const query: Record<string, string> = disk && next() % 2 ? { sr_id, format: sample.kind } : {};
    const path = 'format' in query ? '/import_raw_vdi' : '/import';
    const sent = path === '/import' && next() % 3 === 0 ? gzipSync(file) : file;
    const { status, body } = await ask(h, 'PUT', path, query, sent);
    const what = `seed ${seed}, file ${i}, ${sample.kind}: ${status} ${body.toString().slice(0, 400)}`;
    assert.ok(status === 200 || status === 500, what);
    assert.doesNotMatch(body.toString(), /INTERNAL_ERROR/, what);
    const there = await emptied(h);
    if (status === 500) assert.deepEqual(there, { vms: 0, disks: 0 }, what);
    found[status === 200 ? 'taken' : 'refused']++;
    assert.deepEqual(readdirSync(join(h.data, 'sr', uuid)).sort(), folder, what);
  }
  assert.deepEqual(filesOf(h, uuid), before);
  assert.ok(found.refused > count / 4, JSON.stringify(found));
  assert.ok(process.resourceUsage().maxRSS < 800 * 1024, 'memory is bounded, in KiB');
});

test('a small file that would unpack to a large one is refused, and memory stays bounded', async () => {
  await using h = await diskHouse();
  const before = process.memoryUsage().rss;
  const huge = 6 * 2 ** 30;
  /** An archive whose last member is `huge`, all zeroes: some MiB when it is packed. */
  const bomb = async (entries: readonly (readonly [string, Buffer])[], name: string): Promise<Buffer> => {
    const packer = createGzip({ level: 1 });
    const packed = (async () => {
      const parts: Buffer[] = [];
      for await (const part of packer) parts.push(part as Buffer);
      return Buffer.concat(parts);
    })();
    for (const [file, data] of entries) packer.write(Buffer.concat([...member(file, data, 0)]));
    packer.write(tarHeader({ name, size: huge }, 0));
    const zeroes = Buffer.alloc(4 << 20);
    // Far more than any limit, far less than is said: what reads on would wait for the rest.
    for (let i = 0; i < 64; i++) if (!packer.write(zeroes)) await once(packer, 'drain');
    packer.end();
    return packed;
  };
  const xva = [['ova.xml', Buffer.from(ovaXml())]] as const;
  const ova = [['v.ovf', Buffer.from(ovf('d.img', 1))]] as const;
  for (const [file, why] of [
    [await bomb([], 'ova.xml'), /ova\.xml has 6442450944 bytes, at most/],
    [await bomb([], 'v.ovf'), /the descriptor has 6442450944 bytes, at most/],
    [await bomb(xva, 'Ref:2/00000000'), /IMPORT_ERROR a chunk of 6442450944 bytes/],
    [await bomb(ova, 'd.img'), /IMPORT_ERROR_PREMATURE_EOF/],
    [gzipSync(Buffer.alloc(64 << 20)), /neither an XVA archive nor an OVA package/],
  ] as const) {
    const { status, body } = await ask(h, 'PUT', '/import', {}, file);
    assert.equal(status, 500);
    assert.match(body.toString(), why);
    assert.deepEqual(await emptied(h), { vms: 0, disks: 0 });
  }
  assert.ok(process.memoryUsage().rss - before < 400 * 2 ** 20);
});
