/** npm `xen-api`, unchanged, uploads and downloads disks: with and without a length. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { createClient } from 'xen-api';
import { diskHouse } from './disk-house.ts';

// biome-ignore lint/suspicious/noExplicitAny: the client has no types of its own
type Loose = any;
const mib = 1024 * 1024;

test('xen-api moves disks', async () => {
  await using h = await diskHouse();
  const xapi: Loose = createClient({ url: h.url, auth: { user: 'root', password: 'secret' }, debounce: 0 });
  await using _ = { [Symbol.asyncDispose]: () => xapi.disconnect() };
  await xapi.connect();
  await xapi.objectsFetched;
  const disk = async () =>
    xapi.call('VDI.create', {
      name_label: 'disk',
      SR: xapi.pool.default_SR,
      virtual_size: 16 * mib,
      type: 'user',
      sharable: false,
      read_only: false,
      other_config: {},
    });
  const content = async (vdi: string) => {
    const { body } = await xapi.getResource('/export_raw_vdi', { query: { vdi, format: 'raw' } });
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const data = randomBytes(9 * mib);
  const pieces = Array.from({ length: data.length / 65536 }, (_, i) => data.subarray(i * 65536, (i + 1) * 65536));
  const upload = (vdi: string, body: Readable) =>
    xapi.putResource(body, '/import_raw_vdi', { query: { vdi, format: 'raw' }, task: xapi.createTask('upload') });

  const known = await disk();
  await upload(known, Object.assign(Readable.from(pieces), { length: data.length }));
  assert.ok((await content(known)).subarray(0, data.length).equals(data));
  const unknown = await disk();
  await upload(unknown, Readable.from(pieces));
  assert.ok((await content(unknown)).subarray(0, data.length).equals(data));
});
