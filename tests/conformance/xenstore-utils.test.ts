/** Debian's xenstore-utils, unchanged, against our socket. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

const control = ['/usr/lib/xen-4.17/bin/xenstore-control', '/usr/lib/xen-4.20/bin/xenstore-control'].find(existsSync);
const missing = !existsSync('/usr/bin/xenstore-read') && 'the package xenstore-utils is not installed';

describe('xenstore-utils', { skip: missing }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'guesthouse-xs-utils-'));
  const socket = join(folder, 'socket');
  const env = { ...process.env, XENSTORED_PATH: socket, XENSTORED_RUNDIR: folder };
  let daemon: ChildProcess;
  before(async () => {
    daemon = spawn(join(import.meta.dirname, '../../bin/xenstored'), ['--socket', socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(daemon.stdout as NodeJS.ReadableStream, 'data');
  });
  after(async () => {
    daemon.kill();
    await once(daemon, 'exit');
    rmSync(folder, { recursive: true });
  });
  /** Runs one; answers what it printed and its exit status. */
  const run = (program: string, ...args: string[]) =>
    new Promise<{ out: string; err: string; status: number }>((resolve) =>
      execFile(program, args, { env }, (error, out, err) =>
        resolve({ out, err, status: error === null ? 0 : Number(error.code) }),
      ),
    );
  const ok = async (program: string, ...args: string[]) => {
    const done = await run(program, ...args);
    assert.equal(done.status, 0, `${program} ${args.join(' ')}: ${done.err}`);
    return done.out;
  };

  test('write, read, exists, list, ls, rm', async () => {
    await ok('xenstore-write', '/u/a', 'one two', '/u/b/c', 'tab\\there');
    assert.equal(await ok('xenstore-read', '/u/a', '/u/b/c'), 'one two\ntab\\there\n');
    assert.equal(await ok('xenstore-read', '-p', '/u/a'), '/u/a: one two\n');
    assert.equal(await ok('xenstore-read', '-R', '/u/b/c'), 'tab\there');
    assert.equal((await run('xenstore-exists', '/u/a')).status, 0);
    assert.equal((await run('xenstore-exists', '/u/none')).status, 1);
    assert.deepEqual((await ok('xenstore-list', '/u')).split('\n').filter(Boolean).sort(), ['a', 'b']);
    assert.match(await ok('xenstore-ls', '/u'), /^a = "one two"\nb = ""\n c = "tab\\there"\n$/m);
    assert.match(await ok('xenstore-ls', '-f'), /^\/u\/b\/c = "tab\\there"$/m);
    await ok('xenstore-rm', '/u/b');
    assert.equal((await run('xenstore-exists', '/u/b/c')).status, 1);
    const failed = await run('xenstore-read', '/u/none');
    assert.equal(failed.status, 1);
    assert.match(failed.err, /couldn't read path \/u\/none/);
    await ok('xenstore-write', '/u/deep/er', 'x');
    await ok('xenstore-rm', '-t', '/u/deep/er');
    assert.equal((await run('xenstore-exists', '/u/deep')).status, 1);
  });
  test('a relative path is dom0’s', async () => {
    await ok('xenstore-write', 'domid', '0');
    assert.equal(await ok('xenstore-read', '/local/domain/0/domid'), '0\n');
  });
  test('chmod, alone and for a sub-tree', async () => {
    await ok('xenstore-write', '/p/a/b', '1');
    await ok('xenstore-chmod', '/p', 'n0', 'r7');
    assert.match(await ok('xenstore-ls', '-p', '/'), /^p = ""[ .]*\(n0,r7\)$/m);
    await ok('xenstore-chmod', '-r', '/p', 'b5');
    assert.match(await ok('xenstore-ls', '-fp', '/p'), /^\/p\/a\/b = "1"[ .]*\(b5\)$/m);
  });
  test('watch ends after its number of events', async () => {
    await ok('xenstore-write', '/w', '0');
    const watch = spawn('xenstore-watch', ['-n', '3', '/w'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(watch, 'close');
    let heard = '';
    watch.stdout.on('data', (text) => (heard += text));
    await once(watch.stdout, 'data');
    await ok('xenstore-write', '/w/a', '1');
    while (!heard.includes('/w/a')) await once(watch.stdout, 'data');
    await ok('xenstore-rm', '/w');
    const [status] = await closed;
    assert.equal(status, 0);
    assert.equal(heard, '/w\n/w/a\n/w\n');
  });
  test('many children are listed in parts', async () => {
    const names = Array.from({ length: 400 }, (_, i) => `/many/child-number-${i}`);
    await ok('xenstore-write', ...names.flatMap((name) => [name, '']));
    assert.equal((await ok('xenstore-list', '/many')).split('\n').filter(Boolean).length, 400);
  });
  test('transactions of many at once lose nothing', async () => {
    await ok('xenstore-write', '/t/n', '0');
    await Promise.all(Array.from({ length: 8 }, (_, i) => ok('xenstore-write', `/t/${i}`, 'x', `/t/${i}/below`, 'y')));
    assert.equal((await ok('xenstore-list', '/t')).split('\n').filter(Boolean).length, 9);
  });
  test('control', { skip: !control && 'xenstore-control is not installed' }, async () => {
    const ask = (...args: string[]) => ok(control as string, ...args);
    assert.match(await ask('help'), /^check\t/m);
    assert.equal(await ask('check'), 'OK\n');
    assert.match(await ask('quota'), /^nodes +: +1000$/m);
    assert.equal(await ask('quota', 'set', 'nodes', '1500'), 'OK\n');
    assert.match(await ask('quota'), /^nodes +: +1500$/m);
    assert.match(await ask('quota-soft'), /^memory +: +2097152$/m);
    assert.match(await ask('quota', '0'), /^Domain 0:\nnodes +: +\d+$/m);
    assert.match(await ask('quota', 'max'), /^Domain 0:/m);
    assert.match(await ask('memreport'), /^nodes: \d+$/m);
    assert.equal(await ask('print', 'hello'), 'OK\n');
    const requests = join(folder, 'requests');
    assert.equal(await ask('logfile', requests), 'OK\n');
    assert.equal(await ask('log', 'on'), 'OK\n');
    await ok('xenstore-write', '/logged', 'a value');
    assert.match(readFileSync(requests, 'utf8'), /"type":"WRITE"/);
    assert.equal(statSync(requests).mode & 0o777, 0o600);
    for (const path of [join(folder, 'absent', 'requests'), folder, 'relative'])
      assert.notEqual((await run(control as string, 'logfile', path)).status, 0, path);
    assert.equal(await ask('log'), 'on\n', 'a file that cannot be is refused, and nothing changes');
    assert.equal(await ask('log', 'off'), 'OK\n');
    const refused = await run(control as string, 'nonsense');
    assert.match(refused.out + refused.err, /not supported/);
  });
});
