/**
 * Messages of every kind, right, wrong and broken, thrown at the broker as streams of bytes. Nothing but FormatError comes out of it,
 * and what reaches the bus was allowed: another reader of D-Bus (dbus-native's) takes each passed message apart, and the model of
 * the firewall allows what it found. `DBUS_FRAMES` asks for as many messages.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { parseRules } from '../../src/broker/rules.ts';
import { Traffic } from '../../src/broker/traffic.ts';
import { Judge, type Judged } from '../../src/broker/verdict.ts';
import { MessageReader, messageTypes } from '../../src/wire/dbus/message.ts';
import { encodeMessage } from '../../src/wire/dbus/write.ts';
import { FormatError } from '../../src/wire/format-error.ts';
import { type Dice, dice } from './dice.ts';
import { naiveVerdict } from './naive-broker.ts';
import { tries } from './soak.ts';

interface Foreign {
  marshall(message: Readonly<Record<string, unknown>>): Buffer;
  unmarshall(
    bytes: Buffer,
    options: object,
  ): Readonly<Record<string, unknown>> & { readonly body?: readonly unknown[] };
}
const foreign = createRequire(import.meta.url)('dbus-native/lib/message.js') as Foreign;
const { seed, numRuns } = tries({ seed: 1, numRuns: 40 });
const framesPerRun = 1000;
const frames = Number(process.env['DBUS_FRAMES'] ?? numRuns * framesPerRun);

const rules = parseRules(
  'f',
  `deny all
allow destination a.b interface a.b.I member M
allow destination a.b interface org.freedesktop.DBus.Properties member Get
deny destination a.b interface a.b.Secret
allow inc-signal interface a.b.S
allow inc-method-return
allow destination org.freedesktop.DBus
deny destination c.d`,
);
const source = { domid: 5, uuid: null, stubdom: false };
const judge = new Judge(rules, source, new Map());
/** `:1.2` owns two names, of which one may not be called. */
const namesOf = (unique: string) => (unique === ':1.2' ? ['a.b', 'c.d'] : unique === ':1.3' ? ['a.b'] : []);

const bodies: readonly (readonly [string, readonly unknown[]])[] = [
  ['ss', ['a.b.Secret', 'p']],
  ['ss', ['a.b.I', 'p']],
  ['s', ["type='signal'"]],
  ['su', ['a.b', 4]],
  [
    'a{sv}',
    [
      [
        ['k', ['v', ['as', ['x', 'y']]]],
        ['l', ['u', 7]],
      ],
    ],
  ],
  [
    '(ybnqiuxtd)ao',
    [
      [1, true, -2, 3, -4, 5, -6, 7, 0.5],
      ['/a', '/b/c'],
    ],
  ],
  [
    'aaayag',
    [
      [[Buffer.from('ab')], []],
      ['a{sv}', 'u'],
    ],
  ],
  [
    'vvv',
    [
      ['s', ''],
      ['ay', Buffer.alloc(9)],
      ['v', ['v', ['y', 1]]],
    ],
  ],
];
function someMessage(d: Dice): Buffer {
  const maybe = <T>(of: readonly T[]): T | undefined => (d.chance(0.1) ? undefined : d.one(of));
  const [signature, body] = d.one(bodies);
  const kind = d.chance(0.7) ? 1 : 1 + d.below(4);
  const fields = {
    type: kind,
    serial: 1 + d.below(50),
    flags: d.one([0, 0, 1, 255]),
    path: maybe(['/', '/a/b']),
    interface: maybe(['a.b.I', 'a.b.Secret', 'a.b.S', 'org.freedesktop.DBus.Properties', 'org.freedesktop.DBus']),
    member: maybe(['M', 'Get', 'Set', 'AddMatch', 'RemoveMatch', 'RequestName', 'Hello', 'GetNameOwner']),
    destination: maybe(['a.b', 'a.b', 'c.d', ':1.2', ':1.3', ':1.4', 'org.freedesktop.DBus']),
    ...(kind === 2 || kind === 3 || d.chance(0.05) ? { replySerial: 1 + d.below(50) } : {}),
    ...(kind === 3 ? { errorName: 'a.b.Error' } : {}),
    ...(d.chance(0.05) ? { sender: d.one(['a.b', ':1.7']) } : {}),
  };
  const plain = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return foreign.marshall(d.chance(0.2) ? plain : { ...plain, signature, body });
}
/** Mostly as it is; else some bytes other, or its end cut off, or a tail. */
function maimed(d: Dice, bytes: Buffer): Buffer {
  if (d.chance(0.5)) return bytes;
  const copy = Buffer.from(bytes);
  for (let n = 1 + d.below(3); n > 0; n--)
    copy[d.below(copy.length)] = d.chance(0.5) ? d.below(256) : d.one([0, 1, 0x6c, 0x42, 0x61, 0x76]);
  if (d.chance(0.02)) return copy.subarray(0, d.below(copy.length));
  return d.chance(0.02) ? Buffer.concat([copy, Buffer.alloc(d.below(20), d.below(256))]) : copy;
}

