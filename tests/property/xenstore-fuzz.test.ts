/**
 * Frames of every kind, right, wrong and broken, from dom0 and guests that come and go, read slowly or not at all. After each run nothing has
 * failed inside, every request was answered in order, and every count is what is there. `XENSTORE_FRAMES` asks for as many frames.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { logTo } from '../../src/base/log.ts';
import { encodePacket, op, PacketReader, putU32 } from '../../src/wire/xenstore.ts';
import { nodeSize } from '../../src/xenstore/edits.ts';
import { nodesOf } from '../../src/xenstore/tree.ts';
import { watchSize } from '../../src/xenstore/watches.ts';
import { type MemoryBed, type MemoryLine, memoryBed } from '../conformance/xenstore-beds.ts';
import { type Dice, dice } from './dice.ts';
import { tries } from './soak.ts';

const { seed, numRuns } = tries({ seed: 1, numRuns: 10 });
const frames = Number(process.env['XENSTORE_FRAMES'] ?? numRuns * 2000);
const framesPerRun = 2000;

const names = ['a', 'b', 'c', 'data', 'x'.repeat(40)];
function somePath(d: Dice): string {
  if (d.chance(0.05)) {
    return d.one([
      '',
      '/',
      '//',
      '/a/',
      '/local/domain/',
      '@introduceDomain',
      '@releaseDomain/1',
      '@x',
      'a b',
      `/${'y'.repeat(3100)}`,
      '\xff',
      '/tool',
    ]);
  }
  const start = d.one(['', '', '/s/', '/s/', '/local/domain/1/', '/local/domain/2/', '/local/domain/', '/']);
  return start + Array.from({ length: 1 + d.below(4) }, () => d.one(names)).join('/');
}
const someDomid = (d: Dice) => String(d.one([0, 1, 2, 3, 3, 32752, 65536, '', '-1', '01', 'x']));
function somePayload(d: Dice, type: number): string {
  if (d.chance(0.03)) return d.one(['', '\0', 'x', '\0\0\0', '\xff'.repeat(d.below(4097))]);
  switch (type) {
    case op.write:
      return `${somePath(d)}\0${'v'.repeat(d.chance(0.05) ? d.below(3000) : d.below(20))}`;
    case op.setPerms:
      return `${somePath(d)}\0${Array.from({ length: 1 + d.below(6) }, () => `${d.one(['n', 'r', 'w', 'b', 'q'])}${d.below(4)}\0`).join('')}`;
    case op.watch:
      return `${somePath(d)}\0${d.one(['t', 'u', '', 't'.repeat(d.below(3000))])}\0${d.one(['', '', '0\0', '3\0', '-1\0'])}`;
    case op.unwatch:
      return `${somePath(d)}\0${d.one(['t', 'u', ''])}\0`;
    case op.transactionEnd:
      return d.one(['T\0', 'T\0', 'F\0', 'x\0']);
    case op.transactionStart:
    case op.resetWatches:
      return '\0';
    case op.introduce:
      return `${someDomid(d)}\0${d.below(9)}\0${d.below(3)}\0`;
    case op.setTarget:
      return `${someDomid(d)}\0${someDomid(d)}\0`;
    case op.directoryPart:
      return `${somePath(d)}\0${d.below(300)}\0`;
    case op.setQuota:
      return `${d.one(['nodes', 'watches', 'nonsense', '1\0nodes'])}\0${d.one([0, 20, 500])}\0`;
    case op.control:
      return d.one(['check\0', 'quota\0', 'quota\x001\0', 'memreport\0', 'log\0', 'live-update\0-s\0', 'no\0']);
    case op.release:
    case op.resume:
    case op.getDomainPath:
    case op.isDomainIntroduced:
    case op.getFeature:
      return `${someDomid(d)}\0`;
    default:
      return `${somePath(d)}\0`;
  }
}
/** Mostly what guests and tools do; now and then any number. */
const usual = [1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 7, 7, 10, 11, 11, 11, 11, 12, 13, 14, 17, 22];
const rare = [0, 8, 9, 15, 16, 18, 19, 20, 21, 23, 24, 25, 26, 27, 65535, 0xffffffff];

/** A peer with what it sent and was answered. */
interface Talker {
  readonly line: MemoryLine;
  reader: PacketReader;
  readonly asked: number[];
}

function talk(d: Dice, talker: Talker, serial: number): void {
  const type = d.chance(0.06) ? d.one(rare) : d.one(usual);
  const open = [...(talker.line.connection?.transactions.keys() ?? [])];
  const transaction = d.chance(0.5) ? 0 : d.chance(0.9) ? d.one([...open, 0]) : d.one([1, 2, 3, 0xffffffff]);
  const frame = encodePacket(type, serial, transaction, somePayload(d, type).slice(0, 4096));
  const broken = d.chance(0.0005);
  if (broken) putU32(frame, 12, 4097 + d.below(1 << 20));
  else if (talker.line.connection?.state === 'open') talker.asked.push(serial);
  const cut = d.chance(0.1) ? d.below(frame.length) : 0;
  if (cut > 0) talker.line.send(frame.subarray(0, cut));
  talker.line.send(frame.subarray(cut));
}

