import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DbusMessage, firstString, parseMessage } from '../wire/dbus/message.ts';
import { type Argument, encodeMessage, type Outgoing } from '../wire/dbus/write.ts';
import { parseRules } from './rules.ts';
import { Traffic, type TrafficParts } from './traffic.ts';
import { Judge } from './verdict.ts';

const uuid = '11111111-2222-3333-4444-555555555551';
const theBus = { destination: 'org.freedesktop.DBus', path: '/', interface: 'org.freedesktop.DBus' };
let serial = 0;
const call = (fields: Partial<Outgoing>, body: readonly Argument[] = []): Buffer =>
  encodeMessage({ kind: 'method-call', serial: ++serial, path: '/', member: 'M', ...fields, body });

/** A guest that has said Hello, between lists of what arrives. */
function bed(rules: string, parts: Partial<TrafficParts> = {}) {
  const source = parts.source ?? { domid: 5, uuid, stubdom: false };
  const judge = new Judge(parseRules('f', rules), source, new Map());
  const [toBus, toGuest]: [DbusMessage[], DbusMessage[]] = [[], []];
  const traffic = new Traffic({
    source,
    judge: (direction, message) => judge.judge(direction, message),
    namesOf: (unique) => (unique === ':1.2' ? ['a.b', 'c.d'] : []),
    limits: { pendingReplies: 2, matchRules: 2 },
    name: ':1.9',
    rewriting: {},
    toBus: (bytes) => toBus.push(parseMessage(bytes)),
    toGuest: (bytes) => toGuest.push(parseMessage(bytes)),
    told: () => undefined,
    ...parts,
  });
  traffic.fromGuest(call({ ...theBus, member: 'Hello' }));
  toGuest.pop();
  return { traffic, toBus, toGuest };
}

