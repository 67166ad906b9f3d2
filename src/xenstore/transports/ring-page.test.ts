import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeRingHost } from './fake-ring-host.ts';
import { type ReplySource, RingPage, ringError, ringSize } from './ring-page.ts';

/** Bytes to send, as the connection's output offers them. */
class Bytes implements ReplySource {
  #rest: Buffer;
  constructor(all: Uint8Array) {
    this.#rest = Buffer.from(all);
  }
  get length(): number {
    return this.#rest.length;
  }
  copyTo(target: Uint8Array, at: number, max: number, skip = 0): number {
    const piece = this.#rest.subarray(skip, skip + max);
    target.set(piece, at);
    return piece.length;
  }
  consume(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
  }
}

/** A guest and the store's view of its page, both of whose rings start at index `start`. */
function ringAt(start: number) {
  const guest = new FakeRingHost().create(1);
  for (const field of ['requestConsumer', 'requestProducer', 'replyConsumer', 'replyProducer'] as const) {
    guest.set(field, start);
  }
  return { guest, page: new RingPage(guest.memory) };
}

const starts = [0, 1, 1000, 2 ** 31 - 5, 2 ** 31, 2 ** 32 - 5];
const someStart = fc.oneof(fc.constantFrom(...starts), fc.integer({ min: 0, max: 2 ** 32 - 1 }));

test('requests of any length pass whole, wherever the indices stand', () => {
  fc.assert(
    fc.property(someStart, fc.uint8Array({ maxLength: 5000 }), (start, sent) => {
      const { guest, page } = ringAt(start);
      guest.send(sent);
      const arrived: Buffer[] = [];
      for (;;) {
        const count = page.peek();
        assert.ok(count >= 0);
        if (count === 0) break;
        arrived.push(Buffer.from(page.requests.subarray(0, count)));
        page.consume(count);
        guest.rung();
      }
      assert.deepEqual(Buffer.concat(arrived), Buffer.from(sent));
      assert.equal(guest.field('requestConsumer'), (start + sent.length) >>> 0);
    }),
  );
});

test('replies of any length pass whole, wherever the indices stand', () => {
  fc.assert(
    fc.property(someStart, fc.uint8Array({ maxLength: 5000 }), (start, sent) => {
      const { guest, page } = ringAt(start);
      const source = new Bytes(sent);
      let total = 0;
      while (source.length > 0) {
        const count = page.put(source);
        assert.ok(count > 0 && count <= ringSize);
        total += count;
        assert.equal(guest.pull(), count);
      }
      assert.equal(total, sent.length);
      assert.deepEqual(guest.received(), Buffer.from(sent));
    }),
  );
});

test('a request that is left in the ring is seen again, and only what is new by skipping', () => {
  const { guest, page } = ringAt(2 ** 32 - 3);
  guest.send(Buffer.from('hello'));
  assert.equal(page.peek(), 5);
  assert.equal(page.peek(5), 0);
  guest.send(Buffer.from(' you'));
  assert.equal(page.peek(5), 4);
  assert.equal(page.requests.toString('latin1', 0, 4), ' you');
  assert.equal(new RingPage(guest.memory).peek(), 9);
  page.consume(5);
  assert.equal(page.peek(), 4);
  assert.equal(page.requests.toString('latin1', 0, 4), ' you');
  assert.ok(page.waiting);
});

test('indices that cannot be are refused, and nothing is copied or moved', () => {
  for (const start of starts) {
    for (const [field, delta] of [
      ['requestProducer', 1025],
      ['requestProducer', 5000],
      ['requestProducer', -1],
      ['requestProducer', 2 ** 31],
      ['requestConsumer', 1],
    ] as const) {
      const { guest, page } = ringAt(start);
      guest.set(field, start + delta);
      page.requests.fill(7);
      const before = Buffer.from(guest.memory).toString('hex');
      assert.equal(page.peek(), -1, `${field} ${start} + ${delta}`);
      assert.ok(page.requests.every((byte) => byte === 7));
      assert.equal(Buffer.from(guest.memory).toString('hex'), before);
    }
    for (const delta of [1, 5, 2 ** 31]) {
      const { guest, page } = ringAt(start);
      guest.set('replyConsumer', start + delta);
      assert.equal(page.put(new Bytes(Buffer.from('x'))), -1);
      assert.equal(guest.field('replyProducer'), start);
    }
    // Exactly full is fine.
    const { guest, page } = ringAt(start);
    guest.set('requestProducer', start + ringSize);
    assert.equal(page.peek(), ringSize);
    guest.set('replyConsumer', start - ringSize);
    assert.equal(page.put(new Bytes(Buffer.from('x'))), 0);
  }
});

test('a guest that takes back requests it had put is refused', () => {
  const { guest, page } = ringAt(0);
  guest.send(Buffer.from('hello'));
  assert.equal(page.peek(), 5);
  guest.set('requestProducer', 3);
  assert.equal(page.peek(5), -1);
});

test('no value of the indices reads or writes outside the rings', () => {
  const index = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 2100 }));
  fc.assert(
    fc.property(index, index, index, index, fc.nat(5000), (a, b, c, d, length) => {
      const { guest, page } = ringAt(0);
      guest.set('requestConsumer', a);
      guest.set('requestProducer', b);
      guest.set('replyConsumer', c);
      guest.set('replyProducer', d);
      new Uint8Array(guest.memory).fill(0xee, 2064);
      const count = page.peek();
      assert.equal(count, (b - a) >>> 0 > ringSize ? -1 : (b - a) >>> 0);
      if (count > 0) page.consume(count);
      assert.equal(guest.field('requestConsumer'), count > 0 ? b >>> 0 : a >>> 0);
      page.put(new Bytes(Buffer.alloc(length, 0x55)));
      assert.ok(new Uint8Array(guest.memory, 2064).every((byte) => byte === 0xee));
      assert.ok(new Uint8Array(guest.memory, 0, ringSize).every((byte) => byte === 0));
    }),
  );
});

test('the reconnect handshake empties both rings', () => {
  const { guest, page } = ringAt(77);
  guest.send(Buffer.from('old'));
  guest.set('connection', 1);
  assert.ok(page.reconnecting);
  page.restart();
  assert.deepEqual(page.indices, { requestConsumer: 0, requestProducer: 0, replyConsumer: 0, replyProducer: 0 });
  assert.equal(guest.field('connection'), 0);
});

test('after detach the guest’s memory is neither read nor written', () => {
  const { guest, page } = ringAt(0);
  guest.send(Buffer.from('hello'));
  page.detach();
  assert.equal(page.peek(), 0);
  page.fail(ringError.protocol);
  page.offer(15);
  assert.equal(guest.field('error'), 0);
  assert.equal(guest.field('features'), 0);
});
