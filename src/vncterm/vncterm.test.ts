import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { loadFont } from './font.ts';
import { openTextScreen, type TextScreen } from './index.ts';
import { Keyboard } from './keys.ts';
import { Painter, usualFormat } from './pixels.ts';
import { size, wordsPerCell } from './terminal.ts';

/** A console that says `text` to whoever connects, and a screen of it. */
async function screenOf(t: TestContext, text: string, password?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'gh-vncterm-'));
  const console = join(folder, 'console');
  const lines: Socket[] = [];
  let typed = '';
  const server = createServer((socket) => {
    lines.push(socket);
    socket.write(text);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      typed += bytes.toString();
      server.emit('typed');
    });
  });
  server.listen(console);
  const path = join(folder, 'rfb');
  const screen: TextScreen = await openTextScreen({
    ...{ console, listen: { path }, name: 'guest', clock: systemClock, log: silentLog },
    ...(password === undefined ? {} : { password }),
  });
  t.after(async () => {
    await screen.close();
    for (const line of lines) line.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    lines,
    async typed(length: number): Promise<string> {
      while (typed.length < length) await once(server, 'typed');
      return typed;
    },
  };
}
/** Reads exactly what it is asked for. */
function reader(socket: Socket) {
  let seen = Buffer.alloc(0);
  let ended = false;
  socket.on('data', (bytes) => {
    seen = Buffer.concat([seen, bytes]);
    socket.emit('more');
  });
  socket.on('close', () => {
    ended = true;
    socket.emit('more');
  });
  return async (length: number): Promise<Buffer> => {
    while (seen.length < length) {
      if (ended) throw new Error('closed');
      await once(socket, 'more');
    }
    const out = seen.subarray(0, length);
    seen = seen.subarray(length);
    return out;
  };
}
async function viewer(path: string, encoding: 0 | 5 = 0) {
  const socket = connect(path);
  const read = reader(socket);
  assert.equal((await read(12)).toString(), 'RFB 003.008\n');
  socket.write('RFB 003.008\n');
  assert.deepEqual([...(await read(2))], [1, 1]);
  socket.write(Buffer.from([1]));
  assert.deepEqual([...(await read(4))], [0, 0, 0, 0]);
  socket.write(Buffer.from([1]));
  const init = await read(24);
  const [width, height] = [init.readUInt16BE(0), init.readUInt16BE(2)];
  assert.equal((await read(init.readUInt32BE(20))).toString(), 'guest');
  socket.write(Buffer.from([2, 0, 0, 1, 0, 0, 0, encoding]));
  const picture = Buffer.alloc(width * height * 4);
  const put = (x: number, y: number, pixel: Buffer) => pixel.copy(picture, (y * width + x) * 4);
  const rectangle = async () => {
    const head = await read(12);
    const [x, y, w, h] = [0, 2, 4, 6].map((i) => head.readUInt16BE(i)) as [number, number, number, number];
    assert.equal(head.readInt32BE(8), encoding);
    if (encoding === 0) {
      const raw = await read(w * h * 4);
      for (let i = 0; i < w * h; i++) put(x + (i % w), y + Math.floor(i / w), raw.subarray(i * 4, i * 4 + 4));
      return;
    }
    let back: Buffer = Buffer.alloc(4);
    for (let ty = y; ty < y + h; ty += 16) {
      for (let tx = x; tx < x + w; tx += 16) {
        const [tw, th] = [Math.min(16, x + w - tx), Math.min(16, y + h - ty)];
        const flags = (await read(1))[0] as number;
        if (flags & 1) {
          const raw = await read(tw * th * 4);
          for (let i = 0; i < tw * th; i++) put(tx + (i % tw), ty + Math.floor(i / tw), raw.subarray(i * 4, i * 4 + 4));
          continue;
        }
        if (flags & 2) back = Buffer.from(await read(4));
        for (let i = 0; i < tw * th; i++) put(tx + (i % tw), ty + Math.floor(i / tw), back);
        const runs = flags & 8 ? ((await read(1))[0] as number) : 0;
        for (let n = 0; n < runs; n++) {
          const colour = Buffer.from(await read(4));
          const [xy = 0, wh = 0] = await read(2);
          for (let dx = 0; dx <= wh >> 4; dx++) put(tx + (xy >> 4) + dx, ty + (xy & 15), colour);
        }
      }
    }
  };
  return {
    socket,
    picture,
    /** The next picture; everything, or what has changed. */
    async look(incremental: boolean): Promise<number> {
      const ask = Buffer.from([3, incremental ? 1 : 0, 0, 0, 0, 0, 0, 0, 0, 0]);
      ask.writeUInt16BE(width, 6);
      ask.writeUInt16BE(height, 8);
      socket.write(ask);
      const count = (await read(4)).readUInt16BE(2);
      for (let i = 0; i < count; i++) await rectangle();
      return count;
    },
    key(keysym: number): void {
      for (const down of [1, 0]) {
        const m = Buffer.from([4, down, 0, 0, 0, 0, 0, 0]);
        m.writeUInt32BE(keysym, 4);
        socket.write(m);
      }
    },
  };
}
const text = '\x1b[31mred\x1b[0m \x1b[44mblue\x1b[0m plain ┌─┐ ä ' + '#'.repeat(300);

