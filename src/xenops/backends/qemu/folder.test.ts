import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { silentLog } from '../../../base/log.ts';
import { Folders } from './folder.ts';
import { recordOf, specOf } from './testing.ts';

async function bench() {
  const base = mkdtempSync(join(tmpdir(), 'gh-folder-'));
  const folders = new Folders(join(base, 'domains'), join(base, 'log'), silentLog);
  await folders.open();
  const record = recordOf(specOf());
  return {
    base,
    folders,
    record,
    vm: record.spec.id,
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  };
}

test('a domain leaves its logs and firmware variables; a VM that is forgotten leaves nothing', async () => {
  using b = await bench();
  const { folders, record, vm, base } = b;
  const template = join(base, 'vars');
  writeFileSync(template, 'variables');
  for (const run of ['first', 'second']) {
    await folders.create(record, undefined);
    const { consoleLog, qemuLog, run: sockets } = folders.paths(vm);
    assert.equal(statSync(sockets).mode & 0o777, 0o700);
    writeFileSync(consoleLog, run);
    writeFileSync(qemuLog, run);
    await folders.keepVariables(vm, template, undefined);
    assert.deepEqual((await folders.list()).get(vm), record);
    await folders.remove(vm);
  }
  const { consoleCopy, qemuLog } = folders.paths(vm);
  assert.deepEqual(
    [consoleCopy, `${consoleCopy}.1`, qemuLog, `${qemuLog}.1`].map((path) => readFileSync(path, 'utf8')),
    ['second', 'first', 'second', 'first'],
  );
  assert.deepEqual(readdirSync(join(base, 'domains', 'nvram')), [`${vm}.fd`]);
  await folders.forget(vm);
  await folders.forget(vm);
  assert.deepEqual(readdirSync(join(base, 'log')), []);
  assert.deepEqual(readdirSync(join(base, 'domains', 'nvram')), []);
});

test('what a killed toolstack was about to remove is removed when the next one opens', async () => {
  using b = await bench();
  const { folders, record, vm, base } = b;
  await folders.create(record, undefined);
  mkdirSync(join(base, 'domains', 'removed-7-x', 'run'), { recursive: true });
  await new Folders(join(base, 'domains'), join(base, 'log'), silentLog).open();
  assert.deepEqual(readdirSync(join(base, 'domains')), [vm]);
  await folders.remove(vm);
  await folders.close();
  assert.deepEqual(readdirSync(join(base, 'domains')), []);
});

test('a folder that cannot be made leaves nothing', async () => {
  using b = await bench();
  const { folders, record, vm, base } = b;
  rmSync(join(base, 'log'), { recursive: true });
  writeFileSync(join(base, 'log'), 'no folder');
  await assert.rejects(folders.create(record, undefined));
  assert.equal(existsSync(folders.paths(vm).folder), false);
});
