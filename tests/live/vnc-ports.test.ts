/** Screens of VMs from xl files on ports of the host, on real QEMU, seen with vncsnapshot. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { respond } from '../../src/vncterm/security.ts';
import { type XenopsdHost, xenopsdHost } from '../scenario/xenopsd-host.ts';
import { readPicture, textOf } from './clients/picture.ts';
import { run, without } from './clients/program.ts';
import { cannotRun } from './host.ts';
import { tinyGuest } from './tiny-guest.ts';

const skip = without({ vncsnapshot: 'vncsnapshot', 'libjpeg-turbo-progs': 'djpeg' }) || (cannotRun() ?? false);
const timeout = 150_000;
const deadlineMs = 90_000;

/** The port of the VM's screen, as `xenops-cli console-list` tells it. */
async function portOf(h: XenopsdHost, name: string): Promise<number> {
  for (const until = Date.now() + deadlineMs; Date.now() < until; await sleep(50)) {
    const consoles = (await h.json('console-list', name)) as { protocol: string; port: number }[];
    const port = consoles.find((c) => c.protocol === 'Rfb')?.port ?? 0;
    if (port > 0) return port;
  }
  throw new Error(`${name} has no port`);
}
/** Looks until there are `lines` of text. */
async function look(port: number, file: string, lines: number, more: readonly string[] = []): Promise<void> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const { code, err } = await run('vncsnapshot', [
      '-quiet',
      '-quality',
      '95',
      ...more,
      `127.0.0.1:${port - 5900}`,
      file,
    ]);
    assert.equal(code, 0, String(err));
    const seen = textOf(await readPicture(file));
    if (seen.lines >= lines) return;
    assert.ok(Date.now() < until, `no text on the screen: ${JSON.stringify(seen)}`);
    await sleep(200);
  }
}

test('vnc=1 of an xl file: firmware of an HVM guest, the text of a kernel, and a password', {
  skip,
  timeout,
}, async () => {
  await using h = await xenopsdHost('qemu');
  const folder = process.env['VNC_PICTURES'] ?? mkdtempSync(join(tmpdir(), 'gh-vnc-'));
  try {
    const picture = (name: string) => join(folder, name);
    await h.ok('create', h.file('hvm.cfg', "name='firmware'\ntype='hvm'\nmemory=32\nboot='c'\n"));
    await look(await portOf(h, 'firmware'), picture('firmware.jpg'), 2);
    const kernel = join(h.data, 'kernel');
    writeFileSync(kernel, tinyGuest());
    chmodSync(kernel, 0o666); // guests run as users of their own
    const text = (name: string, rest: string) =>
      h.file(`${name}.cfg`, `name='${name}'\ntype='pvh'\nkernel='${kernel}'\nmemory=32\n${rest}`);
    await h.ok('create', text('text', 'vnc=1\n'));
    const port = await portOf(h, 'text');
    await look(port, picture('text.jpg'), 1);
    await h.ok('create', text('locked', "vfb=['vncpasswd=secret']\n"));
    const locked = await portOf(h, 'locked');
    assert.notEqual(locked, port);
    const wrong = await run('vncsnapshot', ['-quiet', `127.0.0.1:${locked - 5900}`, picture('wrong.jpg')]);
    assert.notEqual(wrong.code, 0);
    // A file of passwords holds them encrypted with a key that everybody knows.
    const file = h.file('passwd', '');
    writeFileSync(file, respond(Buffer.from('secret\0\0'), String.fromCharCode(23, 82, 107, 6, 35, 78, 88, 7)));
    await look(locked, picture('locked.jpg'), 1, ['-passwd', file]);
  } finally {
    if (!process.env['VNC_PICTURES']) rmSync(folder, { recursive: true });
  }
});