test('raw and hextile show the same picture, with ink on it', async (t) => {
  const { path } = await screenOf(t, text);
  const [a, b] = [await viewer(path, 0), await viewer(path, 5)];
  await Promise.all([a.look(false), b.look(false)]);
  assert.ok(a.picture.equals(b.picture));
  const colours = new Set<number>();
  for (let i = 0; i < a.picture.length; i += 4) colours.add(a.picture.readUInt32LE(i) & 0xffffff);
  for (const wanted of [0xcd0000, 0x3a5fcd, 0xd0d0d0, 0]) assert.ok(colours.has(wanted), wanted.toString(16));
});
test('only what changed is sent again', async (t) => {
  const { path, lines } = await screenOf(t, 'one\r\ntwo\r\n');
  const v = await viewer(path, 5);
  await v.look(false);
  const before = Buffer.from(v.picture);
  const next = v.look(true);
  lines[0]?.write('three');
  assert.equal(await next, 1);
  assert.ok(!before.equals(v.picture));
});
test('keys, the clipboard and the answers of the terminal go to the guest', async (t) => {
  const { path, typed, lines } = await screenOf(t, 'login: ');
  const v = await viewer(path);
  await v.look(false);
  for (const keysym of [0x61, 0xff52, 0xff0d]) v.key(keysym);
  v.socket.write(Buffer.concat([Buffer.from([6, 0, 0, 0, 0, 0, 0, 3]), Buffer.from('b\nc')]));
  assert.equal(await typed(8), 'a\x1b[A\rb\rc');
  lines[0]?.write('\x1b[6n');
  assert.match(await typed(14), /\x1b\[1;8R$/);
});
test('a password is asked for, and a wrong one refused', async (t) => {
  const { path } = await screenOf(t, '', 'geheim');
  const join = async (password: string): Promise<number> => {
    const socket = connect(path);
    const read = reader(socket);
    await read(12);
    socket.write('RFB 003.008\n');
    assert.deepEqual([...(await read(2))], [1, 2]);
    socket.write(Buffer.from([2]));
    const key = Buffer.alloc(8);
    key.write(password);
    for (const [i, byte] of key.entries()) {
      let turned = 0;
      for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) turned |= 128 >> bit;
      key[i] = turned;
    }
    const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null).setAutoPadding(false);
    socket.write(cipher.update(await read(16)));
    const result = (await read(4)).readUInt32BE(0);
    socket.destroy();
    return result;
  };
  assert.equal(await join('geheim'), 0);
  assert.equal(await join('falsch'), 1);
});
test('the console comes back after it was away', async (t) => {
  const { path, lines } = await screenOf(t, 'here');
  const v = await viewer(path);
  await v.look(false);
  const next = v.look(true);
  lines[0]?.destroy();
  await next; // the same text again, after it
  assert.equal(lines.length, 2);
});
test('nonsense closes the connection and hurts nobody else', async (t) => {
  const { path } = await screenOf(t, text);
  const good = await viewer(path);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.boolean(), async (bytes, late) => {
      const socket = connect(path);
      socket.on('error', () => socket.destroy());
      socket.write('RFB 003.008\n');
      if (late) socket.write(Buffer.from([1, 1]));
      socket.end(bytes);
      socket.resume();
      await once(socket, 'close');
    }),
    { numRuns: 60 },
  );
  assert.equal(await good.look(false), 1);
});
test('keys of a terminal', () => {
  const k = new Keyboard();
  const press = (keysym: number, application = false) => k.key(keysym, true, application);
  assert.equal(press(0xff52), '\x1b[A');
  assert.equal(press(0xff52, true), '\x1bOA');
  assert.equal(press(0xffbe), '\x1bOP');
  assert.equal(press(0xffb5), '5');
  assert.equal(press(0x0100_20ac), '€');
  assert.equal(press(0xe9), 'é');
  assert.equal(k.key(0x61, false, false), '');
  press(0xffe3);
  assert.equal(press(0x63), '\x03');
  assert.equal(press(0x5b), '\x1b');
  k.key(0xffe3, false, false);
  press(0xffe9);
  assert.equal(press(0x62), '\x1bb');
  fc.assert(fc.property(fc.nat(0xffff_ffff), (keysym) => typeof new Keyboard().key(keysym, true, false) === 'string'));
});
test('every pixel format has pixels of its own length', () => {
  const cells = new Uint32Array(size.columns * size.rows * wordsPerCell).fill(0x41);
  const area = { x: 0, y: 0, columns: 2, rows: 1 };
  for (const bytes of [1, 2, 4] as const) {
    const painter = new Painter(loadFont(), { ...usualFormat, bytes, max: [7, 7, 3], shift: [0, 3, 6] });
    assert.equal(painter.raw(cells, area).length, 2 * 9 * 18 * bytes);
  }
});
