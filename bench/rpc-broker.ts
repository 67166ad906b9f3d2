/**
 * rpc-broker against the bare bus, round by round: the round trip of one call at a time, and calls a second with 64 under way, through
 * 100 rules of which the last that is looked at decides. The callee is the same for both. Wanted: round trips at most twice those of
 * the bare bus, and 5,000 calls a second.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBusLink } from '../src/broker/bus-link.ts';
import { parseBusAddress } from '../src/wire/dbus/address.ts';
import { parseMessage } from '../src/wire/dbus/message.ts';
import { encodeMessage } from '../src/wire/dbus/write.ts';
import { cannotBus, privateBus } from '../tests/live/private-bus.ts';
import { printTable } from './host.ts';

const cannot = cannotBus();
if (cannot !== undefined) {
  process.stdout.write(`${cannot}\n`);
  process.exit(0);
}
const seconds = Number(process.env['SECONDS_EACH'] ?? 2);
const rounds = Number(process.env['ROUNDS'] ?? 5);
const service = 'org.example.Echo';
const rules = [
  'deny all',
  `allow destination ${service} interface ${service} member Ping`,
  ...Array.from({ length: 98 }, (_, i) => `deny destination ${service} interface ${service}.other${i} member Ping`),
];

/** A caller that knows nothing but bytes, so that it costs the same on both ways. */
class Caller {
  readonly #send: (bytes: Buffer) => void;
  readonly #waiting = new Map<number, () => void>();
  #serial = 0;
  constructor(send: (bytes: Buffer) => void) {
    this.#send = send;
  }
  ping(): Promise<void> {
    const serial = ++this.#serial;
    const call = {
      kind: 'method-call',
      serial,
      path: '/',
      interface: service,
      member: 'Ping',
      destination: service,
    } as const;
    return new Promise((resolve) => {
      this.#waiting.set(serial, resolve);
      this.#send(encodeMessage({ ...call, body: [{ s: 'hello' }] }));
    });
  }
  received(bytes: Buffer): void {
    const { kind, replySerial = 0 } = parseMessage(bytes, { body: false });
    if (kind === 'error') throw new Error('a call was refused');
    const resolve = this.#waiting.get(replySerial);
    this.#waiting.delete(replySerial);
    resolve?.();
  }
}
async function callerAt(address: string): Promise<Caller> {
  const link = await openBusLink(parseBusAddress(address));
  const caller = new Caller((bytes) => link.socket.write(bytes));
  link.start(
    (bytes) => caller.received(bytes),
    (error) => {
      throw error;
    },
  );
  return caller;
}
/** Answers every Ping. */
async function echo(address: string): Promise<void> {
  const link = await openBusLink(parseBusAddress(address));
  const own = {
    kind: 'method-call',
    serial: 1,
    path: '/',
    interface: 'org.freedesktop.DBus',
    member: 'RequestName',
  } as const;
  link.socket.write(encodeMessage({ ...own, destination: 'org.freedesktop.DBus', body: [{ s: service }, { u: 4 }] }));
  link.start(
    (bytes) => {
      const { kind, serial, sender } = parseMessage(bytes, { body: false });
      if (kind !== 'method-call') return;
      link.socket.write(encodeMessage({ kind: 'method-return', serial: 2, replySerial: serial, destination: sender }));
    },
    (error) => {
      throw error;
    },
  );
}
/** Milliseconds of one call, and calls a second with many under way. */
async function measured(caller: Caller): Promise<{ one: number; many: number }> {
  for (let i = 0; i < 500; i++) await caller.ping();
  const half = (seconds * 1000) / 2;
  let [count, begun] = [0, performance.now()];
  while (performance.now() < begun + half) {
    await caller.ping();
    count++;
  }
  const one = (performance.now() - begun) / count;
  [count, begun] = [0, performance.now()];
  const turn = async () => {
    while (performance.now() < begun + half) {
      await caller.ping();
      count++;
    }
  };
  await Promise.all(Array.from({ length: 64 }, turn));
  return { one, many: (count * 1000) / (performance.now() - begun) };
}

await using bus = await privateBus();
const file = join(bus.folder, 'rules');
writeFileSync(file, rules.join('\n'));
const socket = join(bus.folder, 'guest');
await bus.daemon('rpc-broker', [
  '--xenstore',
  'none',
  '--vm-facts',
  'none',
  '-r',
  file,
  '-l',
  `unix:${socket},domid=5`,
  '--limit',
  'messagesPerSecond=1000000',
]);
await echo(bus.address);
const ways = { bare: await callerAt(bus.address), broker: await callerAt(`unix:path=${socket}`) };
const found = { bare: [] as { one: number; many: number }[], broker: [] as { one: number; many: number }[] };
for (let i = 0; i < rounds; i++)
  for (const way of ['bare', 'broker'] as const) found[way].push(await measured(ways[way]));
const median = (way: keyof typeof found, what: 'one' | 'many') =>
  found[way].map((m) => m[what]).sort((a, b) => a - b)[rounds >> 1] as number;
const trip = median('broker', 'one') / median('bare', 'one');
printTable([
  ['rpc-broker, 100 rules', 'bare bus', 'through the broker', 'ratio', 'wanted'],
  ['round trip, ms', median('bare', 'one').toFixed(3), median('broker', 'one').toFixed(3), trip.toFixed(2), '≤ 2'],
  [
    'calls a second, 64 under way',
    median('bare', 'many').toFixed(0),
    median('broker', 'many').toFixed(0),
    (median('broker', 'many') / median('bare', 'many')).toFixed(2),
    '≥ 5000/s',
  ],
]);
await bus[Symbol.asyncDispose]();
process.exit(0);
