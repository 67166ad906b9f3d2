/** Consoles of real guests with the clients that people have: vncsnapshot sees the screen, WebSockets and CONNECT carry the bytes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import test from 'node:test';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Rec } from '../../src/datamodel/index.ts';
import { type Bridge, bridge, dial } from './clients/bridge.ts';
import { login } from './clients/login.ts';
import { type Picture, readPicture, textOf } from './clients/picture.ts';
import { run, without } from './clients/program.ts';
import { cannotRun, type LiveHost, liveHost } from './host.ts';

const timeout = 150_000;
const tools = without({ vncsnapshot: 'vncsnapshot', 'libjpeg-turbo-progs': 'djpeg' });
const noGuest = cannotRun() ?? false;

/** A running VM made from a template, its session and where its console of the protocol is. */
async function started(h: LiveHost, template: string, protocol: 'rfb' | 'vt100') {
  const [source] = (await h.call('VM.get_by_name_label', template)) as string[];
  const vm = (await h.call('VM.clone', source, 'watched')) as string;
  const config = (await h.call('VM.get_other_config', vm)) as Record<string, string>;
  const { disks: _, ...rest } = config;
  await h.call('VM.set_other_config', vm, rest);
  await h.call('VM.provision', vm);
  await h.call('VM.start', vm, false, false);
  const { consoles } = (await h.call('VM.get_record', vm)) as Rec<'VM'>;
  const records = await Promise.all(consoles.map((c) => h.call('console.get_record', c) as Promise<Rec<'console'>>));
  const found = records.find((r) => r.protocol === protocol);
  assert.ok(found, `no console of ${protocol} among ${JSON.stringify(records)}`);
  const { pathname, search } = new URL(found.location);
  return { vm, path: `${pathname}${search}` };
}

async function untilText(b: Bridge, file: string): Promise<Picture> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const { code, err } = await run('vncsnapshot', ['-quiet', '-quality', '95', `127.0.0.1:${b.port - 5900}`, file]);
    assert.equal(code, 0, `${err} ${b.troubles.join(' | ')}`);
    const picture = await readPicture(file);
    if (textOf(picture).lines >= 3) return picture;
    assert.ok(Date.now() < deadline, `no text on the screen: ${JSON.stringify(textOf(picture))}`);
  }
}

test('vncsnapshot sees what the firmware writes, over HTTP and TLS', { skip: noGuest || tools, timeout }, async () => {
  await using h = await liveHost({ tls: true });
  const { path, vm } = await started(h, 'Other install media', 'rfb');
  const session = await login(h);
  const folder = mkdtempSync(join(tmpdir(), 'gh-vnc-'));
  try {
    for (const url of [h.url, h.tlsUrl ?? '']) {
      await using b = await bridge({ url, path, session });
      const file = join(folder, 'screen.jpg');
      const picture = await untilText(b, file);
      assert.ok(picture.width >= 640 && picture.height >= 350, `${picture.width}x${picture.height}`);
      const { bright } = textOf(picture);
      assert.ok(bright > 0.001 && bright < 0.4, `text is bright on dark: ${bright}`);
      assert.ok(readFileSync(file).length > 5000);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  await h.call('VM.hard_shutdown', vm);
});

/** Reads exactly so many bytes. */
async function take(stream: Duplex, bytes: number): Promise<Buffer> {
  for (;;) {
    const piece = stream.read(bytes) as Buffer | null;
    if (piece?.length === bytes) return piece;
    if (stream.readableEnded || stream.destroyed) assert.fail(`ended, ${bytes} bytes wanted`);
    await Promise.race([once(stream, 'readable'), once(stream, 'close')]);
  }
}
async function until(stream: Duplex, word: string): Promise<void> {
  for (let seen = ''; !seen.includes(word); seen += (await take(stream, 1)).toString('latin1'));
}

test('a WebSocket carries the RFB protocol from its first byte', { skip: noGuest, timeout }, async () => {
  await using h = await liveHost();
  const { path, vm } = await started(h, 'Other install media', 'rfb');
  const url = `${h.url.replace('http', 'ws')}${path}&session_id=${await login(h)}`;
  const ws = new WebSocket(url, ['binary']);
  const rfb = createWebSocketStream(ws);
  rfb.on('error', () => undefined);
  assert.equal((await take(rfb, 12)).toString(), 'RFB 003.008\n');
  rfb.write('RFB 003.008\n');
  const kinds = await take(rfb, (await take(rfb, 1))[0] ?? 0);
  assert.ok(kinds.includes(1), `a screen without a password of its own: ${[...kinds]}`);
  rfb.write(Buffer.of(1));
  assert.equal((await take(rfb, 4)).readUInt32BE(), 0);
  rfb.write(Buffer.of(1)); // others may look too
  const init = await take(rfb, 24);
  assert.ok(init.readUInt16BE(0) >= 640 && init.readUInt16BE(2) >= 350, init.toString('hex'));
  await take(rfb, init.readUInt32BE(20));
  // All of the screen, raw: at least the first rectangle's head has to come.
  rfb.write(Buffer.of(2, 0, 0, 1, 0, 0, 0, 0));
  rfb.write(Buffer.from([3, 0, 0, 0, 0, 0, init[0] ?? 0, init[1] ?? 0, init[2] ?? 0, init[3] ?? 0]));
  const update = await take(rfb, 16);
  assert.deepEqual([update[0], update.readInt32BE(12)], [0, 0]);
  const closed = once(ws, 'close');
  rfb.resume();
  await h.call('VM.hard_shutdown', vm);
  await closed;
});

test('CONNECT gives the serial line of a Linux guest', { skip: noGuest, timeout }, async () => {
  await using h = await liveHost({ tls: true });
  const { path } = await started(h, 'Tiny Linux', 'vt100');
  const session = await login(h);
  for (const [i, url] of [h.url, h.tlsUrl ?? ''].entries()) {
    const serial = await dial({ url, path, session });
    // Whoever comes later is shown the prompt again; what the first was answered must not count for the second.
    await until(serial, '# ');
    serial.write(`echo $((600 * ${7 + i}))\r`);
    await until(serial, `\n${600 * (7 + i)}`);
    serial.destroy();
  }
});
