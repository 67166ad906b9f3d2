/** Backups as the tools for this kind of host make them: changed blocks, read by NBD over TLS with other people's clients. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { login } from './clients/login.ts';
import { run, without } from './clients/program.ts';
import { type LiveHost, liveHost } from './host.ts';

const absent = without({ 'libnbd-bin': 'nbdinfo', curl: 'curl', 'qemu-utils': 'qemu-img' });
const mib = 1 << 20;
const block = 64 << 10;
interface NbdInfo {
  readonly exportname: string;
  readonly address: string;
  readonly port: string;
  readonly cert: string;
}

/** The blocks whose bits are set. */
function blocksIn(base64: string): number[] {
  const bits = Buffer.from(base64, 'base64');
  return [...Array(bits.length * 8).keys()].filter((i) => ((bits[i >> 3] as number) & (0x80 >> (i & 7))) !== 0);
}
async function newDisk(h: LiveHost, content: Buffer): Promise<string> {
  const [SR] = (await h.call('SR.get_by_name_label', 'Local storage')) as string[];
  const fields = { type: 'user', sharable: false, read_only: false, other_config: {}, name_label: 'backed up' };
  const vdi = (await h.call('VDI.create', { ...fields, SR, virtual_size: content.length })) as string;
  await upload(h, vdi, content);
  return vdi;
}
async function upload(h: LiveHost, vdi: string, content: Buffer): Promise<void> {
  const query = new URLSearchParams({ vdi, session_id: await login(h) });
  const { code, err } = await run(
    'curl',
    [
      '-sSf',
      '-T',
      '-',
      '-H',
      'Transfer-Encoding:',
      '-H',
      `Content-Length: ${content.length}`,
      `${h.url}/import_raw_vdi?${query}`,
    ],
    {
      input: content,
    },
  );
  assert.equal(code, 0, err);
}

test('changed blocks from snapshot to snapshot, also when the earlier has lost its data', {
  skip: absent,
}, async () => {
  await using h = await liveHost({ hypervisor: 'simulator' });
  const content = Buffer.alloc(8 * mib);
  randomBytes(mib).copy(content, mib);
  const vdi = await newDisk(h, content);
  await h.call('VDI.enable_cbt', vdi);
  assert.equal(await h.call('VDI.get_cbt_enabled', vdi), true);
  const first = (await h.call('VDI.snapshot', vdi)) as string;
  const change = async (...places: number[]) => {
    for (const at of places) content[at] = (content[at] as number) ^ 0xff;
    await upload(h, vdi, content);
    return (await h.call('VDI.snapshot', vdi)) as string;
  };
  const second = await change(0, 5 * block + 3, 8 * mib - 1);
  const list = async (from: string, to: string) =>
    blocksIn((await h.call('VDI.list_changed_blocks', from, to)) as string);
  assert.deepEqual(await list(first, second), [0, 5, 127]);
  assert.deepEqual(await list(first, vdi), [0, 5, 127]);
  await h.call('VDI.data_destroy', first);
  assert.equal(await h.call('VDI.get_type', first), 'cbt_metadata');
  assert.deepEqual(await list(first, second), [0, 5, 127]);
  // The newest without data, then another: what led from the one to the other is still known.
  await h.call('VDI.data_destroy', second);
  const third = await change(7 * block, 5 * block + 3);
  assert.deepEqual(await list(second, third), [5, 7]);
  assert.deepEqual(await list(first, third), [0, 5, 7, 127]);
  const [SR] = (await h.call('SR.get_by_name_label', 'Local storage')) as string[];
  await h.call('SR.scan', SR);
  assert.deepEqual(await list(first, third), [0, 5, 7, 127]);
  await assert.rejects(h.call('VDI.data_destroy', vdi), /OPERATION_NOT_ALLOWED/);
  await h.call('VDI.disable_cbt', vdi);
  await assert.rejects(h.call('VDI.list_changed_blocks', third, vdi), /VDI_NO_CBT_METADATA/);
});

test('nbdinfo, nbdcopy and qemu-img read a disk by NBD over TLS, and nobody else', { skip: absent }, async (t) => {
  await using h = await liveHost({ hypervisor: 'simulator', tls: true });
  const folder = mkdtempSync(join(tmpdir(), 'gh-nbd-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const content = Buffer.alloc(8 * mib);
  randomBytes(mib).copy(content, 2 * mib);
  const vdi = await newDisk(h, content);
  assert.deepEqual(await h.call('VDI.get_nbd_info', vdi), []);
  const [network] = (await h.call('network.get_all')) as string[];
  await h.call('network.add_purpose', network, 'nbd');
  const [info] = (await h.call('VDI.get_nbd_info', vdi)) as NbdInfo[];
  assert.ok(info);
  writeFileSync(join(folder, 'ca-cert.pem'), info.cert);
  const uri = (name: string) =>
    `nbds://127.0.0.1:${info.port}${encodeURI(name).replace('?', '%3F')}?tls-certificates=${folder}&tls-hostname=localhost`;
  const good = uri(info.exportname);
  const size = await run('nbdinfo', ['--size', good]);
  assert.equal(size.out.toString().trim(), String(content.length), size.err);
  const map = JSON.parse((await run('nbdinfo', ['--json', '--map', good])).out.toString()) as {
    offset: number;
    length: number;
    type: number;
  }[];
  assert.deepEqual(
    map.filter((e) => e.type === 0).map((e) => [e.offset, e.length]),
    [[2 * mib, mib]],
  );
  const copied = await run('nbdcopy', [good, join(folder, 'copy.raw')]);
  assert.equal(copied.code, 0, copied.err);
  assert.ok(readFileSync(join(folder, 'copy.raw')).equals(content));
  const creds = `tls-creds-x509,id=tls,dir=${folder},endpoint=client,verify-peer=no`;
  const opts = `driver=raw,file.driver=nbd,file.server.type=inet,file.server.host=127.0.0.1,file.server.port=${info.port},file.tls-creds=tls,file.export=${info.exportname}`;
  execFileSync('qemu-img', ['convert', '--object', creds, '--image-opts', opts, '-O', 'raw', join(folder, 'qemu.raw')]);
  assert.ok(readFileSync(join(folder, 'qemu.raw')).equals(content));
  // It can be read only; without the session's name, by a name that is none, or without TLS, not at all.
  const write = await run('nbdcopy', [join(folder, 'copy.raw'), good]);
  assert.notEqual(write.code, 0);
  for (const name of [info.exportname.replace(/session_id=.*/, 'session_id=OpaqueRef:x'), `/${'0'.repeat(8)}`, ''])
    assert.notEqual((await run('nbdinfo', ['--size', uri(name)])).code, 0, name);
  const plain = await run('nbdinfo', ['--size', `nbd://127.0.0.1:${info.port}${info.exportname.replace('?', '%3F')}`]);
  assert.notEqual(plain.code, 0);
  await h.call('VDI.destroy', vdi);
});
