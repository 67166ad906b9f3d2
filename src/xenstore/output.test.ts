import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodePacket, op, PacketReader } from '../wire/xenstore.ts';
import { Output } from './output.ts';

const texts = (bytes: Buffer) => new PacketReader().push(bytes).map((p) => p.payload.toString('latin1'));

describe('output', () => {
  test('comes out as it went in, in pieces of any size, and counts what waits', () => {
    const step = fc.oneof(
      fc.record({ add: fc.string({ maxLength: 300 }) }),
      fc.record({ send: fc.integer({ min: 0, max: 500 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const output = new Output();
        const expected: Buffer[] = [];
        let sent = Buffer.alloc(0);
        for (const each of steps) {
          if ('add' in each) {
            const text = each.add.replace(/[^\x00-\xff]/g, '?');
            output.text(op.read, 7, 9, text);
            expected.push(encodePacket(op.read, 7, 9, text));
          } else {
            const n = Math.min(each.send, output.length);
            sent = Buffer.concat([sent, output.peek().subarray(0, n)]);
            output.consume(n);
          }
          const all = Buffer.concat(expected);
          assert.deepEqual(Buffer.concat([sent, output.peek()]), all);
          let ends = 0;
          const whole = expected.filter((frame) => (ends += frame.length) > sent.length);
          assert.equal(output.frames, whole.length);
          const begun = expected.length - whole.length;
          const start = expected.slice(0, begun).reduce((n, frame) => n + frame.length, 0);
          assert.equal(output.unfinished, sent.length > start ? (whole[0]?.length ?? 0) - (sent.length - start) : 0);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });
  test('an event that still waits whole is not queued twice; one that was begun is', () => {
    const output = new Output();
    assert.equal(output.event('/a\0t\0', true), true);
    assert.equal(output.event('/a\0t\0', true), false);
    assert.equal(output.event('/a\0t\0', false), true);
    assert.equal(output.frames, 2);
    output.consume(output.length - 1);
    assert.equal(output.event('/a\0t\0', true), true);
    output.consume(output.length);
    assert.equal(output.event('/a\0t\0', true), true);
    assert.deepEqual(texts(output.take()), ['/a\0t\0']);
    assert.equal(output.length, 0);
  });
  test('a reset finishes the frame that was begun and forgets the others', () => {
    const output = new Output();
    for (const text of ['one', 'two', 'three']) output.text(op.read, 1, 0, text);
    const first = Buffer.from(output.peek().subarray(0, 10));
    output.consume(10);
    output.reset();
    assert.deepEqual(texts(Buffer.concat([first, output.peek()])), ['one']);
    output.consume(output.length);
    output.ok(op.write, 1, 0);
    assert.deepEqual(texts(output.take()), ['OK\0']);
  });
});
