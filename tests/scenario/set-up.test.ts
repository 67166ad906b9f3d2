/** scripts/setup on machines that lack something, and packaging/install-units, without changing this machine. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'guesthouse-setup-'));
after(() => rmSync(dir, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('scripts/setup', () => {
  const [checkout, bin] = [join(dir, 'checkout'), join(dir, 'bin')];
  const program = (path: string, text: string) => writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });

  /** A checkout with nothing but the script, on a machine with nothing but what every Debian has, and a user's rights. */
  before(() => {
    for (const folder of [join(checkout, 'scripts'), bin]) mkdirSync(folder, { recursive: true });
    copyFileSync(join(root, 'scripts/setup'), join(checkout, 'scripts/setup'));
    for (const name of ['bash', 'dirname', 'readlink', 'flock', 'mkdir', 'sed', 'grep', 'tail', 'touch', 'rm']) {
      const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
      symlinkSync(path, join(bin, name));
    }
    program(join(bin, 'uname'), 'echo x86_64');
    program(join(bin, 'id'), 'echo 1000');
  });
  const setUp = (...args: readonly string[]): Ended =>
    spawnSync(join(bin, 'bash'), [join(checkout, 'scripts/setup'), ...args], {
      env: { PATH: bin, HOME: dir },
      encoding: 'utf8',
    });
  const installed = () => {
    mkdirSync(join(checkout, 'node_modules/node/bin'), { recursive: true });
    program(join(checkout, 'node_modules/node/bin/node'), 'exit 0');
  };

  test('an option that it does not know', () => {
    const { status, stderr } = setUp('--gest');
    assert.equal(status, 1);
    assert.match(stderr, /^setup: unknown option --gest; .*--no-guest/);
  });

  test('no npm', () => {
    const { status, stderr } = setUp();
    assert.equal(status, 1);
    assert.match(stderr, /^setup: npm is missing; install Node\.js 18 or newer/);
  });

  test('a Node that is too old', () => {
    program(join(bin, 'npm'), 'exit 1');
    program(join(bin, 'node'), 'case "$1" in --version) echo v16.20.2 ;; *) exit 1 ;; esac');
    const { status, stderr } = setUp();
    assert.equal(status, 1);
    assert.match(stderr, /^setup: Node\.js v16\.20\.2 is too old .* 18 or newer is needed/);
  });

  test('an npm that fails says where its log is, and shows its end', () => {
    program(join(bin, 'node'), 'exit 0');
    program(join(bin, 'npm'), 'echo "npm error network no way out"; exit 1');
    const { status, stderr } = setUp();
    assert.equal(status, 1);
    assert.match(stderr, /network no way out\nsetup: npm ci failed; the whole log is .*build\/npm\.log/);
  });

  test('system packages: a user is told which, and the exact command', () => {
    installed();
    program(join(bin, 'apt-get'), 'echo "apt-get was run" >&2; exit 1');
    const { status, stderr } = setUp();
    assert.equal(status, 1);
    const named = /^setup: missing system packages: (.*)$/m.exec(stderr)?.[1] ?? '';
    assert.match(named, /\bqemu-system-x86 qemu-utils\b.*\blz4\b/);
    assert.match(stderr, /^setup: run this, then set-up again:$/m);
    assert.ok(
      stderr.includes(`  sudo apt-get update && sudo apt-get install --no-install-recommends ${named}\n`),
      stderr,
    );
    assert.doesNotMatch(stderr, /was run/);
  });

  test('neither Debian nor Ubuntu', () => {
    rmSync(join(bin, 'apt-get'));
    const { status, stderr } = setUp();
    assert.equal(status, 1);
    assert.match(stderr, /^setup: missing: .*qemu-system-x86.* this is neither Debian nor Ubuntu/);
  });
});

describe('packaging/install-units', () => {
  const units = (...args: readonly string[]): Ended =>
    spawnSync(join(root, 'packaging/install-units'), args, { encoding: 'utf8' });

  const skip = /^[A-Za-z0-9/._+:@-]+$/.test(root) ? false : 'a unit cannot hold the path of this checkout';
  test('the units are for this checkout and the folder that was given', { skip }, () => {
    const { status, stdout } = units('--print', '--data', '/srv/gh');
    assert.equal(status, 0);
    const lines = stdout.split('\n').filter((line) => line.startsWith('Exec'));
    assert.deepEqual(lines, [
      `ExecStart=${root}/bin/guesthouse up --data /srv/gh`,
      'ExecStart=/bin/true',
      `ExecStop=${root}/bin/guesthouse down --data /srv/gh --timeout 120`,
    ]);
    // Guests live in the unit's group and must outlive it.
    assert.match(stdout, /^KillMode=process$/m);
    assert.match(stdout, /^Type=notify$/m);
  });

  test('what a unit cannot hold is refused', () => {
    for (const path of ['relative', '/with blank', '/with%percent', '/with"quote', '/$HOME', '/']) {
      const { status, stderr, stdout } = units('--print', '--data', path);
      assert.deepEqual([status, stdout], [1, ''], path);
      assert.match(stderr, /^install-units: /, path);
    }
    assert.match(units('--dta').stderr, /unknown option --dta; --data DIR, --remove and --print are known/);
    assert.match(units('--data').stderr, /--data needs a folder/);
  });
});
