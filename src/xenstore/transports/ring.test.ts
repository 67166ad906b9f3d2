import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { encodePacket, op, type Packet, PacketReader } from '../../wire/xenstore.ts';
import { Connection, type Server } from '../connection.ts';
import { Domains } from '../domains.ts';
import { Quotas } from '../quotas.ts';
import { RingError } from '../rings.ts';
import { Turns } from '../turns.ts';
import { FakeRingHost } from './fake-ring-host.ts';
import type { RingLog } from './ring-log.ts';
import { createRingTransport } from './ring-transport.ts';

/** A store that answers every request with its own payload, and guests on it. */
function echoing() {
  const host = new FakeRingHost();
  const later: (() => void)[] = [];
  const transport = createRingTransport(host, silentLog);
  const domains = new Domains(new Quotas(), transport);
  const turns = new Turns((f) => later.push(f));
  let forgotten = 0;
  const server: Server = {
    turns,
    serve(connection, type, requestId, transactionId, bytes, from, to) {
      connection.output.text(type, requestId, transactionId, bytes.toString('latin1', from, to));
    },
    forget: () => void forgotten++,
  };
  host.listen(
    (local) => transport.rung(local),
    () => undefined,
  );
  let id = 0;
  const add = (domid: number) => {
    const guest = host.create(domid);
    const domain = domains.add(domid);
    const make = (connection: Connection) => transport.map(domid, 0n, guest.port, connection);
    const connection = new Connection(++id, domain, server, make);
    const ring = transport.ring(domid);
    assert.ok(ring);
    return { guest, connection, ring, reader: new PacketReader() };
  };
  const run = () => {
    do {
      host.deliver();
      for (const f of later.splice(0)) f();
    } while (host.waiting || later.length > 0);
  };
  return { host, add, run, transport, forgotten: () => forgotten };
}
const request = (id: number, payload: string | Uint8Array) => encodePacket(op.read, id, 0, payload);
const ids = (packets: Packet[]) => packets.map((p) => p.requestId);

test('requests are answered in order, also those that were put before the store looked', () => {
  const { add, run } = echoing();
  const { guest, ring, reader } = add(1);
  guest.send(Buffer.concat([request(1, 'one'), request(2, 'two')]));
  run();
  assert.equal(guest.received().length, 0, 'nothing is read before start');
  ring.start(15);
  run();
  guest.send(request(3, 'three'));
  run();
  const packets = reader.push(guest.received());
  assert.deepEqual(ids(packets), [1, 2, 3]);
  assert.equal(packets[2]?.payload.toString(), 'three');
  assert.equal(guest.field('features'), 15);
});

test('requests and answers longer than the ring are streamed through it', () => {
  const { add, run } = echoing();
  const { guest, ring, reader } = add(1);
  ring.start(15);
  const payload = Buffer.alloc(4096, 'x');
  guest.send(Buffer.concat([request(1, payload), request(2, 'short'), request(3, payload)]));
  run();
  const packets = reader.push(guest.received());
  assert.deepEqual(ids(packets), [1, 2, 3]);
  assert.deepEqual(packets[2]?.payload, payload);
  assert.equal(guest.field('requestConsumer'), guest.field('requestProducer'));
});

test('a request that comes in two pieces is answered: the guest rings for the first one only', () => {
  const { add, run } = echoing();
  const { guest, ring, reader } = add(1);
  ring.start(15);
  run();
  const one = request(1, 'two pieces');
  guest.send(one.subarray(0, 16));
  run();
  assert.equal(guest.field('requestConsumer'), 16, 'it is taken out before it is complete');
  guest.send(one.subarray(16));
  run();
  assert.deepEqual(ids(reader.push(guest.received())), [1]);
});

test('a guest that never reads is held back by its own answers, and another is served', () => {
  const { add, run, host } = echoing();
  const deaf = add(1);
  const other = add(2);
  deaf.ring.start(15);
  other.ring.start(15);
  run();
  deaf.guest.reads = false;
  for (let i = 0; i < 1000; i++) deaf.guest.send(request(i, 'x'.repeat(200)));
  run();
  assert.ok(deaf.connection.output.frames <= 20, `${deaf.connection.output.frames} answers wait`);
  assert.ok(deaf.connection.pending.length < 8192);
  assert.ok(deaf.guest.unsent > 0, 'the guest cannot go on');
  assert.ok(!host.waiting);
  other.guest.send(request(7, 'hello'));
  run();
  assert.deepEqual(ids(other.reader.push(other.guest.received())), [7]);
  // It comes back and reads: everything is there, in order.
  deaf.guest.reads = true;
  deaf.guest.rung();
  run();
  const answered = ids(deaf.reader.push(deaf.guest.received()));
  assert.equal(answered.length, 1000);
  assert.ok(answered.every((id, at) => id === at));
});

test('many requests at once are all answered, though no more come', () => {
  const { add, run } = echoing();
  const { guest, ring, reader } = add(1);
  ring.start(15);
  run();
  guest.send(Buffer.concat(Array.from({ length: 60 }, (_, i) => request(i, ''))));
  run();
  assert.equal(reader.push(guest.received()).length, 60);
});

