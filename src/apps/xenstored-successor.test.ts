import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodePacket, op, type Packet, PacketReader } from '../wire/xenstore.ts';

const folder = mkdtempSync(join(tmpdir(), 'ghl-successor-'));
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(folder, { recursive: true });
});

let serial = 0;
async function started() {
  const path = join(folder, `socket${++serial}`);
  const main = join(import.meta.dirname, 'xenstored.ts');
  const child = spawn(process.execPath, [main, '--socket', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let said = '';
  let heard: () => void = () => undefined;
  child.stderr?.on('data', (bytes) => {
    said += bytes;
    heard();
  });
  const saying = async (pattern: RegExp) => {
    while (!pattern.test(said)) await new Promise<void>((resolve) => (heard = resolve));
  };
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, path, said: () => said, saying };
}

/** A client that speaks packets. */
class Peer {
  readonly socket: Socket;
  readonly packets: Packet[] = [];
  readonly #reader = new PacketReader();
  #heard: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.packets.push(...this.#reader.push(bytes));
      this.#heard();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#heard());
  }
  static async of(path: string): Promise<Peer> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new Peer(socket);
  }
  /** The first packet that is `wanted`, now or when it comes; it is taken out. */
  async next(wanted: (packet: Packet) => boolean): Promise<Packet> {
    for (;;) {
      const at = this.packets.findIndex(wanted);
      const [found] = at < 0 ? [] : this.packets.splice(at, 1);
      if (found) return found;
      if (this.socket.destroyed) throw new Error('the connection ended');
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }
  async ask(type: number, payload: string, transaction = 0, id = ++serial): Promise<string> {
    this.socket.write(encodePacket(type, id, transaction, payload));
    const reply = await this.next((p) => p.requestId === id && p.type !== op.watchEvent);
    return (reply.type === op.error ? 'error ' : '') + reply.payload.toString('latin1').replace(/\0$/, '');
  }
}

test('live update: nobody notices: transactions, watches, half a request, answers that were not read', async () => {
  const { child, path, said } = await started();
  const admin = await Peer.of(path);
  const client = await Peer.of(path);
  const slow = await Peer.of(path);
  assert.equal(await client.ask(op.write, '/a\0one\xff'), 'OK');
  assert.equal(await client.ask(op.write, `/big\0${'x'.repeat(4000)}`), 'OK');
  assert.equal(await client.ask(op.watch, '/a\0token\0'), 'OK');
  await client.next((p) => p.type === op.watchEvent);
  const keeps = Number(await client.ask(op.transactionStart, '\0'));
  assert.equal(await client.ask(op.write, '/kept\0yes', keeps), 'OK');
  const loses = Number(await client.ask(op.transactionStart, '\0'));
  assert.equal(await client.ask(op.read, '/a\0', loses), 'one\xff');
  assert.equal(await client.ask(op.write, '/a\0two'), 'OK');
  await client.next((p) => p.type === op.watchEvent);
  // More answers than the kernel's buffers take wait for one that does not read.
  slow.socket.pause();
  const many = 500;
  for (let i = 0; i < many; i++) slow.socket.write(encodePacket(op.read, 10_000 + i, 0, '/big\0'));
  const whole = encodePacket(op.read, 77, 0, '/a\0');
  client.socket.write(whole.subarray(0, 18));
  // Everything that was written before is with the daemon when a later request of each is answered.
  assert.equal(await admin.ask(op.read, '/a\0'), 'two');

  const { pid } = child;
  const program = join(import.meta.dirname, 'xenstored.ts');
  assert.equal(await admin.ask(op.control, `live-update\0-f\0${program}\0`), 'OK');
  assert.equal(await admin.ask(op.control, 'live-update\0-s\0-t\x0060\0'), 'OK');
  assert.equal(await admin.ask(op.read, '/a\0'), 'two');
  assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /--successor/, 'the same process runs the successor');

  client.socket.write(whole.subarray(18));
  assert.equal((await client.next((p) => p.requestId === 77)).payload.toString(), 'two');
  assert.equal(await client.ask(op.read, '/kept\0', keeps), 'yes');
  assert.equal(await client.ask(op.transactionEnd, 'T\0', keeps), 'OK');
  assert.equal(await client.ask(op.read, '/kept\0'), 'yes');
  assert.equal(await client.ask(op.transactionEnd, 'T\0', loses), 'error EAGAIN');
  assert.equal(await admin.ask(op.write, '/a/b\0three'), 'OK');
  const event = await client.next((p) => p.type === op.watchEvent);
  assert.equal(event.payload.toString(), '/a/b\0token\0');
  slow.socket.resume();
  for (let i = 0; i < many; i++) {
    const reply = await slow.next(() => true);
    assert.equal(reply.requestId, 10_000 + i);
    assert.equal(reply.payload.length, 4000);
  }
  assert.equal(await (await Peer.of(path)).ask(op.read, '/kept\0'), 'yes');
  // Again, and again.
  for (let i = 0; i < 2; i++) {
    assert.equal(await admin.ask(op.control, 'live-update\0-s\0'), 'OK');
    assert.equal(await client.ask(op.read, '/kept\0'), 'yes');
  }
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('successor')),
    [],
  );
  assert.doesNotMatch(said(), /"level":"error"/);
});

test('live update: what cannot be started is refused, and the daemon goes on', async () => {
  const { path, saying } = await started();
  const admin = await Peer.of(path);
  assert.match(await admin.ask(op.control, 'live-update\0-f\0/nowhere/xenstored\0'), /^live-update: ENOENT/);
  assert.match(await admin.ask(op.control, `live-update\0-f\0${process.execPath}\0`), /is another kind of xenstored/);
  const script = join(folder, 'not-executable');
  writeFileSync(script, '#!/bin/sh\n', { mode: 0o600 });
  assert.equal(await admin.ask(op.control, `live-update\0-f\0${script}\0`), 'OK');
  assert.equal(await admin.ask(op.control, 'live-update\0-s\0'), 'OK');
  assert.equal(await admin.ask(op.write, '/still\0here'), 'OK');
  await saying(/could not be replaced and goes on.*EACCES/);
  assert.equal(await admin.ask(op.control, 'live-update\0-a\0'), 'OK');
  assert.equal(await admin.ask(op.control, 'live-update\0-s\0'), 'OK');
  assert.equal(await admin.ask(op.read, '/still\0'), 'here');
});

test('without a socket, and where no domain can be served, the refusal says what to do', {
  skip: existsSync('/proc/xen/xsd_port') && 'this is dom0',
}, async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'xenstored.ts')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let said = '';
  child.stderr?.on('data', (bytes) => (said += bytes));
  const [status] = await once(child, 'close');
  assert.equal(status, 1);
  assert.match(said, /^xenstored: the domains of this host cannot be served: .*xenstored --socket PATH$/m);
});