/** What arrived answers what was asked, in order. */
function listen(talker: Talker): void {
  for (const packet of talker.reader.push(talker.line.taken())) {
    assert.ok(packet.payload.length <= 4096);
    if (packet.type !== op.watchEvent) assert.equal(packet.requestId, talker.asked.shift());
  }
}

function checkCounts({ core }: MemoryBed): void {
  const owned = new Map<unknown, { nodes: number; bytes: number }>();
  for (const [path, node] of nodesOf(core.edits.tree.root)) {
    const sum = owned.get(node.permissions.owner) ?? { nodes: 0, bytes: 0 };
    sum.nodes++;
    sum.bytes += nodeSize(path.slice(path.lastIndexOf('/') + 1), node.value, node.permissions);
    owned.set(node.permissions.owner, sum);
  }
  const transactions = [...core.connections].reduce((sum, each) => sum + each.transactions.size, 0);
  assert.equal(core.openTransactions, transactions);
  assert.equal(
    core.watches.count,
    [...core.connections].reduce((sum, each) => sum + each.watches.length, 0),
  );
  for (const domain of core.domains.all()) {
    const mine = [...core.connections].filter((each) => each.domain === domain);
    const watches = mine.flatMap((each) => each.watches);
    const { nodes, bytes } = owned.get(domain) ?? { nodes: 0, bytes: 0 };
    assert.equal(domain.usage.nodes, nodes, `nodes of ${domain.domid}`);
    assert.equal(domain.usage.watches, watches.length);
    assert.equal(
      domain.usage.transactions,
      mine.reduce((sum, each) => sum + each.transactions.size, 0),
    );
    if (domain.privileged || domain.usage.transactions > 0) continue;
    assert.equal(
      domain.usage.memory,
      bytes + watches.reduce((sum, w) => sum + watchSize(w), 0),
      `bytes of ${domain.domid}`,
    );
  }
}

async function run(number: number): Promise<void> {
  const d = dice(number);
  const failures: string[] = [];
  const log = logTo((level, message, fields) => level === 'error' && failures.push(`${message} ${fields['error']}`));
  const bed = memoryBed({ log });
  const zero: Talker[] = [];
  for (let i = 0; i < 2; i++) zero.push({ line: await bed.socket(), reader: new PacketReader(), asked: [] });
  const maker = await bed.socket();
  const setUp = (type: number, payload: string) => maker.send(encodePacket(type, 0, 0, payload));
  setUp(op.mkdir, '/s\0');
  setUp(op.setPerms, '/s\0b0\0');
  maker.taken();
  const guests = new Map<number, Talker>();
  /** The ring of a domain as it is now; a new one after it was released and introduced again. */
  const guest = (domid: number): Talker | undefined => {
    const connection = bed.core.domains.find(domid)?.connection;
    if (connection === undefined) return undefined;
    const line = connection.line as MemoryLine;
    let talker = guests.get(domid);
    if (talker?.line !== line) guests.set(domid, (talker = { line, reader: new PacketReader(), asked: [] }));
    return talker;
  };
  for (let n = 1; n <= framesPerRun; n++) {
    const domid = 1 + d.below(3);
    if (guest(domid) === undefined && d.chance(0.2)) {
      bed.introduce(domid);
      setUp(op.mkdir, `/local/domain/${domid}\0`);
      setUp(op.setPerms, `/local/domain/${domid}\0n${domid}\0`);
      maker.taken();
    }
    const talker = d.chance(0.4) ? d.one(zero) : guest(domid);
    if (talker === undefined) continue;
    talk(d, talker, n);
    if (d.chance(0.002)) bed.core.died(domid);
    if (d.chance(0.002)) bed.core.shutDown(domid);
    if (d.chance(0.002)) bed.core.domains.find(domid)?.connection?.breakOff('protocol');
    if (d.chance(0.002)) for (const each of guests.values()) each.line.reading = d.chance(0.8);
    if (d.chance(0.02)) await bed.clock.advance(d.below(8000));
    await bed.settled();
    for (const [i, each] of zero.entries()) {
      listen(each);
      // A tool that was hung up on comes again.
      if (each.line.closed) zero[i] = { line: await bed.socket(), reader: new PacketReader(), asked: [] };
    }
    for (const each of guests.values()) {
      if (each.line.reading && !each.line.closed) each.line.read();
      hear(each);
    }
  }
  assert.deepEqual(failures, []);
  checkCounts(bed);
  await bed.close();
  assert.deepEqual([bed.core.openTransactions, bed.core.watches.count], [0, 0]);
}

/** As `listen`, of a guest whose connection may have been begun anew: then its answers go on later in what it asked. */
function hear(talker: Talker): void {
  for (const packet of talker.reader.push(talker.line.taken())) {
    assert.ok(packet.payload.length <= 4096);
    if (packet.type === op.watchEvent) continue;
    const at = talker.asked.indexOf(packet.requestId);
    assert.ok(at >= 0, `an answer to ${packet.requestId}, which was not asked, or again`);
    talker.asked.splice(0, at + 1);
  }
}

describe('xenstore: fuzzing', () => {
  test(`${frames} frames`, async () => {
    const runs = Math.ceil(frames / framesPerRun);
    for (let i = 0; i < runs; i++) {
      const number = seed * 1_000_000 + i;
      try {
        await run(number);
      } catch (error) {
        throw new Error(`run ${number} (again: run(${number}) alone)`, { cause: error });
      }
    }
  });
});