test('indices that cannot be: the ring is ignored and told why, others live on, and it may begin again', () => {
  for (const spoil of [
    (g: ReturnType<FakeRingHost['create']>) => g.set('requestProducer', g.field('requestProducer') + 5000),
    (g: ReturnType<FakeRingHost['create']>) => g.set('requestProducer', g.field('requestProducer') - 1),
    (g: ReturnType<FakeRingHost['create']>) => {
      g.reads = false;
      g.set('replyConsumer', g.field('replyConsumer') + 2 ** 31);
      g.send(request(1, 'x'));
    },
  ]) {
    const { add, run } = echoing();
    const bad = add(1);
    const good = add(2);
    bad.ring.start(15);
    good.ring.start(15);
    run();
    spoil(bad.guest);
    bad.guest.ring();
    run();
    assert.equal(bad.guest.field('error'), 2);
    assert.equal(bad.connection.state, 'ignored');
    const before = Buffer.from(bad.guest.memory.slice(0));
    bad.guest.ring();
    run();
    assert.deepEqual(Buffer.from(bad.guest.memory), before);
    good.guest.send(request(5, 'fine'));
    run();
    assert.deepEqual(ids(good.reader.push(good.guest.received())), [5]);
    bad.guest.abandon();
    bad.guest.reads = true;
    bad.guest.set('connection', 1);
    bad.guest.ring();
    run();
    assert.equal(bad.guest.field('connection'), 0);
    assert.equal(bad.guest.field('error'), 0);
    bad.guest.received();
    bad.guest.send(request(9, 'again'));
    run();
    assert.deepEqual(ids(new PacketReader().push(bad.guest.received())), [9]);
  }
});

test('a frame longer than allowed marks the ring with a protocol error, and nothing more of it is read', () => {
  const { add, run } = echoing();
  for (const length of [4097, 2 ** 31, 2 ** 32 - 1]) {
    const { guest, ring, connection } = add(1);
    ring.start(15);
    const bad = request(1, 'x');
    bad.writeUInt32LE(length, 12);
    guest.send(bad);
    run();
    assert.equal(guest.field('error'), 3);
    assert.equal(connection.state, 'ignored');
    assert.equal(guest.received().length, 0);
    connection.close();
  }
});

test('a reconnect forgets what was half sent in either direction', () => {
  const { add, run, forgotten } = echoing();
  const { guest, ring } = add(1);
  ring.start(15);
  run();
  guest.reads = false;
  guest.send(request(1, 'x'.repeat(2000)));
  run();
  guest.abandon();
  guest.send(request(2, 'half').subarray(0, 18));
  const before = forgotten();
  guest.set('connection', 1);
  guest.abandon();
  guest.ring();
  run();
  assert.equal(forgotten(), before + 1);
  assert.equal(guest.field('replyProducer'), 0);
  guest.reads = true;
  guest.send(request(3, 'new'));
  run();
  assert.deepEqual(ids(new PacketReader().push(guest.received())), [3]);
});

test('firmware that clears the page is served again from zero', () => {
  const { add, run } = echoing();
  const { guest, ring } = add(1);
  ring.start(15);
  guest.send(request(1, 'firmware'));
  run();
  guest.received();
  new Uint8Array(guest.memory).fill(0);
  guest.send(request(2, 'kernel'));
  run();
  assert.deepEqual(ids(new PacketReader().push(guest.received())), [2]);
});

test('closing unbinds and unmaps once, whatever comes afterwards', () => {
  const { add, run, host, transport } = echoing();
  const { guest, ring, connection } = add(1);
  ring.start(15);
  run();
  assert.equal(host.mapped, 1);
  guest.send(request(1, 'x'));
  connection.close();
  connection.close();
  ring.close();
  ring.rung();
  ring.resume();
  ring.flush();
  ring.start(15);
  run();
  assert.equal(host.mapped, 0);
  assert.equal(host.bells.size, 0);
  assert.equal(transport.ring(1), undefined);
  assert.deepEqual(transport.records(), []);
});

test('a page or port that cannot be had is refused, and nothing stays behind', () => {
  const { add, host } = echoing();
  const { connection } = add(1);
  const { transport } = echoing();
  assert.throws(() => transport.map(9, 0n, 10, connection), RingError);
  const guest = host.create(3);
  guest.port = 0;
  const fresh = createRingTransport(host, silentLog);
  assert.throws(() => fresh.map(3, 0n, 0, connection), /domain 3: port 0 cannot be bound/);
  assert.equal(host.mapped, 1);
});

test('the port that the page names counts more than the one of INTRODUCE', () => {
  const { host, add, transport } = echoing();
  const { connection } = add(1);
  const guest = host.create(2);
  guest.set('port', 44);
  const ring = transport.map(2, 0n, 10, connection);
  assert.equal(ring.port, 44);
});

test('a bell that fails, and a log that cannot be written, are that guest’s loss only', () => {
  const { host, add, run, transport } = echoing();
  const bad = add(1);
  const good = add(2);
  bad.ring.start(15);
  good.ring.start(15);
  run();
  const notify = host.notify.bind(host);
  host.notify = (local) => {
    if (host.bells.get(local)?.domid === 1) throw new Error('EINVAL');
    return notify(local);
  };
  const full = () => {
    throw new Error('ENOSPC');
  };
  transport.log = { keep: full, forget: () => undefined } as unknown as RingLog;
  bad.guest.send(request(1, 'x'.repeat(3000)));
  good.guest.send(request(2, 'x'.repeat(3000)));
  run();
  assert.deepEqual(ids(good.reader.push(good.guest.received())), [2]);
});
