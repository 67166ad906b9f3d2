import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { CallFailed, koffi, LibraryMissing, loadLibrary } from './koffi.ts';
import { openLibc, pageSize } from './libc.ts';
import { watchReadable } from './readable.ts';

const folder = mkdtempSync(join(tmpdir(), 'ghl-libc-'));
after(() => rmSync(folder, { recursive: true }));
const libc = openLibc();

test('two mappings of a file share their bytes', () => {
  const fd = openSync(join(folder, 'page'), 'w+');
  ftruncateSync(fd, pageSize);
  const first = libc.map(fd);
  const second = libc.map(fd);
  closeSync(fd);
  new Uint8Array(koffi().view(first, pageSize))[7] = 42;
  assert.equal(new Uint8Array(koffi().view(second, pageSize))[7], 42);
  libc.unmap(first);
  libc.unmap(second);
});

test('a failing call names itself, what it was called with and the error', () => {
  assert.throws(() => libc.map(-1), {
    name: 'CallFailed',
    code: 'EBADF',
    message: /mmap failed: EBADF \(descriptor -1\)/,
  });
  assert.throws(() => libc.execve('/nowhere/at-all', ['x'], {}), CallFailed);
});

test('a missing library is refused with the package that has it', () => {
  assert.throws(
    () => loadLibrary('libxennothere.so.9', 'libxennothere9'),
    (error: Error) =>
      error instanceof LibraryMissing &&
      /libxennothere.so.9 .*install Debian's package libxennothere9/.test(error.message),
  );
});

for (const [name, way, lingerMs] of [
  ['poll', 'poll', 0],
  ['poll, lingering', 'poll', 50],
  ['thread', 'thread', 0],
] as const) {
  test(`bytes of a descriptor arrive, by ${name}`, async () => {
    const path = join(folder, `fifo-${name}`);
    const mkfifo = loadLibrary('libc.so.6', 'libc6').func('int mkfifo(const char *path, unsigned int mode)');
    assert.equal(mkfifo(path, 0o600), 0);
    const fd = openSync(path, 'r+');
    // A descriptor that waits would hold up the test's process.
    libc.setNonBlocking(fd);
    const arrived = await new Promise<string>((resolve) => {
      let all = '';
      const stop = watchReadable({
        fd,
        libc,
        log: silentLog,
        way,
        lingerMs,
        onBytes(bytes) {
          all += bytes.toString();
          if (all.length < 8) return void writeSync(fd, 'pong');
          stop();
          resolve(all);
        },
      });
      writeSync(fd, 'ping');
    });
    assert.equal(arrived, 'pingpong');
    closeSync(fd);
  });
}

test('what was promised while bytes are handled is done before the next wait', async () => {
  const path = join(folder, 'fifo-promise');
  const mkfifo = loadLibrary('libc.so.6', 'libc6').func('int mkfifo(const char *path, unsigned int mode)');
  mkfifo(path, 0o600);
  const fd = openSync(path, 'r+');
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    const stop = watchReadable({
      fd,
      libc,
      log: silentLog,
      onBytes() {
        setImmediate(() => {
          order.push('later');
          stop();
          resolve();
        });
        queueMicrotask(() => order.push('microtask'));
        process.nextTick(() => order.push('tick'));
      },
    });
    writeSync(fd, 'x');
  });
  closeSync(fd);
  assert.deepEqual(order, ['tick', 'microtask', 'later']);
});

test('lingering for bytes holds up neither timers nor other descriptors, nor what was put off', async () => {
  const path = join(folder, 'fifo-linger');
  const mkfifo = loadLibrary('libc.so.6', 'libc6').func('int mkfifo(const char *path, unsigned int mode)');
  mkfifo(path, 0o600);
  const fd = openSync(path, 'r+');
  const server = createServer((socket) => void socket.end('hello')).listen(join(folder, 'socket'));
  const order: string[] = [];
  const hour = 3_600_000;
  const stop = watchReadable({
    fd,
    libc,
    log: silentLog,
    lingerMs: hour,
    onBytes: (bytes) => {
      order.push(bytes.toString());
      if (order.length === 1) {
        setImmediate(() => order.push('immediate'));
        setTimeout(() => {
          order.push('timer');
          writeSync(fd, 'b');
        }, 5);
      } else {
        connect(join(folder, 'socket')).on('data', (data) => {
          order.push(data.toString());
          server.close();
        });
      }
    },
  });
  writeSync(fd, 'a');
  await once(server, 'close');
  stop();
  closeSync(fd);
  assert.deepEqual(order, ['a', 'immediate', 'timer', 'b', 'hello']);
});

test('an exception while bytes are handled is not swallowed', async () => {
  const path = join(folder, 'fifo-throws');
  const mkfifo = loadLibrary('libc.so.6', 'libc6').func('int mkfifo(const char *path, unsigned int mode)');
  mkfifo(path, 0o600);
  const fd = openSync(path, 'r+');
  const thrown = new Promise<Error>((resolve) => {
    const old = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const listener of old) process.on('uncaughtException', listener);
      resolve(error);
    });
  });
  const stop = watchReadable({
    fd,
    libc,
    log: silentLog,
    onBytes() {
      throw new Error('from within');
    },
  });
  writeSync(fd, 'x');
  const error = await thrown;
  stop();
  closeSync(fd);
  assert.equal(error.message, 'from within');
});
