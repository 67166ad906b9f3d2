/** The virtual disks of Xen 1.2 on real files: by number, with expiry, as VDIs of XenAPI and as drives of domains. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { diskFiles } from '../../src/apps/disk-files.ts';
import { createClient } from '../../src/client/client.ts';
import { localTransport } from '../../src/client/transport.ts';
import { domCreate } from '../../src/doors/xen12/dom-create.ts';
import { vdTool } from '../../src/doors/xen12/vd-tool.ts';
import { VirtualDisks } from '../../src/doors/xen12/virtual-disks.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';

const mib = 1 << 20;
async function tool(h: DiskHouse) {
  const { port } = new URL(h.url);
  const transport = localTransport((method, params) => h.running.root(method, ...params.slice(1)));
  const session = await h.running.api.rootSession('xen12');
  let now = 1_000;
  const disks = new VirtualDisks({ client: createClient(transport, session), now: () => now });
  const said = { out: '', err: '' };
  const io = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    read: () => undefined,
    exists: existsSync,
  };
  const files = diskFiles({ address: { port: Number(port) }, session });
  return {
    disks,
    io,
    said,
    pass: (seconds: number) => void (now += seconds),
    async run(...args: string[]): Promise<[number, string, string]> {
      said.out = said.err = '';
      const status = await vdTool(args, { ...io, ...files, disks });
      return [status, said.out, said.err];
    },
  };
}

test('virtual disks are made, grow, expire and come back', async () => {
  await using h = await diskHouse();
  const t = await tool(h);
  const folder = join(h.data, 'vdisks');
  mkdirSync(folder);
  chmodSync(folder, 0o711);
  assert.deepEqual(await t.run('initialise', folder), [
    ...[0, `Formatting for virtual disks\nDevice: ${folder}\nExtent size: 64MB\nreturn code 0\n`, ''],
  ]);
  assert.deepEqual(await t.run('create', '8'), [0, 'Returned virtual disk id is : 1\n', '']);
  assert.deepEqual(await t.run('create', '4', '60'), [0, 'Returned virtual disk id is : 2\n', '']);
  assert.deepEqual(await t.run('enlarge', '1', '2'), [0, 'return code 0\n', '']);
  const list = async () => (await t.run('list'))[1];
  assert.equal(
    await list(),
    'ID    Size(MB)      Expiry\n1     10            never\n2     4             Thu, 01 Jan 1970 00:17:40 GMT\n',
  );
  t.pass(61);
  assert.doesNotMatch(await list(), /^2 /m);
  assert.match((await t.run('enlarge', '2', '1'))[2], /the virtual disk 2 has expired/);
  assert.deepEqual(await t.run('undelete', '2'), [0, 'Undelete operation succeeded\n', '']);
  assert.match(await list(), /^2 {5}4 {13}never$/m);
  assert.deepEqual(await t.run('delete', '2'), [0, 'return code 0\n', '']);
  assert.doesNotMatch(await list(), /^2 /m);
  assert.ok(Number((await t.run('freespace'))[1]) > 0);
  // They are disks of the host for everybody.
  const { vdi } = (await t.disks.media('1')) as { vdi: string };
  assert.equal(await h.root('VDI.get_name_label', await h.root('VDI.get_by_uuid', vdi)), 'Virtual disk 1');
});

test('a file comes in, goes out, and is never overwritten', async () => {
  await using h = await diskHouse();
  const t = await tool(h);
  const from = join(h.data, 'from');
  const bytes = Buffer.alloc(mib + 5, 'guest');
  writeFileSync(from, bytes);
  assert.deepEqual(await t.run('import', from), [0, 'Returned virtual disk id is : 1\n', '']);
  const to = join(h.data, 'to');
  assert.deepEqual(await t.run('export', '1', to), [0, 'return code 0\n', '']);
  assert.equal(statSync(to).size, 2 * mib);
  assert.ok(readFileSync(to).subarray(0, bytes.length).equals(bytes));
  assert.match((await t.run('export', '1', to))[2], /to exists already/);
  assert.match((await t.run('import', join(h.data, 'none')))[2], /ENOENT/);
});

test('a domain has a virtual disk; what is wrong is said', async () => {
  await using h = await diskHouse();
  const t = await tool(h);
  await t.run('create', '8');
  const image = join(h.data, 'vmlinuz');
  writeFileSync(image, 'kernel');
  const settings = `image = "${image}"\nmem_size = 48\nvbd_list = [('vd:1', 'sda1', 'w')]\ndomain_name = 'with a disk'\n`;
  const { xenops } = h.running;
  const tools = {
    ...t.io,
    read: () => settings,
    xenops,
    uuid: () => crypto.randomUUID(),
    bridge: 'none',
    virtualDisk: (id: string) => t.disks.media(id),
    sizeOf: async () => undefined,
  };
  assert.equal(await domCreate(['-f', 'settings'], tools), 0, t.said.err);
  const vm = (await xenops.vm.list({})).find(({ spec }) => spec.name === 'with a disk');
  assert.deepEqual(vm?.spec.vbds[0]?.media, await t.disks.media('1'));
  assert.equal(await domCreate(['-f', 'settings', '-N', 'other', '-d', 'vd:7,sda1,w'], tools), 1);
  assert.match(t.said.err, /there is no virtual disk 7; "xc_vd_tool list" shows/);
  await xenops.vm.shutdown({ id: vm?.spec.id ?? '', timeoutS: null });

  assert.equal((await t.run())[0], 255);
  assert.match((await t.run('create'))[2], /create needs 1 arguments/);
  assert.match((await t.run('create', '0'))[2], /the size must be a whole number, at least 1, not "0"/);
  assert.match((await t.run('create', '1', 'x'))[2], /the expiry must be a whole number/);
  assert.match((await t.run('initialise', 'sda7'))[2], /sda7: the path of the folder must be absolute/);
  assert.deepEqual((await t.run('undelete', '9')).slice(0, 2), [1, 'Undelete operation failed\nreturn code -1\n']);
});