describe('traffic', () => {
  test('Hello is answered here, once; before it nothing is taken', () => {
    const { traffic, toBus, toGuest } = bed('deny all');
    traffic.fromGuest(call({ ...theBus, member: 'Hello' }));
    assert.equal(toGuest[0]?.errorName, 'org.freedesktop.DBus.Error.Failed');
    assert.deepEqual(toBus, []);
    const fresh = new Traffic({ ...({} as TrafficParts), toGuest: () => undefined });
    assert.throws(() => fresh.fromGuest(call({})), /before Hello/);
  });
  test('what is allowed goes on byte by byte; what is denied is answered with an error, if an answer is wanted', () => {
    const { traffic, toBus, toGuest } = bed('allow member M');
    const bytes = call({ destination: 'a.b' }, [{ s: 'x' }]);
    traffic.fromGuest(bytes);
    assert.deepEqual(toBus[0]?.bytes, bytes);
    traffic.fromGuest(call({ member: 'N', flags: 1 }));
    traffic.fromGuest(call({ member: 'N' }));
    assert.deepEqual(
      toGuest.map((m) => [m.errorName, m.replySerial, m.destination, m.sender]),
      [['org.freedesktop.DBus.Error.AccessDenied', serial, ':1.9', 'org.freedesktop.DBus']],
    );
    assert.equal(toBus.length, 1);
  });
  test('a unique name stands for every name of its owner', () => {
    const { traffic, toBus, toGuest } = bed('allow all\ndeny destination c.d member N');
    traffic.fromGuest(call({ destination: ':1.2' }));
    traffic.fromGuest(call({ destination: ':1.2', member: 'N' }));
    // A serial that is answered does not make a reply of a call.
    traffic.fromGuest(call({ destination: ':1.2', member: 'N', replySerial: 3 }));
    assert.deepEqual([toBus.length, toGuest.length], [1, 2]);
  });
  test('calls that wait are limited; answers make room', () => {
    const { traffic, toBus, toGuest } = bed('allow all');
    for (let i = 0; i < 3; i++) traffic.fromGuest(call({}));
    assert.equal(toGuest[0]?.errorName, 'org.freedesktop.DBus.Error.LimitsExceeded');
    traffic.fromBus(encodeMessage({ kind: 'method-return', serial: 1, replySerial: toBus[0]?.serial }));
    traffic.fromGuest(call({}));
    assert.equal(toBus.length, 3);
  });
  test('match rules are limited, and none may eavesdrop', () => {
    const { traffic, toBus, toGuest } = bed('allow all');
    const match = (member: string, rule: string) =>
      traffic.fromGuest(call({ ...theBus, member, flags: 1 }, [{ s: rule }]));
    for (let i = 0; i < 3; i++) match('AddMatch', "type='signal'");
    match('RemoveMatch', "type='signal'");
    match('AddMatch', "type='signal'");
    match('RemoveMatch', "type='signal'");
    match('AddMatch', 'eavesdrop=true');
    assert.deepEqual(
      toBus.map((m) => m.member),
      ['AddMatch', 'AddMatch', 'RemoveMatch', 'AddMatch', 'RemoveMatch'],
    );
    assert.deepEqual(toGuest, []);
  });
  test('what the bus gives to the broker’s user is not for guests, whatever the rules say', () => {
    const asked: readonly (readonly [string, string])[] = [
      ['BecomeMonitor', ''],
      ['ReloadConfig', ''],
      ['UpdateActivationEnvironment', ''],
      ['RequestName', 'com.citrix.xenclient.rpc_proxy'],
      ['AddMatch', "type='signal',eavesdrop='true'"],
    ];
    for (const domid of [5, 0]) {
      const { traffic, toBus, toGuest } = bed('allow all', { source: { domid, uuid: null, stubdom: false } });
      for (const [member, text] of asked) {
        // Services take a call without an interface for any of theirs.
        traffic.fromGuest(call({ ...theBus, interface: undefined, member, flags: 1 }, [{ s: text }]));
        traffic.fromGuest(call({ ...theBus, member, flags: 1 }, [{ s: text }]));
      }
      assert.deepEqual([toBus.length, toGuest.length], domid === 0 ? [10, 0] : [0, 0]);
    }
    const { traffic, toBus } = bed('allow all');
    traffic.fromGuest(call({ ...theBus, member: 'RequestName' }, [{ s: 'a.b' }, { u: 4 }]));
    traffic.fromGuest(call({ destination: 'a.b', member: 'ReloadConfig' }));
    assert.equal(toBus.length, 2);
  });
  test('RequestName is rewritten; without a uuid it is refused', () => {
    const rewriting = { requestName: 'x.uuid_$UUID' };
    const ask = () => call({ ...theBus, member: 'RequestName' }, [{ s: 'a.b' }, { u: 4 }]);
    const { traffic, toBus } = bed('allow all', { rewriting });
    traffic.fromGuest(ask());
    const { signature, serial: asked } = toBus[0] as DbusMessage;
    assert.deepEqual(
      [firstString(toBus[0] as DbusMessage), signature, asked],
      [`x.uuid_${uuid.replaceAll('-', '_')}`, 'su', serial],
    );
    assert.equal(toBus[0]?.bytes.readUInt32LE(toBus[0].bytes.length - 4), 4);
    const unknown = bed('allow all', { rewriting, source: { domid: 5, uuid: null, stubdom: false } });
    unknown.traffic.fromGuest(ask());
    assert.deepEqual(
      [unknown.toBus.length, unknown.toGuest[0]?.errorName],
      [0, 'org.freedesktop.DBus.Error.AccessDenied'],
    );
    assert.throws(
      () => traffic.fromGuest(call({ ...theBus, member: 'RequestName' })),
      /RequestName with the arguments ""/,
    );
  });
  test('the owner of a name is told as the name, when that is wanted', () => {
    const { traffic, toGuest } = bed('allow all', { rewriting: { ownerName: true } });
    const answer = { kind: 'method-return', serial: 1, sender: 'org.freedesktop.DBus', destination: ':1.9' } as const;
    traffic.fromGuest(call({ ...theBus, member: 'GetNameOwner' }, [{ s: 'a.b' }]));
    traffic.fromBus(encodeMessage({ ...answer, replySerial: serial, body: [{ s: ':1.2' }] }));
    traffic.fromGuest(call({ ...theBus, member: 'GetId' }));
    traffic.fromBus(encodeMessage({ ...answer, replySerial: serial, body: [{ s: 'id' }] }));
    assert.deepEqual(
      toGuest.map((m) => firstString(m)),
      ['a.b', 'id'],
    );
  });
  test('a call to a guest that is denied is answered', () => {
    const { traffic, toBus, toGuest } = bed('deny out-method-call member Secret');
    traffic.fromBus(call({ member: 'Secret', sender: ':1.4', destination: ':1.9' }));
    assert.deepEqual(
      [toGuest.length, toBus[0]?.errorName, toBus[0]?.destination],
      [0, 'org.freedesktop.DBus.Error.AccessDenied', ':1.4'],
    );
  });
  test('file descriptors are not taken', () => {
    const { traffic } = bed('allow all');
    const plain = call({});
    const fields = plain.subarray(16, 16 + plain.readUInt32LE(12));
    const all = Buffer.concat([fields, Buffer.alloc(-fields.length & 7), Buffer.from([9, 1, 0x75, 0, 1, 0, 0, 0])]);
    const head = Buffer.from(plain.subarray(0, 16));
    head.writeUInt32LE(all.length, 12);
    assert.throws(() => traffic.fromGuest(Buffer.concat([head, all, Buffer.alloc(-all.length & 7)])), /descriptors/);
  });
});
