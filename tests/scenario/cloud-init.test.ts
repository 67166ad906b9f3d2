/** What is given for cloud-init at `vm-install`, or through the API, is on a volume of the guest's. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { iso9660 } from '../../src/wire/iso9660.ts';
import { type TestHouse, testHouse } from './house.ts';

const xeProgram = join(import.meta.dirname, '../../bin/xe');
const run = promisify(execFile);

function typing(house: TestHouse) {
  const env = { PATH: process.env['PATH'], HOME: house.data, GUESTHOUSE_DATA: house.data };
  return async (...args: string[]) => (await run(xeProgram, args, { env })).stdout.trim();
}
/** The only volume of the VM, or undefined. */
function volumeOf(house: TestHouse, vm: string): Buffer | undefined {
  const folder = join(house.data, 'storage', 'discs', vm);
  if (!existsSync(folder)) return undefined;
  const [name = '', ...more] = readdirSync(folder);
  assert.deepEqual(more, []);
  return readFileSync(join(folder, name));
}
const refusal = (error: unknown) => String((error as { stderr?: string }).stderr ?? error);

test('given at vm-install; a clone is another instance; nothing is left of it', async () => {
  await using house = await testHouse();
  const files = mkdtempSync(join(tmpdir(), 'ci-'));
  try {
    const xe = typing(house);
    const [user, network] = [join(files, 'user.yaml'), join(files, 'network.yaml')];
    writeFileSync(user, '#cloud-config\nhostname: web\n');
    writeFileSync(network, 'version: 2\n');
    const given = [`user-data-file=${user}`, `network-config-file=${network}`];
    const vm = await xe('vm-install', 'template=Tiny Linux', 'new-name-label=Web #1', ...given);
    const expected = (id: string, name: string) =>
      iso9660('cidata', {
        'user-data': readFileSync(user),
        'meta-data': Buffer.from(`instance-id: "${id}"\nlocal-hostname: "${name}"\n`),
        'network-config': readFileSync(network),
      });
    assert.equal(await xe('vm-disk-list', `uuid=${vm}`, '--minimal'), '');
    await xe('vm-start', `uuid=${vm}`);
    assert.deepEqual(volumeOf(house, vm), expected(vm, 'web-1'));
    assert.equal(await xe('vbd-list', `vm-uuid=${vm}`, '--minimal'), '');
    // The guest still has it after a restart of the house.
    await house.restart();
    assert.deepEqual(volumeOf(house, vm), expected(vm, 'web-1'));
    await xe('vm-shutdown', `uuid=${vm}`, '--force');
    assert.equal(volumeOf(house, vm), undefined);
    const copy = await xe('vm-clone', `uuid=${vm}`, 'new-name-label=copy');
    await xe('vm-start', `uuid=${copy}`);
    assert.deepEqual(volumeOf(house, copy), expected(copy, 'copy'));
    await xe('vm-uninstall', `uuid=${copy}`, '--force');
    assert.equal(volumeOf(house, copy), undefined);
  } finally {
    rmSync(files, { recursive: true });
  }
});

test('a mistake in a file is told with its place, and no VM is made', async () => {
  await using house = await testHouse();
  const xe = typing(house);
  const file = join(house.data, 'user.yaml');
  writeFileSync(file, '#cloud-config\nusers:\n  - a\n b: 1\n');
  const install = xe('vm-install', 'template=Tiny Linux', 'new-name-label=broken', `user-data-file=${file}`);
  await assert.rejects(install, (error) => {
    assert.match(refusal(error), new RegExp(`${file}:\\d+:\\d+: user-data: `));
    return true;
  });
  assert.equal(await xe('vm-list', 'name-label=broken', '--minimal'), '');
  const vm = await xe('vm-install', 'template=Tiny Linux', 'new-name-label=fine');
  const set = xe('vm-param-set', `uuid=${vm}`, 'other-config:cloud-init-network-config=version: 9');
  await assert.rejects(set, (error) => {
    assert.match(refusal(error), /other_config:cloud-init-network-config[\s\S]*line 1, column 10[\s\S]*1 or 2/);
    return true;
  });
  assert.equal(
    await xe('vm-param-get', `uuid=${vm}`, 'param-name=other-config', 'param-key=cloud-init-network-config').catch(
      () => '',
    ),
    '',
  );
  await xe('vm-param-set', `uuid=${vm}`, 'other-config:cloud-init-user-data=#!/bin/sh');
  await xe('vm-start', `uuid=${vm}`);
  assert.ok(volumeOf(house, vm)?.includes('#!/bin/sh'));
});
