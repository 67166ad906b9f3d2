import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AuthServer } from './auth.ts';
import { firstString, MessageReader, parseMessage } from './message.ts';
import { isBusName, isInterfaceName, isMemberName, isObjectPath } from './names.ts';
import { parseSignature } from './signature.ts';
import { encodeMessage, errorReply } from './write.ts';

const call = encodeMessage({
  kind: 'method-call',
  serial: 7,
  path: '/a/b',
  interface: 'org.example.I',
  member: 'Do',
  destination: 'org.example.S',
  body: [{ s: 'grün' }, { u: 4 }, { b: true }],
});
/** A message with one byte or four changed. */
function changed(at: number, ...values: number[]): Buffer {
  const bytes = Buffer.from(call);
  for (const [i, value] of values.entries()) bytes[at + i] = value;
  return bytes;
}
/** A call by hand, with any signature and body. */
function byHand(signature: string, body: Buffer): Buffer {
  const shell = encodeMessage({ kind: 'method-call', serial: 1, path: '/', member: 'M' });
  const fields = shell.subarray(16, 16 + shell.readUInt32LE(12));
  const head = Buffer.concat([
    fields,
    Buffer.alloc(-fields.length & 7),
    Buffer.from([8, 1, 0x67, 0, signature.length]),
  ]);
  const all = Buffer.concat([head, Buffer.from(`${signature}\0`, 'latin1')]);
  const start = Buffer.from(shell.subarray(0, 16));
  start.writeUInt32LE(all.length, 12);
  start.writeUInt32LE(body.length, 4);
  return Buffer.concat([start, all, Buffer.alloc(-all.length & 7), body]);
}
const le32 = (...values: number[]) => Buffer.concat(values.map((v) => Buffer.from(new Uint32Array([v]).buffer)));
const string = (text: string) => Buffer.concat([le32(text.length), Buffer.from(`${text}\0`, 'latin1')]);

