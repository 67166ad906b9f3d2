import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodePacket, latin1, op, PacketReader, putLatin1, strings, u32 } from './xenstore.ts';

describe('xenstore packets', () => {
  test('a header is four little-endian numbers', () => {
    const bytes = encodePacket(op.write, 0xfffffffe, 0x80000001, '/a\0\xff');
    assert.equal(bytes.toString('hex'), '0b000000feffffff01000080040000002f6100ff');
    assert.equal(u32(bytes, 4), 0xfffffffe);
  });
  test('a stream is cut where packets end, however it arrives', () => {
    const packets = [
      encodePacket(op.read, 1, 0, '/\0'),
      encodePacket(op.error, 2, 3, ''),
      encodePacket(op.watchEvent, 0, 0, 'p\0t\0'),
    ];
    const all = Buffer.concat(packets);
    for (const size of [1, 3, 16, 17, all.length]) {
      const reader = new PacketReader();
      const seen = [];
      for (let at = 0; at < all.length; at += size) seen.push(...reader.push(all.subarray(at, at + size)));
      assert.deepEqual(
        seen.map((p) => encodePacket(p.type, p.requestId, p.transactionId, p.payload).toString('hex')),
        packets.map((p) => p.toString('hex')),
      );
      assert.equal(reader.rest.length, 0);
    }
  });
  test('a length over the maximum is refused as soon as it is known', () => {
    const head = encodePacket(op.read, 1, 0, '');
    head.writeUInt32LE(4097, 12);
    assert.throws(() => new PacketReader().push(head), /4097 bytes; at most 4096/);
    assert.deepEqual(new PacketReader(8192).push(head), []);
  });
  test('characters are bytes', () => {
    const text = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const bytes = Buffer.alloc(258);
    putLatin1(bytes, 1, text);
    assert.equal(latin1(bytes, 1, 257), text);
    assert.equal(latin1(bytes, 5, 5), '');
    assert.deepEqual(strings(Buffer.from('a\0\0b\0rest')), ['a', '', 'b']);
  });
});
