import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { VmEntry, Xenops, XenopsEvent } from '../contracts/xenops.ts';
import { openScreenPorts, wantedScreen } from './ports.ts';
import { respond } from './security.ts';

const socket = '/nowhere/rfb';
const entry = (id: string, platform: Record<string, string>, path = socket): VmEntry =>
  ({
    spec: { id, platform },
    state: { domid: 1, consoles: path === '' ? [] : [{ protocol: 'rfb', socket: path }] },
  }) as unknown as VmEntry;

test('a VM says where its screen is offered', () => {
  const wanted = (platform: Record<string, string>) => wantedScreen(entry('a', platform));
  const plain = { socket, host: '127.0.0.1', display: undefined, password: undefined };
  assert.equal(wanted({}), undefined);
  assert.equal(wantedScreen(entry('a', { vnc: 'true' }, '')), undefined);
  assert.deepEqual(wanted({ vnc: 'true' }), plain);
  assert.deepEqual(wanted({ vnc: 'true', vnclisten: ':7' }), { ...plain, display: 7 });
  assert.deepEqual(wanted({ vnc: 'true', vnclisten: '0.0.0.0:7', vncpasswd: 'x' }), {
    ...{ socket, host: '0.0.0.0', display: 7, password: 'x' },
  });
  assert.deepEqual(wanted({ vnc: 'true', vnclisten: '::1' }), { ...plain, host: '::1' });
  assert.deepEqual(wanted({ vnc: 'true', vnclisten: '[::1]:2' }), { ...plain, host: '::1', display: 2 });
  assert.throws(() => wanted({ vnc: 'true', vnclisten: ':59636' }), /display 59636 is not between 0 and 59635/);
});

/** A domain manager with these VMs, and a screen that lets anybody in and repeats what it is told. */
async function world(t: TestContext, vms: (screen: string) => VmEntry[]) {
  const folder = mkdtempSync(join(tmpdir(), 'gh-ports-'));
  const screen = join(folder, 'rfb');
  const server = createServer((guest) => {
    guest.write('RFB 003.008\n');
    guest.once('data', () => {
      guest.write(Buffer.of(1, 1));
      guest.once('data', () => {
        guest.write(Buffer.alloc(4));
        guest.on('data', (bytes) => guest.write(bytes));
      });
    });
    guest.on('error', () => guest.destroy());
  });
  server.listen(screen);
  let tell: (event: XenopsEvent) => void = () => undefined;
  const xenops = {
    vm: { list: async () => vms(screen) },
    watch: (listener: typeof tell) => {
      tell = listener;
      return () => undefined;
    },
  } as unknown as Xenops;
  const log = {
    ...silentLog,
    warn: (message: string, more?: object) => warned.push(`${message} ${JSON.stringify(more)}`),
  };
  const warned: string[] = [];
  const ports = await openScreenPorts({ xenops, clock: systemClock, log });
  t.after(async () => {
    await ports.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { ports, screen, warned, tell: (vm: VmEntry) => tell({ id: vm.spec.id, vm }) };
}
async function take(s: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes = s.read(length) as Buffer | null;
    if (bytes) return bytes;
    await once(s, 'readable');
  }
}
async function dial(port: number | undefined) {
  const s = connect(port ?? 0, '127.0.0.1');
  assert.equal((await take(s, 12)).toString(), 'RFB 003.008\n');
  s.write('RFB 003.008\n');
  return s;
}

test('each screen has a port of its own until its guest ends', async (t) => {
  const w = await world(t, (s) => [entry('a', { vnc: 'true' }, s), entry('b', { vnc: 'true' }, s), entry('c', {}, s)]);
  const [a, b] = [w.ports.portOf('a') ?? 0, w.ports.portOf('b') ?? 0];
  assert.ok(a > 5900 && b > a && b < 6000, `${a} ${b}`);
  assert.equal(w.ports.portOf('c'), undefined);
  const viewer = await dial(a);
  assert.deepEqual([...(await take(viewer, 2))], [1, 1]);
  // The same run of the guest keeps its viewers; the next has a screen of its own, on the port that is asked for.
  w.tell(entry('a', { vnc: 'true' }, w.screen));
  viewer.write(Buffer.of(1));
  await take(viewer, 4);
  w.tell(entry('a', { vnc: 'true' }, ''));
  viewer.resume();
  await once(viewer, 'close');
  const refused = connect(a, '127.0.0.1');
  assert.equal((await once(refused, 'error').then(([e]) => e as NodeJS.ErrnoException)).code, 'ECONNREFUSED');
});

test('a display that is taken is told, and the VM has none', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  const w = await world(t, (s) => [entry('a', { vnc: 'true', vnclisten: `127.0.0.1:${port - 5900}` }, s)]);
  assert.equal(w.ports.portOf('a'), undefined);
  assert.match(w.warned.join('\n'), /the screen of a VM has no port .*EADDRINUSE/);
});

test('a screen with a password opens for who knows it', async (t) => {
  const w = await world(t, (s) => [entry('a', { vnc: 'true', vncpasswd: 'secret' }, s)]);
  const ask = async (password: string) => {
    const viewer = await dial(w.ports.portOf('a'));
    assert.deepEqual([...(await take(viewer, 2))], [1, 2]);
    viewer.write(Buffer.of(2));
    viewer.write(respond(await take(viewer, 16), password));
    return { viewer, result: (await take(viewer, 4)).readUInt32BE() };
  };
  const right = await ask('secret');
  assert.equal(right.result, 0);
  right.viewer.write('hello');
  assert.equal((await take(right.viewer, 5)).toString(), 'hello');
  const wrong = await ask('guess');
  assert.equal(wrong.result, 1);
  wrong.viewer.resume();
  await once(wrong.viewer, 'close');
});