describe('D-Bus messages', () => {
  test('a call, taken apart', () => {
    const { bytes: _, bodyAt: __, ...rest } = parseMessage(call);
    assert.deepEqual(rest, {
      kind: 'method-call',
      flags: 0,
      serial: 7,
      path: '/a/b',
      interface: 'org.example.I',
      member: 'Do',
      destination: 'org.example.S',
      signature: 'sub',
      little: true,
    });
    assert.equal(firstString(parseMessage(call)), 'grün');
  });
  test('an error that answers a call', () => {
    const reply = parseMessage(errorReply(parseMessage(call), 'org.example.E', 'why'));
    assert.deepEqual(
      [reply.kind, reply.replySerial, reply.errorName, firstString(reply)],
      ['error', 7, 'org.example.E', 'why'],
    );
  });
  test('the other byte order', () => {
    const head = [
      0x42, 2, 0, 1, 0, 0, 0, 6, 0, 0, 0, 5, 0, 0, 0, 15, 5, 1, 0x75, 0, 0, 0, 0, 3, 8, 1, 0x67, 0, 1, 0x73, 0, 0,
    ];
    const message = parseMessage(Buffer.from([...head, 0, 0, 0, 1, 0x78, 0]));
    assert.deepEqual(
      [message.kind, message.serial, message.replySerial, firstString(message)],
      ['method-return', 5, 3, 'x'],
    );
  });
  test('streams, however they are cut', () => {
    const stream = Buffer.concat([call, call, call]);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 8 }), (cuts) => {
        const reader = new MessageReader(1000);
        const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const found = places.slice(1).flatMap((end, i) => [...reader.push(stream.subarray(places[i], end))]);
        assert.deepEqual(found, [call, call, call]);
        assert.equal(reader.waiting, 0);
      }),
      { seed: 1 },
    );
  });
  const reader = (bytes: Buffer) => [...new MessageReader(call.length).push(bytes)];
  const refused: readonly [string, () => unknown, RegExp][] = [
    ['byte order', () => reader(changed(0, 0x6d)), /byte order/],
    ['version', () => reader(changed(3, 2)), /version 2/],
    ['too long', () => reader(changed(4, 0xff)), /at most \d+ are allowed/],
    ['too many fields', () => reader(changed(12, 0, 0, 2, 0)), /header fields of/],
    ['type 0', () => parseMessage(changed(1, 0)), /no message type 0/],
    ['type 5', () => parseMessage(changed(1, 5)), /no message type 5/],
    ['serial 0', () => parseMessage(changed(8, 0)), /serial number is 0/],
    ['field 0', () => parseMessage(changed(16, 0)), /header field 0/],
    ['wrong type of a field', () => parseMessage(changed(18, 0x73)), /field path has the type s/],
    ['path', () => parseMessage(changed(24, 0x61)), /field path cannot be/],
    ['twice', () => parseMessage(encodeTwice()), /field path twice/],
    ['no member', () => parseMessage(encodeMessage({ kind: 'method-call', serial: 1, path: '/' })), /without member/],
    [
      'no interface',
      () => parseMessage(encodeMessage({ kind: 'signal', serial: 1, path: '/', member: 'M' })),
      /without interface/,
    ],
    ['no reply serial', () => parseMessage(encodeMessage({ kind: 'method-return', serial: 1 })), /without replySerial/],
    [
      'reply to 0',
      () => parseMessage(encodeMessage({ kind: 'method-return', serial: 1, replySerial: 0 })),
      /serial number 0/,
    ],
    ['local', () => parseMessage(local()), /Local/],
    ['more than the signature', () => parseMessage(byHand('u', le32(1, 2))), /4 bytes more/],
    ['less than the signature', () => parseMessage(byHand('uu', le32(1))), /cut off/],
    ['boolean 2', () => parseMessage(byHand('b', le32(2))), /boolean is 2/],
    ['no NUL', () => parseMessage(byHand('s', Buffer.concat([le32(1), Buffer.from('ab')]))), /end with NUL/],
    ['NUL within', () => parseMessage(byHand('s', string('a\0b'))), /NUL within/],
    ['UTF-8', () => parseMessage(byHand('s', string('\xff'))), /UTF-8/],
    ['path in the body', () => parseMessage(byHand('o', string('a'))), /no object path/],
    ['padding', () => parseMessage(byHand('yu', Buffer.from([1, 1, 0, 0, 1, 0, 0, 0]))), /padding/],
    ['array too long', () => parseMessage(byHand('au', le32(0x4000004, 0))), /an array of/],
    ['array beyond the end', () => parseMessage(byHand('au', le32(8, 0))), /cut off/],
    [
      'array within an element',
      () => parseMessage(byHand('au', Buffer.concat([le32(2), Buffer.from([0, 0])]))),
      /within an element/,
    ],
    ['element beyond its array', () => parseMessage(byHand('as', Buffer.concat([le32(5), string('abcd')]))), /cut off/],
    ['two types in a variant', () => parseMessage(byHand('v', Buffer.from([2, 0x79, 0x79, 0, 1, 1]))), /one type/],
    [
      'variants without end',
      () => parseMessage(byHand('v', Buffer.alloc(300, Buffer.from([1, 0x76, 0])))),
      /nested more than 64/,
    ],
  ];
  for (const [name, act, why] of refused) test(`refused: ${name}`, () => assert.throws(act, why));
  test('64 variants are not too many', () => {
    const body = Buffer.concat([Buffer.alloc(63 * 3, Buffer.from([1, 0x76, 0])), Buffer.from([1, 0x79, 0, 1])]);
    assert.equal(parseMessage(byHand('v', body)).signature, 'v');
  });
  test('a flipped bit gives another valid message or FormatError, nothing else', () => {
    for (let bit = 0; bit < call.length * 8; bit++) {
      const bytes = Buffer.from(call);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        for (const each of new MessageReader(1000).push(bytes)) parseMessage(each);
      } catch (error) {
        assert.equal((error as Error).name, 'FormatError');
      }
    }
  });
});
function encodeTwice(): Buffer {
  const shell = encodeMessage({ kind: 'method-call', serial: 1, path: '/', member: 'M' });
  const fields = shell.subarray(16, 16 + shell.readUInt32LE(12));
  const path = Buffer.concat([Buffer.from([1, 1, 0x6f, 0]), string('/')]);
  const all = Buffer.concat([fields, Buffer.alloc(-fields.length & 7), path]);
  const start = Buffer.from(shell.subarray(0, 16));
  start.writeUInt32LE(all.length, 12);
  return Buffer.concat([start, all, Buffer.alloc(-all.length & 7)]);
}
const local = () =>
  encodeMessage({
    kind: 'signal',
    serial: 1,
    path: '/',
    interface: 'org.freedesktop.DBus.Local',
    member: 'Disconnected',
  });

