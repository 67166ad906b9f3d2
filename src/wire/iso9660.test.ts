import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FormatError } from './format-error.ts';
import { iso9660, sectorBytes } from './iso9660.ts';

const isoinfo = '/usr/bin/isoinfo';
const skip = existsSync(isoinfo) ? false : 'isoinfo is not installed: the package genisoimage has it';
const files = {
  'user-data': Buffer.from('#cloud-config\n'),
  'meta-data': Buffer.from('instance-id: x\n'),
  empty: Buffer.alloc(0),
  'A name with spaces, and of many letters.txt': Buffer.alloc(3 * sectorBytes + 1, 'a'),
};

test('isoinfo finds every file by its name, with its content, in both extensions', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'iso-'));
  try {
    const path = join(folder, 'a.iso');
    writeFileSync(path, iso9660('cidata', files));
    const ask = (...args: string[]) => execFileSync(isoinfo, ['-i', path, ...args]);
    const about = ask('-d').toString();
    assert.match(about, /Volume id: cidata\n/);
    assert.match(about, /Joliet with UCS level 3 found/);
    assert.match(about, /Rock Ridge signatures version 1 found/);
    for (const extension of ['-R', '-J']) {
      const listed = ask(extension, '-f').toString().trim().split('\n');
      assert.deepEqual(
        listed.sort(),
        Object.keys(files)
          .map((name) => `/${name}`)
          .sort(),
      );
      for (const [name, data] of Object.entries(files))
        assert.deepEqual(ask(extension, '-x', `/${name}`), data, `${name} ${extension}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a folder of many files spans sectors', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'iso-'));
  try {
    const path = join(folder, 'a.iso');
    const many = Object.fromEntries(
      Array.from({ length: 90 }, (_, i) => [`${'n'.repeat(50)}-${i}`, Buffer.from(String(i))]),
    );
    writeFileSync(path, iso9660('many', many));
    for (const extension of ['-R', '-J']) {
      const listed = execFileSync(isoinfo, ['-i', path, extension, '-f'], { encoding: 'utf8' });
      assert.equal(listed.trim().split('\n').length, 90);
      const last = execFileSync(isoinfo, ['-i', path, extension, '-x', `/${'n'.repeat(50)}-89`], { encoding: 'utf8' });
      assert.equal(last, '89');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the same files give the same bytes, in any order', () => {
  const turned = Object.fromEntries(Object.entries(files).reverse());
  assert.deepEqual(iso9660('cidata', turned), iso9660('cidata', files));
});

test('labels and names that cannot be written are refused', () => {
  const none = Buffer.alloc(0);
  for (const [label, name] of [
    ['', 'a'],
    ['more than sixteen', 'a'],
    ['ümlaut', 'a'],
    ['fine', ''],
    ['fine', '../up'],
    ['fine', '..'],
    ['fine', 'n'.repeat(65)],
    ['fine', 'zero\0'],
  ] as const)
    assert.throws(() => iso9660(label, { [name]: none }), FormatError, `${label} ${name}`);
});
