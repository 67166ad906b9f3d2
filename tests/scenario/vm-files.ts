/** VMs as files over HTTP, for tests of imports and exports. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Rec } from '../../src/datamodel/index.ts';
import { StreamReader } from '../../src/wire/stream-reader.ts';
import { TarReader, tarEnd, tarHeader, tarPadding } from '../../src/wire/tar.ts';
import type { DiskHouse } from './disk-house.ts';

export const mib = 1 << 20;
export type Answer = { readonly status: number; readonly body: Buffer; readonly task: string };

export function ask(
  h: DiskHouse,
  method: string,
  path: string,
  query: Record<string, string>,
  data?: Buffer,
): Promise<Answer> {
  const session_id = h.running.api.rootSession('test');
  const url = `${h.url}${path}?${new URLSearchParams({ session_id, ...query })}`;
  return new Promise((resolve, reject) => {
    const headers = data ? { 'content-length': data.length } : {};
    const req = http.request(url, { method, headers, agent: false }, async (res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of res) chunks.push(chunk as Buffer);
      resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks), task: String(res.headers['task-id']) });
    });
    req.on('error', reject);
    req.end(data);
  });
}
export const get = (h: DiskHouse, path: string, query: Record<string, string>) => ask(h, 'GET', path, query);
/** Imports, and answers the VMs; a failure is thrown as the page's text. */
export async function put(
  h: DiskHouse,
  file: Buffer,
  query: Record<string, string> = {},
  path = '/import',
): Promise<string[]> {
  const { status, body, task } = await ask(h, 'PUT', path, query, file);
  if (status !== 200) throw new Error(body.toString());
  const { status: end, result, error_info } = await h.root<Rec<'task'>>('task.get_record', task);
  assert.equal(end, 'success', error_info.join(' '));
  return [...result.matchAll(/OpaqueRef:[\w-]+/g)].map((m) => m[0]);
}

export async function vmWithDisks(h: DiskHouse, contents: readonly Buffer[]): Promise<string> {
  const vm = await h.root('VM.create', {
    ...{ name_label: 'web "1" <ä>', name_description: 'a\nb', user_version: 1, is_a_template: false, affinity: '' },
    ...{
      memory_static_max: 256 * mib,
      memory_dynamic_max: 256 * mib,
      memory_dynamic_min: 256 * mib,
      memory_static_min: 128 * mib,
    },
    ...{
      VCPUs_params: {},
      VCPUs_max: 2,
      VCPUs_at_startup: 1,
      actions_after_shutdown: 'destroy',
      actions_after_reboot: 'restart',
    },
    ...{
      actions_after_crash: 'restart',
      PV_bootloader: '',
      PV_kernel: '',
      PV_ramdisk: '',
      PV_args: '',
      PV_bootloader_args: '',
    },
    ...{
      PV_legacy_args: '',
      HVM_boot_policy: 'BIOS order',
      HVM_boot_params: { order: 'dc' },
      platform: { acpi: '1' },
      PCI_bus: '',
    },
    ...{ other_config: { colour: 'blue' }, recommendations: '', xenstore_data: {}, ha_always_run: false, tags: ['t'] },
  });
  const [pool] = await h.root<string[]>('pool.get_all');
  const SR = await h.root('pool.get_default_SR', pool);
  for (const [i, content] of contents.entries()) {
    const fields = { type: 'user', sharable: false, read_only: false, other_config: { n: String(i) } };
    const vdi = await h.root('VDI.create', { ...fields, name_label: `disk ${i}`, SR, virtual_size: content.length });
    const sent = await ask(h, 'PUT', '/import_raw_vdi', { vdi }, content);
    assert.equal(sent.status, 200, sent.body.toString());
    await newVbd(h, { VM: vm, VDI: vdi, userdevice: String(i), type: 'Disk', mode: 'RW', empty: false });
  }
  await newVbd(h, { VM: vm, VDI: '', userdevice: '3', type: 'CD', mode: 'RO', empty: true });
  const [network] = await h.root<string[]>('network.get_all');
  const mac = {
    MAC: '02:00:00:aa:bb:cc',
    MTU: 1500,
    other_config: {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  };
  await h.root('VIF.create', { device: '0', network, VM: vm, ...mac });
  return vm;
}
const newVbd = (h: DiskHouse, fields: Record<string, unknown>) =>
  h.root('VBD.create', {
    ...{ bootable: true, unpluggable: true, other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} },
    ...fields,
  });
export async function disksOf(h: DiskHouse, vm: string): Promise<Buffer[]> {
  const found: [string, Buffer][] = [];
  for (const ref of await h.root<string[]>('VM.get_VBDs', vm)) {
    const vbd = await h.root<Rec<'VBD'>>('VBD.get_record', ref);
    if (vbd.type === 'Disk') found.push([vbd.userdevice, (await get(h, '/export_raw_vdi', { vdi: vbd.VDI })).body]);
  }
  return found.sort().map(([, content]) => content);
}
/** A disk with holes, no whole number of chunks. */
export function sparse(size: number): Buffer {
  const content = Buffer.alloc(size);
  randomBytes(mib + 100).copy(content, 3 * mib + 17);
  randomBytes(1000).copy(content, size - 5 * mib);
  return content;
}
export type Entry = { readonly name: string; readonly data: Buffer };
export async function membersOf(file: Buffer): Promise<Entry[]> {
  async function* whole() {
    yield file;
  }
  const tar = new TarReader(new StreamReader(whole()));
  const out: Entry[] = [];
  for (let m = await tar.next(); m; m = await tar.next())
    out.push({ name: m.name, data: await tar.bytes(64 * mib, m.name) });
  return out;
}
export const archive = (entries: readonly Entry[]): Buffer =>
  Buffer.concat([
    ...entries.flatMap(({ name, data }) => [
      tarHeader({ name, size: data.length }, 0),
      data,
      Buffer.alloc(tarPadding(data.length)),
    ]),
    tarEnd,
  ]);