test('signatures', () => {
  for (const good of ['', 'y', 'a{sv}', '(i(ss)a{s(vv)})', 'a'.repeat(32) + 'y', '('.repeat(32) + 'y' + ')'.repeat(32)])
    assert.ok(parseSignature(good));
  for (const bad of [
    'a',
    '(',
    '()',
    'a{s}',
    'a{sss}',
    'a{vs}',
    '{ss}',
    'z',
    ')',
    'a'.repeat(33) + 'y',
    '('.repeat(33) + 'y' + ')'.repeat(33),
    'y'.repeat(256),
  ])
    assert.throws(() => parseSignature(bad), { name: 'FormatError' }, bad);
});
test('names', () => {
  const all = (check: (text: string) => boolean, texts: readonly string[]) => texts.filter(check);
  assert.deepEqual(all(isObjectPath, ['/', '/a', '/a/b_1', '', 'a', '/a/', '//a', '/a-b']), ['/', '/a', '/a/b_1']);
  assert.deepEqual(all(isInterfaceName, ['a.b', 'a', 'a..b', '1.b', 'a.1', 'a-b.c', `a.${'b'.repeat(254)}`]), ['a.b']);
  assert.deepEqual(all(isMemberName, ['M', '_1', '1', 'a.b', '', 'a-b']), ['M', '_1']);
  assert.deepEqual(all(isBusName, [':1.5', 'a.b-c', ':1', 'a', 'a.1', '1.a', ':a.b']), [':1.5', 'a.b-c', ':a.b']);
});

describe('authentication', () => {
  const guid = '0'.repeat(32);
  const talk = (text: string, server = new AuthServer(guid)) => ({ ...server.push(Buffer.from(text)), server });
  test('EXTERNAL, and what follows BEGIN is left alone', () => {
    const { answer, rest, server } = talk('\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nl\x01');
    assert.deepEqual(
      [answer, rest.toString(), server.state],
      [`OK ${guid}\r\nERROR not understood here\r\n`, 'l\x01', 'done'],
    );
  });
  test('EXTERNAL in two lines, ANONYMOUS, others, CANCEL', () => {
    assert.equal(talk('\0AUTH EXTERNAL\r\nDATA\r\n').answer, `DATA\r\nOK ${guid}\r\n`);
    assert.equal(talk('\0AUTH ANONYMOUS\r\n').answer, `OK ${guid}\r\n`);
    assert.equal(talk('\0AUTH\r\nAUTH DBUS_COOKIE_SHA1 30\r\n').answer, 'REJECTED EXTERNAL ANONYMOUS\r\n'.repeat(2));
    assert.throws(() => talk('\0AUTH ANONYMOUS\r\nCANCEL\r\nBEGIN\r\n'), /BEGIN before/);
  });
  test('a uuid is told before OK', () => {
    assert.equal(talk('\0AUTH ANONYMOUS\r\n', new AuthServer(guid, 'u-u')).answer, `DATA u-u\r\nOK ${guid}\r\n`);
  });
  test('byte by byte', () => {
    const server = new AuthServer(guid);
    let answer = '';
    for (const byte of Buffer.from('\0AUTH EXTERNAL 30\r\nBEGIN\r\n'))
      answer += server.push(Buffer.from([byte])).answer;
    assert.deepEqual([answer, server.state], [`OK ${guid}\r\n`, 'done']);
  });
  test('refused', () => {
    assert.throws(() => talk('AUTH'), /NUL/);
    assert.throws(() => talk('\0BEGIN\r\n'), /BEGIN before/);
    assert.throws(() => talk(`\0${'x'.repeat(129)}`), /128 bytes/);
    assert.throws(() => talk(`\0${'x\r\n'.repeat(33)}`), /more than 32/);
  });
});
