import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { ConsoleHub } from './console-hub.ts';

/** A guest's log and line, and a hub on them. */
async function bench() {
  const folder = mkdtempSync(join(tmpdir(), 'gh-hub-'));
  const paths = { path: join(folder, 'console'), serial: join(folder, 'serial'), consoleLog: join(folder, 'log') };
  writeFileSync(paths.consoleLog, '');
  const typed: string[] = [];
  const lines: Socket[] = [];
  const heard = new EventTarget();
  const qemu = createServer((line) => {
    lines.push(line);
    line.on('data', (bytes) => {
      typed.push(bytes.toString());
      heard.dispatchEvent(new Event('typed'));
    });
  });
  await once(qemu.listen(paths.serial), 'listening');
  const hub = () => new ConsoleHub({ ...paths, clock: systemClock, log: silentLog });
  return {
    ...paths,
    hub,
    lines,
    says: (text: string) => appendFileSync(paths.consoleLog, text),
    async typed(text: string) {
      while (!typed.join('').includes(text)) await new Promise((resolve) => heard.addEventListener('typed', resolve));
    },
    async [Symbol.asyncDispose]() {
      for (const line of lines) line.destroy();
      await new Promise((resolve) => qemu.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
class Reader {
  said = '';
  readonly socket: Socket;
  #look: () => void = () => undefined;
  constructor(path: string) {
    this.socket = connect(path).on('data', (bytes) => {
      this.said += bytes.toString();
      this.#look();
    });
  }
  hears(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => this.said.includes(text) && resolve();
      this.#look();
    });
  }
}

test('several readers see the same, also what was said before, and all may type', async () => {
  await using b = await bench();
  const hub = b.hub();
  assert.equal(statSync(b.path).mode & 0o777, 0o600);
  b.says('before\n');
  const one = new Reader(b.path);
  await one.hears('before');
  const two = new Reader(b.path);
  await two.hears('before');
  b.says('after\n');
  await Promise.all([one.hears('after'), two.hears('after')]);
  assert.equal(one.said, 'before\nafter\n');
  assert.equal(two.said, one.said);
  assert.equal(b.lines.length, 0, 'who only reads does not touch the line');
  one.socket.write('from one');
  await b.typed('from one');
  two.socket.end('from two');
  await b.typed('from two');
  assert.equal(b.lines.length, 1);
  hub.close();
  await once(one.socket, 'close');
});

test('a late reader gets the end of a long log, from the beginning of a line', async () => {
  await using b = await bench();
  const hub = b.hub();
  for (let n = 0; n < 3000; n++) b.says(`line number ${n}\n`);
  const reader = new Reader(b.path);
  await reader.hears('line number 2999\n');
  assert.match(reader.said, /^line number \d+\n/);
  assert.ok(reader.said.length > 15_000 && reader.said.length <= 16_384, `${reader.said.length} bytes`);
  hub.close();
});

test('a reader that does not read keeps nobody from reading; it goes on where it was', async () => {
  await using b = await bench();
  const hub = b.hub();
  const slow = new Reader(b.path);
  b.says('begin\n');
  await slow.hears('begin');
  slow.socket.pause();
  const quick = new Reader(b.path);
  const piece = 'x'.repeat(999);
  for (let n = 0; n < 4000; n++) b.says(`${piece}\n`);
  b.says('end\n');
  await quick.hears('end');
  slow.socket.resume();
  await slow.hears('end');
  assert.equal(slow.said.length, 'begin\n'.length + 4_000_000 + 'end\n'.length);
  hub.close();
});

test('readers that go away in the middle leave nothing open', async () => {
  await using b = await bench();
  const hub = b.hub();
  b.says('x'.repeat(100_000));
  const opened = () =>
    readdirSync('/proc/self/fd').filter((fd) => readlinkOrNot(`/proc/self/fd/${fd}`) === b.consoleLog);
  for (let n = 0; n < 20; n++) {
    const reader = new Reader(b.path);
    if (n % 2 === 0) await reader.hears('x');
    if (n % 3 === 0) reader.socket.end();
    else reader.socket.destroy();
    await once(reader.socket, 'close');
  }
  while (opened().length > 0) await new Promise((resolve) => setImmediate(resolve));
  hub.close();
});
function readlinkOrNot(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed since it was listed
  }
}

test('a log that is turned over is read on from its new beginning', async () => {
  await using b = await bench();
  const hub = b.hub();
  const reader = new Reader(b.path);
  b.says('old and long\n');
  await reader.hears('old and long');
  truncateSync(b.consoleLog);
  b.says('new\n');
  await reader.hears('new');
  hub.close();
});

test('a guest that ends: readers get its last words, then the end; the next hub replays', async () => {
  await using b = await bench();
  const hub = b.hub();
  const reader = new Reader(b.path);
  b.says('first\n');
  await reader.hears('first');
  b.says('last words\n');
  rmSync(b.consoleLog);
  hub.close();
  await once(reader.socket, 'close');
  assert.equal(reader.said, 'first\nlast words\n');
  assert.equal(existsSync(b.path), false);
  b.says('again\n');
  const next = b.hub();
  const after = new Reader(b.path);
  await after.hears('again');
  next.close();
});

test('a line that is lost is connected again at the next key', async () => {
  await using b = await bench();
  const hub = b.hub();
  const reader = new Reader(b.path);
  reader.socket.write('a');
  await b.typed('a');
  const lost = b.lines[0]!;
  lost.destroy();
  await once(lost, 'close');
  // Until the hub has noticed, keys go nowhere.
  while (b.lines.length < 2) {
    reader.socket.write('b');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await b.typed('b');
  hub.close();
});
