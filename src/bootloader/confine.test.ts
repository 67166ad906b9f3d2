/** What a reader of disks may do: next to nothing, for a short time. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import { type Confined, confined, readerUsers } from './confine.ts';
import { serveDisk } from './served-disk.ts';

const clock = systemClock;
const root = process.getuid?.() === 0;
const missing = ['nsenter', 'setpriv', 'prlimit', 'qemu-storage-daemon'].filter((p) => !existsSync(`/usr/bin/${p}`));
const skip =
  missing.length > 0 ? `not installed: ${missing.join(', ')}` : existsSync('/dev/fuse') ? false : 'no /dev/fuse';

async function sandbox(
  f: (run: (command: string[], c?: Partial<Confined>) => ReturnType<typeof confined>, disk: string) => Promise<void>,
) {
  const folder = mkdtempSync(join(tmpdir(), 'gh-confine-'));
  chmodSync(folder, 0o711);
  try {
    const path = join(folder, 'guest.raw');
    writeFileSync(path, Buffer.alloc(1 << 20, 'x'), { mode: 0o600 });
    const user = (await readerUsers())?.(3);
    const disk = { path, format: 'raw' as const };
    await using served = await serveDisk({ disk, offset: 0, user, folder, clock, log: silentLog });
    const given = { place: served.place, user, output: 1 << 16, timeoutMs: 20_000, clock };
    await f((command, c = {}) => confined(command, { ...given, ...c }), served.path);
    await served[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(folder), ['guest.raw']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the reader is nobody, can gain nothing, sees no network, and cannot write the disk', { skip }, () =>
  sandbox(async (run, disk) => {
    const { out } = await run(['cat', '/proc/self/status']);
    const status = (key: string) => new RegExp(`^${key}:[ \\t]*(.*)$`, 'm').exec(out)?.[1];
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.equal(status(set), '0'.repeat(16), set);
    assert.equal(status('NoNewPrivs'), '1');
    if (root) assert.equal(status('Uid'), Array(4).fill('1899000003').join('\t'));
    if (root) assert.equal(status('Groups')?.trim(), '');
    const net = await run(['cat', '/proc/net/dev']);
    assert.deepEqual(net.out.match(/^ *\w+:/gm), ['    lo:']);
    assert.equal((await run(['head', '-c', '3', disk])).out, 'xxx');
    assert.equal((await run(['dd', 'if=/dev/zero', `of=${disk}`, 'count=1'])).ok, false);
    if (root) assert.equal((await run(['cat', '/etc/shadow'])).ok, false);
  }),
);

test('time, output, files and memory are limited, and the limit is named', { skip }, () =>
  sandbox(async (run, disk) => {
    assert.match((await run(['sleep', '1000'], { timeoutMs: 50 })).words, /longer than 0.05 s/);
    assert.match((await run(['cat', '/dev/zero'])).words, /more than 65536 bytes/);
    assert.equal((await run(['head', '-c', '3000000000', '/dev/zero'], { output: 1000 })).ok, false);
    const hungry = await run(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=2G', 'count=1']);
    assert.equal(hungry.ok, false);
    assert.match(hungry.words, /memory exhausted|Cannot allocate/);
    const abort = new AbortController();
    const work = run(['sleep', '1000'], { signal: abort.signal });
    abort.abort();
    await assert.rejects(work, (e) => isKind(e, 'Cancelled'));
    await assert.rejects(
      run(['no-such-program', disk]),
      (e) => isKind(e, 'Not_possible') && /not installed/.test(e.message),
    );
  }),
);

test('a toolstack that is killed takes the disk’s server and its reader along', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-confine-'));
  try {
    writeFileSync(join(folder, 'guest.raw'), Buffer.alloc(1 << 20));
    const here = import.meta.dirname;
    const code = `
      const { serveDisk } = await import('${here}/served-disk.ts');
      const { confined } = await import('${here}/confine.ts');
      const { systemClock: clock } = await import('${here}/../base/clock.ts');
      const { silentLog: log } = await import('${here}/../base/log.ts');
      const disk = { path: '${folder}/guest.raw', format: 'raw' };
      const served = await serveDisk({ disk, offset: 0, user: undefined, folder: '${folder}', clock, log });
      const work = confined(['tail', '-f', served.path], { place: served.place, output: 1000, timeoutMs: 60_000, clock });
      console.log(served.place.pid);
      await work;`;
    const child = execFile(process.execPath, ['--input-type=module', '-e', code]);
    const [line] = (await child.stdout!.setEncoding('utf8')[Symbol.asyncIterator]().next()).value.split('\n');
    const alive = (pid: string) => existsSync(`/proc/${pid}`) && !/^\d+ \(.*\) [ZX]/.test(stat(pid));
    const stat = (pid: string) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8');
      } catch {
        return '0 () X';
      }
    };
    assert.ok(alive(line));
    const readers = () =>
      readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`${folder}/disk`));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const deadline = Date.now() + 20_000;
    while ((alive(line) || readers().some(alive)) && Date.now() < deadline) await new Promise((r) => setTimeout(r, 20));
    assert.ok(!alive(line), 'the disk is still served');
    assert.deepEqual(readers().filter(alive), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