/** What another reader finds in a message that went to the bus. */
function checkPassed(bytes: Buffer): void {
  const found = foreign.unmarshall(bytes, { ayBuffer: true });
  const kind = messageTypes[(found['type'] as number) - 1];
  assert.ok(kind);
  const header = (name: string) => found[name] as string | undefined;
  const properties = kind === 'method-call' && header('interface') === 'org.freedesktop.DBus.Properties';
  const about = properties && /^(Get|Set|GetAll)$/.test(header('member') ?? '') && header('signature')?.startsWith('s');
  const message: Judged = {
    kind,
    destination: header('destination'),
    interface: header('interface'),
    member: header('member'),
    sender: header('sender'),
    target: about ? (found.body?.[0] as string) : undefined,
  };
  const names = kind === 'method-call' || kind === 'signal' ? namesOf(message.destination ?? '') : [];
  for (const destination of names.length > 0 ? names : [message.destination])
    assert.ok(naiveVerdict(rules, source, {}, 'incoming', { ...message, destination }), JSON.stringify(message));
}

function run(number: number): number {
  const d = dice(number);
  let passed = 0;
  const fresh = () => {
    const traffic = new Traffic({
      source,
      judge: (direction, message) => judge.judge(direction, message),
      namesOf,
      limits: { pendingReplies: 20, matchRules: 20 },
      name: ':1.9',
      rewriting: {},
      toBus: (bytes) => {
        passed++;
        checkPassed(bytes);
      },
      toGuest: (bytes) => foreign.unmarshall(bytes, {}),
      told: () => undefined,
    });
    const hello = {
      kind: 'method-call',
      serial: 1,
      path: '/',
      member: 'Hello',
      destination: 'org.freedesktop.DBus',
    } as const;
    traffic.fromGuest(encodeMessage(hello));
    return { traffic, reader: new MessageReader(4096) };
  };
  let guest = fresh();
  for (let n = 0; n < framesPerRun; n++) {
    const bytes = maimed(d, someMessage(d));
    const cut = d.below(bytes.length + 1);
    try {
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)])
        for (const message of guest.reader.push(part)) guest.traffic.fromGuest(message);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      guest = fresh();
    }
  }
  return passed;
}

describe('rpc-broker: fuzzing', () => {
  test(`${frames} messages`, () => {
    let passed = 0;
    for (let i = 0; i < Math.ceil(frames / framesPerRun); i++) {
      const number = seed * 1_000_000 + i;
      try {
        passed += run(number);
      } catch (error) {
        throw new Error(`run ${number} (again: run(${number}) alone)`, { cause: error });
      }
    }
    // Enough goes through that a firewall that forgot a rule would be seen.
    assert.ok(passed > frames / 50, `${passed} of ${frames} messages passed`);
  });
});
