import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CloudInit, CloudInitError, checkCloudInit, largestPart, seedFiles, wantsSeed } from './cloud-init.ts';

const about = { instance: 'b9f1', hostname: 'web' };
/** `part:line:column: reason` */
function refusal(given: CloudInit): string {
  let told = 'taken';
  assert.throws(
    () => checkCloudInit(given),
    (error) => {
      assert.ok(error instanceof CloudInitError);
      told = error.message;
      return true;
    },
  );
  return told;
}

test('a mistake is told with its line and column', () => {
  assert.match(refusal({ 'user-data': '#cloud-config\nusers:\n - a\n  b: c\n' }), /^user-data:3:4: /);
  assert.match(refusal({ 'user-data': '#cloud-config\na: 1\na: 2\n' }), /^user-data:3:1: Map keys must be unique$/);
  assert.match(refusal({ 'user-data': '#cloud-config\n- a\n' }), /^user-data:2:1: it is no mapping/);
  assert.match(refusal({ 'meta-data': 'just text' }), /^meta-data:1:1: it is no mapping/);
  assert.equal(refusal({ 'network-config': '\nversion: 3\n' }), 'network-config:2:10: version: 3; it must be 1 or 2');
  assert.equal(
    refusal({ 'network-config': 'network: {ethernets: {}}\n' }),
    'network-config:1:1: version: missing; it must be 1 or 2',
  );
});

test('user-data that cloud-init would ignore without a word is refused', () => {
  assert.match(refusal({ 'user-data': 'users: []\n' }), /^user-data:1:1: it begins with "users: \[\]"/);
  for (const text of [
    '#cloud-config\n',
    '#!/bin/sh\necho\n',
    '#include\nhttp://h/x\n',
    'Content-Type: multipart/mixed\n\n',
  ])
    checkCloudInit({ 'user-data': text });
});

test('what would take a reader down is refused', () => {
  assert.match(refusal({ 'user-data': `#cloud-config\na: ${'['.repeat(60_000)}` }), /it is nested too deep$/);
  const letters = [...'abcdefghij'];
  const laughs = letters.map(
    (l, i) =>
      `${l}: &${l} [${
        i === 0
          ? 'x'
          : Array(9)
              .fill(`*${letters[i - 1]}`)
              .join()
      }]`,
  );
  assert.match(refusal({ 'user-data': `#cloud-config\n${laughs.join('\n')}\n` }), /alias/);
  assert.match(refusal({ 'meta-data': `a: ${'x'.repeat(largestPart)}` }), /at most 65536 are possible$/);
});

test('meta-data names the instance and the host unless it does so itself', () => {
  const made = (text: string) => seedFiles({ 'meta-data': text }, about)['meta-data'];
  assert.equal(made(''), 'instance-id: "b9f1"\nlocal-hostname: "web"\n');
  assert.equal(made('a: 1'), 'a: 1\ninstance-id: "b9f1"\nlocal-hostname: "web"\n');
  assert.equal(made('{a: 1}'), 'instance-id: "b9f1"\nlocal-hostname: "web"\na: 1\n');
  assert.equal(made('instance-id: own\nlocal-hostname: db\n'), 'instance-id: own\nlocal-hostname: db\n');
});

test('a network configuration below its own key is taken out of it', () => {
  const text = 'network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true}\n';
  const made = seedFiles({ 'network-config': text }, about)['network-config'];
  assert.equal(made, 'version: 2\nethernets:\n  eth0: { dhcp4: true }\n');
});

test('nothing given: no seed', () => {
  assert.equal(wantsSeed({}), false);
  assert.equal(wantsSeed({ 'user-data': '' }), false);
  assert.equal(wantsSeed({ 'meta-data': 'a: 1' }), true);
});

const program = '/usr/bin/cloud-init';
const skip = existsSync(program) ? false : 'cloud-init is not installed: the package cloud-init has it';
test('cloud-init finds the user-data of a seed valid, given or not', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'seed-'));
  try {
    const given = '#cloud-config\nhostname: web\nusers:\n  - name: ann\n    ssh_authorized_keys: [ssh-ed25519 AAAA]\n';
    for (const text of ['', given]) {
      const path = join(folder, 'user-data');
      writeFileSync(path, seedFiles({ 'user-data': text }, about)['user-data']);
      assert.match(execFileSync(program, ['schema', '-c', path], { encoding: 'utf8' }), /Valid cloud-config/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
