import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKind } from '../../../contracts/contract.ts';
import { createImage } from '../../qemu-img.ts';
import { runTool } from '../../tool.ts';
import { baseName, isBase, readLayer, topName, vdiOf } from './layer.ts';

const id = '6f1d3c52-b1f1-4d0c-9a5d-e0c6a3a5b7d1';
const isBadData = (error: unknown) => isKind(error, 'Bad_data');

test('only our own names are ours', () => {
  assert.equal(vdiOf(topName(id, 'qcow2')), id);
  assert.equal(vdiOf(topName(id, 'raw')), id);
  for (const name of [baseName(id, 'qcow2'), `${id}.json`, 'x.qcow2', `../${id}.raw`, `${id}.qcow2\n`])
    assert.equal(vdiOf(name), undefined, name);
  assert.equal(isBase(baseName(id, 'raw')), true);
  assert.equal(isBase(`../${baseName(id, 'raw')}`), false);
});

test('headers are read as qemu-img writes them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gh-layer-'));
  t.after(() => rm(folder, { recursive: true }));
  const at = (file: string) => join(folder, file);
  const [top, base, raw] = [topName(id, 'qcow2'), baseName(id, 'qcow2'), baseName(id, 'raw')];
  await createImage(at(base), 'qcow2', 1 << 20);
  await createImage(at(top), 'qcow2', 2 << 20, { file: base, format: 'qcow2' });
  const layer = { file: top, format: 'qcow2', virtualSize: 2 << 20, backing: base, empty: true };
  assert.deepEqual(await readLayer(folder, top), layer);
  await runTool('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512', at(top)]);
  assert.deepEqual(await readLayer(folder, top), { ...layer, empty: false });
  await createImage(at(raw), 'raw', 512);
  assert.deepEqual(await readLayer(folder, raw), {
    ...{ file: raw, format: 'raw', virtualSize: 512, backing: null, empty: true },
  });
});

test('damaged files and files that lie on foreign ones are refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gh-layer-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = topName(id, 'qcow2');
  await writeFile(join(folder, file), '');
  await assert.rejects(readLayer(folder, file), isBadData);
  await writeFile(join(folder, file), 'QFI\xfb', 'latin1');
  await assert.rejects(readLayer(folder, file), isBadData);
  await rm(join(folder, file));
  await createImage(join(folder, file), 'qcow2', 512, { file: '/etc/passwd', format: 'raw' });
  await assert.rejects(readLayer(folder, file), isBadData);
});

test('a missing tool is named with its package', async () => {
  await assert.rejects(
    runTool('no-such-tool', []),
    /no-such-tool failed: it is not installed \(apt install no-such-tool\)/,
  );
});
