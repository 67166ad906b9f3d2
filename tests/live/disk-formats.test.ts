/** Disks go in and out as files of each format: written and read by curl and `xe`, judged by qemu-img. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { login } from './clients/login.ts';
import { run, without } from './clients/program.ts';
import { bin, type LiveHost, liveHost } from './host.ts';

const absent = without({ curl: 'curl', 'qemu-utils': 'qemu-img' });
const mib = 1024 * 1024;
const drivers = { raw: 'raw', vhd: 'vpc', qcow2: 'qcow2', vmdk: 'vmdk' } as const;
type Format = keyof typeof drivers;

describe('disks as files', { skip: absent }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-formats-'));
  const file = (name: string) => join(folder, name);
  /** No whole number of cylinders, nor of blocks. */
  const size = 37 * mib + 3 * 512;
  let h: LiveHost;
  let session = '';
  let sr = '';
  before(async () => {
    h = await liveHost({ hypervisor: 'simulator' });
    session = await login(h);
    sr = ((await h.call('SR.get_by_name_label', 'Local storage')) as string[])[0] as string;
    const content = Buffer.alloc(size);
    randomBytes(3 * mib).copy(content, 5 * mib + 77);
    randomBytes(1 * mib).copy(content, size - mib);
    writeFileSync(file('disk.raw'), content);
  });
  after(async () => {
    await h?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const newDisk = async (bytes = size) =>
    (await h.call('VDI.create', {
      ...{ name_label: 'disk', type: 'user', sharable: false, read_only: false, other_config: {} },
      ...{ SR: sr, virtual_size: bytes },
    })) as string;
  const img = async (...args: string[]) => {
    const { code, out, err } = await run('qemu-img', args);
    assert.equal(code, 0, `qemu-img ${args.join(' ')}: ${out}${err}`);
    return out.toString();
  };
  const same = (format: Format, path: string) =>
    img('compare', '-f', 'raw', '-F', drivers[format], file('disk.raw'), path);
  const curl = async (args: string[], path: string, query: Record<string, string>) => {
    const url = `${h.url}${path}?${new URLSearchParams({ session_id: session, ...query })}`;
    const ended = await run('curl', ['--silent', '--show-error', '--write-out', '\\n%{http_code}', ...args, url]);
    const lines = ended.out.toString().trim().split('\n');
    return { status: lines.at(-1) as string, text: `${lines.slice(0, -1).join('\n')}${ended.err}` };
  };
  const xe = async (...args: string[]) => {
    const { code, out, err } = await run(bin('xe'), args, { env: { GUESTHOUSE_DATA: h.data } });
    return { code, out: out.toString().trim(), err: err.toString() };
  };

  test('each format comes in by curl and goes out by xe', async () => {
    const made: readonly [Format, string, string[]][] = [
      ['raw', 'raw', []],
      ['vhd', 'dynamic', ['-o', 'force_size=on']],
      ['vhd', 'fixed', ['-o', 'subformat=fixed,force_size=on']],
      ['qcow2', 'plain', []],
      ['qcow2', 'packed', ['-c']],
      ['vmdk', 'sparse', []],
      ['vmdk', 'stream', ['-o', 'subformat=streamOptimized']],
    ];
    for (const [format, name, options] of made) {
      const path = file(`${name}.${format}`);
      await img('convert', '-f', 'raw', '-O', drivers[format], ...options, file('disk.raw'), path);
      const vdi = await newDisk();
      const put = await curl(['-T', path], '/import_raw_vdi', { vdi, format });
      assert.equal(put.status, '200', `${name} ${format}: ${put.text}`);
      const uuid = (await h.call('VDI.get_uuid', vdi)) as string;
      const out = file(`out-${name}.${format}`);
      const got = await xe('vdi-export', `uuid=${uuid}`, `filename=${out}`, `format=${format}`);
      assert.equal(got.code, 0, got.err);
      await same(format, out);
      const info = JSON.parse(await img('info', '--output=json', '-f', drivers[format], out)) as Record<string, number>;
      assert.equal(info['virtual-size'], size, `${format} keeps the size`);
      if (format === 'qcow2') await img('check', '-f', 'qcow2', out);
      await h.call('VDI.destroy', vdi);
    }
  });

  test('xe brings a VHD', async () => {
    await img('convert', '-f', 'raw', '-O', 'vpc', '-o', 'force_size=on', file('disk.raw'), file('xe.vhd'));
    const vdi = await newDisk();
    const uuid = (await h.call('VDI.get_uuid', vdi)) as string;
    const put = await xe('vdi-import', `uuid=${uuid}`, `filename=${file('xe.vhd')}`, 'format=vhd', '--progress');
    assert.equal(put.code, 0, put.err);
    const got = await xe('vdi-export', `uuid=${uuid}`, `filename=${file('xe.raw')}`);
    assert.equal(got.code, 0, got.err);
    assert.ok(readFileSync(file('xe.raw')).equals(readFileSync(file('disk.raw'))));
    // What is none is refused, and the disk keeps its content.
    const bad = await xe('vdi-import', `uuid=${uuid}`, `filename=${file('disk.raw')}`, 'format=vhd');
    assert.equal(bad.code, 1);
    assert.match(bad.err, /the vhd file is refused/);
    const again = await xe('vdi-export', `uuid=${uuid}`, `filename=${file('again.raw')}`);
    assert.equal(again.code, 0, again.err);
    assert.ok(readFileSync(file('again.raw')).equals(readFileSync(file('disk.raw'))));
  });

  test('a new disk is made of what is sent, named and of the right size', async () => {
    await img('convert', '-f', 'raw', '-O', 'qcow2', file('disk.raw'), file('new.qcow2'));
    const uuid = (await h.call('SR.get_uuid', sr)) as string;
    const sha256 = createHash('sha256')
      .update(readFileSync(file('new.qcow2')))
      .digest('hex');
    const query = { sr_uuid: uuid, format: 'qcow2', name_label: 'brought', name_description: 'by curl' };
    const wrong = await curl(['-T', file('new.qcow2')], '/import_raw_vdi', { ...query, sha256: '0'.repeat(64) });
    assert.equal(wrong.status, '500');
    assert.match(wrong.text, new RegExp(sha256));
    assert.deepEqual(await h.call('VDI.get_by_name_label', 'brought'), []);
    const put = await curl(['-T', file('new.qcow2')], '/import_raw_vdi', { ...query, sha256 });
    assert.equal(put.status, '200', put.text);
    const [vdi] = (await h.call('VDI.get_by_name_label', 'brought')) as string[];
    assert.equal(Number(await h.call('VDI.get_virtual_size', vdi)), size);
    assert.equal((await curl(['-o', file('new.raw')], '/export_raw_vdi', { vdi: vdi as string })).status, '200');
    assert.ok(readFileSync(file('new.raw')).equals(readFileSync(file('disk.raw'))));
  });

  test('a CD image is uploaded by one call', async () => {
    const data = randomBytes(700_001);
    writeFileSync(file('small.iso'), data);
    const [iso] = (await h.call('SR.get_by_name_label', 'ISO images')) as string[];
    const put = await curl(['-T', file('small.iso')], '/import_raw_vdi', {
      sr_id: iso as string,
      name_label: 'small.iso',
    });
    assert.equal(put.status, '200', put.text);
    assert.ok(readFileSync(join(h.data, 'iso', 'small.iso')).equals(data));
    assert.match((await xe('cd-list', 'params=name-label', '--minimal')).out, /small\.iso/);
  });

  test('both ways go on where they were cut off', async () => {
    const vdi = await newDisk();
    const whole = readFileSync(file('disk.raw'));
    const task = (await h.call('task.create', 'cut', '')) as string;
    // curl announces the whole file and is stopped in the middle of it.
    const cut = ['--max-time', '1', '--limit-rate', '4M', '-T', file('disk.raw')];
    const query = { vdi, format: 'raw' };
    await curl(cut, '/import_raw_vdi', { ...query, resumable: 'true', task_id: task });
    const [code, why] = (await ended(h, task)) as string[];
    assert.equal(code, 'VDI_IO_ERROR');
    const offset = Number(/offset=(\d+)/.exec(why ?? '')?.[1]);
    assert.ok(offset > 0 && offset < size, why);
    writeFileSync(file('rest'), whole.subarray(offset));
    const early = await curl(['-T', file('rest')], '/import_raw_vdi', { ...query, offset: String(offset - 512) });
    assert.match(early.text, new RegExp(`goes on at ${offset}`));
    const put = await curl(['-T', file('rest')], '/import_raw_vdi', { ...query, offset: String(offset) });
    assert.equal(put.status, '200', put.text);
    for (const format of ['raw', 'vhd', 'qcow2']) {
      await curl(['-o', file(`all.${format}`)], '/export_raw_vdi', { vdi, format });
      const all = readFileSync(file(`all.${format}`));
      writeFileSync(file(`part.${format}`), all.subarray(0, 3 * mib + 1));
      const rest = await curl(['-C', '-', '-o', file(`part.${format}`)], '/export_raw_vdi', { vdi, format });
      assert.equal(rest.status, '206', rest.text);
      assert.ok(readFileSync(file(`part.${format}`)).equals(all), format);
    }
    assert.ok(readFileSync(file('all.raw')).equals(whole));
  });

  test('differences to a snapshot make the disk of it again', async () => {
    const vdi = await newDisk();
    await curl(['-T', file('disk.raw')], '/import_raw_vdi', { vdi });
    const snapshot = (await h.call('VDI.snapshot', vdi)) as string;
    const changed = readFileSync(file('disk.raw'));
    changed.fill(0, 6 * mib, 7 * mib);
    randomBytes(100_000).copy(changed, 20 * mib + 13);
    writeFileSync(file('changed.raw'), changed);
    await curl(['-T', file('changed.raw')], '/import_raw_vdi', { vdi });
    const got = await curl(['-o', file('delta.vhd')], '/export_raw_vdi', { vdi, base: snapshot, format: 'vhd' });
    assert.equal(got.status, '200', got.text);
    assert.ok(readFileSync(file('delta.vhd')).length < 6 * mib);
    const copy = (await h.call('VDI.clone', snapshot)) as string;
    const put = await curl(['-T', file('delta.vhd')], '/import_raw_vdi', { vdi: copy, format: 'vhd' });
    assert.equal(put.status, '200', put.text);
    await curl(['-o', file('copy.raw')], '/export_raw_vdi', { vdi: copy });
    assert.ok(readFileSync(file('copy.raw')).equals(changed));
  });

  test('a file that points to other files is refused, and nothing is left', async () => {
    await img('create', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', file('back.qcow2'), String(size));
    await img(
      'convert',
      '-f',
      'raw',
      '-O',
      'vmdk',
      '-o',
      'subformat=monolithicFlat',
      file('disk.raw'),
      file('flat.vmdk'),
    );
    const uuid = (await h.call('SR.get_uuid', sr)) as string;
    const there = join(h.data, 'sr', uuid);
    const before = new Set(readdirSync(there));
    const vdi = await newDisk();
    for (const [name, format] of [
      ['back.qcow2', 'qcow2'],
      ['flat.vmdk', 'vmdk'],
    ] as const) {
      const into = await curl(['-T', file(name)], '/import_raw_vdi', { vdi, format });
      assert.equal(into.status, '500');
      assert.match(into.text, /backing file, which is not read|names other files, which are not read/);
      const made = await curl(['-T', file(name)], '/import_raw_vdi', { sr_id: sr, format });
      assert.equal(made.status, '500');
    }
    await h.call('VDI.destroy', vdi);
    // Layers that earlier disks left may be folded meanwhile.
    assert.deepEqual(
      readdirSync(there).filter((name) => !before.has(name)),
      [],
    );
  });
});

async function ended(h: LiveHost, task: string): Promise<unknown> {
  for (;;) {
    const { status, error_info } = (await h.call('task.get_record', task)) as { status: string; error_info: string[] };
    if (status !== 'pending') return error_info;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
