import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tries } from '../../tests/property/soak.ts';
import {
  type Command,
  decodeGreeting,
  decodePayload,
  encodeChunkHeader,
  encodeCommand,
  encodeEnd,
  encodeGreeting,
  encodeMessage,
  encodeResponse,
  type Message,
  ThinCliError,
  ThinCliReader,
} from './thin-cli.ts';

const hex = (b: Buffer) =>
  b
    .toString('hex')
    .replace(/(.{8})/g, '$1 ')
    .trim();
async function* stream(...parts: Buffer[]) {
  yield* parts;
}

test('greeting bytes', () => {
  const bytes = Buffer.concat([Buffer.from('XenSource thin CLI protocol'), Buffer.from('0000000002000000', 'hex')]);
  assert.deepEqual(encodeGreeting(), bytes);
  assert.deepEqual(decodeGreeting(bytes), { major: 0, minor: 2 });
});

const golden: [Command, string][] = [
  [{ do: 'print', text: 'hello' }, '11000000 09000000 00000000 05000000 68656c6c 6f'],
  [{ do: 'load', file: '/a' }, '0e000000 09000000 01000000 02000000 2f61'],
  [{ do: 'prompt' }, '08000000 09000000 03000000'],
  [{ do: 'exit', code: 1 }, '0c000000 09000000 04000000 01000000'],
  [{ do: 'httpGet', file: 'f', url: '/u' }, '13000000 09000000 0c000000 01000000 66020000 002f75'],
  [{ do: 'httpPut', file: 'f', url: '/u' }, '13000000 09000000 0d000000 01000000 66020000 002f75'],
  [
    { do: 'error', code: 'E', params: ['a', ''] },
    '1a000000 09000000 0e000000 01000000 45020000 00010000 00610000 0000',
  ],
  [{ do: 'debug', text: 'é' }, '0e000000 09000000 0f000000 02000000 c3a9'],
  [{ do: 'printStderr', text: '' }, '0c000000 09000000 10000000 00000000'],
  [{ do: 'httpConnect', url: '/c' }, '0e000000 09000000 11000000 02000000 2f63'],
];
for (const [command, bytes] of golden)
  test(`bytes of ${command.do}`, () => {
    assert.equal(hex(encodeCommand(command)), bytes);
    assert.deepEqual(decodePayload(encodeCommand(command).subarray(4)), { kind: 'command', command });
  });

test('bytes of responses and blobs', () => {
  assert.equal(hex(encodeResponse('ok')), '08000000 0a000000 05000000');
  assert.equal(hex(encodeResponse('failed')), '08000000 0a000000 06000000');
  assert.equal(hex(encodeResponse('wait')), '08000000 0a000000 12000000');
  assert.equal(hex(encodeChunkHeader(258)), '0c000000 0b000000 07000000 02010000');
  assert.equal(hex(encodeEnd()), '08000000 0b000000 08000000');
});

const rec = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true });
const str = fc.string({ unit: 'binary' });
const command: fc.Arbitrary<Command> = fc.oneof(
  rec({ do: fc.constantFrom('print', 'printStderr', 'debug'), text: str }),
  rec({ do: fc.constant('load'), file: str }),
  rec({ do: fc.constant('prompt') }),
  rec({ do: fc.constant('exit'), code: fc.integer() }),
  rec({ do: fc.constantFrom('httpGet', 'httpPut'), file: str, url: str }),
  rec({ do: fc.constant('httpConnect'), url: str }),
  rec({ do: fc.constant('error'), code: str, params: fc.array(str) }),
) as fc.Arbitrary<Command>;
const message: fc.Arbitrary<Message> = fc.oneof(
  rec({ kind: fc.constant('command'), command }),
  rec({ kind: fc.constant('response'), response: fc.constantFrom('ok', 'failed', 'wait') }),
  rec({ kind: fc.constant('end') }),
) as fc.Arbitrary<Message>;

test('any messages and blobs come back in any cut of the stream', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(message, fc.uint8Array())), fc.array(fc.nat(40)), async (items, cuts) => {
      const sent = items.map((i) =>
        i instanceof Uint8Array ? Buffer.concat([encodeChunkHeader(i.length), i]) : encodeMessage(i),
      );
      let bytes = Buffer.concat([encodeGreeting(), ...sent]);
      const parts: Buffer[] = [];
      for (const cut of cuts) {
        parts.push(bytes.subarray(0, cut));
        bytes = bytes.subarray(cut);
      }
      const reader = new ThinCliReader(stream(...parts, bytes));
      assert.deepEqual(await reader.greeting(), { major: 0, minor: 2 });
      for (const item of items) {
        const got = await reader.message();
        if (item instanceof Uint8Array) {
          assert.deepEqual(got, { kind: 'chunk', length: item.length });
          const pieces: Buffer[] = [];
          for await (const piece of reader.bytes(item.length)) pieces.push(piece);
          assert.deepEqual(Buffer.concat(pieces), Buffer.from(item));
        } else assert.deepEqual(got, item);
      }
      assert.equal(await reader.message(), undefined);
    }),
    tries({ seed: 5, numRuns: 200 }),
  );
});

test('damaged messages are refused, never mistaken or waited for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), async (junk) => {
      try {
        decodePayload(Buffer.from(junk));
      } catch (error) {
        assert.ok(error instanceof ThinCliError, String(error));
      }
    }),
  );
  await assert.rejects(
    new ThinCliReader(stream(Buffer.from('HTTP/1.1 403 Forbidden\r\n\r\n12345'))).greeting(),
    /does not speak/,
  );
  await assert.rejects(new ThinCliReader(stream(Buffer.from('Xen'))).greeting(), /after 3 of 27 bytes/);
  await assert.rejects(new ThinCliReader(stream(Buffer.from('ffffffff', 'hex'))).message(), /longer than/);
  const list = Buffer.from('09000000 0e000000 00000000 ffffffff'.replaceAll(' ', ''), 'hex');
  assert.throws(() => decodePayload(list), /list of 4294967295 items/);
  const other = encodeGreeting();
  other[27] = 1;
  assert.throws(() => decodeGreeting(other), /version 1\.2/);
});
