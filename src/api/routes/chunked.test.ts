import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unframe } from './chunked.ts';

const limit = 4096;
function frame(pieces: readonly { at: number; data: Uint8Array }[]): Buffer {
  const out: Buffer[] = [];
  const head = (at: number, length: number) => {
    const b = Buffer.alloc(12);
    b.writeBigUInt64LE(BigInt(at));
    b.writeUInt32LE(length, 8);
    out.push(b);
  };
  for (const { at, data } of pieces) {
    head(at, data.length);
    out.push(Buffer.from(data));
  }
  head(0, 0);
  return Buffer.concat(out);
}
async function* inParts(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
async function content(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const chunk of unframe(source, limit)) out.push(chunk);
  return Buffer.concat(out);
}

const layout = fc
  .array(fc.tuple(fc.nat({ max: 200 }), fc.uint8Array({ minLength: 1, maxLength: 200 })), { maxLength: 8 })
  .map((rows) => {
    let at = 0;
    return rows.map(([gap, data]) => {
      const piece = { at: at + gap, data };
      at = piece.at + data.length;
      return piece;
    });
  });

test('pieces land at their places, however the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(layout, fc.integer({ min: 1, max: 300 }), async (pieces, size) => {
      const last = pieces.at(-1);
      const wanted = Buffer.alloc(last ? last.at + last.data.length : 0);
      for (const { at, data } of pieces) wanted.set(data, at);
      assert.ok((await content(inParts(frame(pieces), size))).equals(wanted));
    }),
  );
});

test('broken framing is refused', async () => {
  const data = new Uint8Array(10);
  const refused = (bytes: Buffer, why: RegExp) => assert.rejects(content(inParts(bytes, 64)), why);
  await refused(
    frame([
      { at: 100, data },
      { at: 105, data },
    ]),
    /comes after one that ends at 110/,
  );
  await refused(frame([{ at: limit - 5, data }]), /ends behind/);
  await refused(frame([]).subarray(0, 5), /without the header/);
  await refused(Buffer.concat([frame([]), Buffer.from('x')]), /data follows/);
});
