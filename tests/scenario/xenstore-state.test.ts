/** A store that is replaced while it serves, and one that is killed: nothing that was answered is lost. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { encodePacket, op, PacketReader } from '../../src/wire/xenstore.ts';
import { type Libc, openLibc } from '../../src/xen/libc.ts';
import { connectStore } from '../../src/xenstore/client.ts';
import { readJournal, startJournal } from '../../src/xenstore/journal.ts';
import { attach, dump, load, type State } from '../../src/xenstore/state.ts';
import { MemoryLine, memoryBed } from '../conformance/xenstore-beds.ts';

const folder = mkdtempSync(join(tmpdir(), 'guesthouse-xs-state-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const ask = (line: MemoryLine, type: number, payload: string, tx = 0) => line.send(encodePacket(type, 1, tx, payload));
/** What arrived, as text. */
const heard = (line: MemoryLine) =>
  new PacketReader().push(line.taken()).map((p) => `${p.type} ${p.payload.toString('latin1').replaceAll('\0', '|')}`);

/** A bed whose rings are mapped for a successor. */
function successor(state: State, sockets = new Map<number, MemoryLine>()) {
  const bed = memoryBed();
  const lives = load(bed.core, JSON.parse(JSON.stringify(state)) as State);
  attach(bed.core, lives, state.connections, {
    socket: (record) => {
      const line = sockets.get(record.id);
      return line && ((connection) => Object.assign(line, { connection }));
    },
  });
  return bed;
}

describe('a store that is replaced', () => {
  test('tree, permissions, watches, transactions, buffered bytes and limits go on', async () => {
    const old = memoryBed();
    const zero = await old.socket();
    const guest = old.introduce(3);
    ask(zero, op.mkdir, '/local/domain/3\0');
    ask(zero, op.setPerms, '/local/domain/3\0n3\0');
    ask(zero, op.setQuota, '3\0nodes\x0050\0');
    ask(zero, op.write, '/a\0\xff\x00\x80');
    ask(guest, op.watch, 'here\0token\0');
    ask(guest, op.transactionStart, '\0');
    ask(guest, op.write, 'inside\0tx', 1);
    ask(guest, op.transactionStart, '\0');
    ask(guest, op.read, 'lost\0', 2);
    ask(zero, op.write, '/local/domain/3/lost\0now it is there');
    // Half a request, and answers that the guest has begun to read.
    const half = encodePacket(op.write, 9, 0, 'here\0changed');
    guest.taken();
    guest.reading = false;
    ask(guest, op.getDomainPath, '3\0');
    ask(guest, op.getDomainPath, '4\0');
    guest.read(20);
    const begun = guest.taken();
    guest.send(half.subarray(0, 18));
    zero.taken();

    const state = dump(old.core);
    const id = zero.connection?.id ?? 0;
    const next = new MemoryLine();
    const now = successor(state, new Map([[id, next]]));
    const { connections: _, ...tree } = dump(now.core);
    const { connections: __, ...before } = state;
    const sorted = (s: typeof tree) => ({
      ...s,
      nodes: [...s.nodes].sort().map(([path, value, list]) => [path, value, s.permissions[list]]),
      permissions: [],
    });
    assert.deepEqual(sorted(tree), sorted(before as typeof tree));

    const ring = now.ring(3);
    ring.read();
    const stream = new PacketReader().push(Buffer.concat([begun, ring.taken()]));
    assert.deepEqual(
      stream.map((p) => p.payload.toString()),
      ['/local/domain/3\0', '/local/domain/4\0'],
    );
    ring.send(half.subarray(18));
    assert.deepEqual(heard(ring), ['15 here|token|', '11 OK|']);
    ask(ring, op.transactionEnd, 'T\0', 1);
    ask(ring, op.read, 'inside\0');
    ask(ring, op.transactionEnd, 'T\0', 2);
    assert.deepEqual(heard(ring), ['7 OK|', '2 tx', '16 EAGAIN|']);
    ask(next, op.read, '/a\0');
    ask(next, op.getQuota, '3\0nodes\0');
    assert.deepEqual(heard(next), ['2 \xff|\x80', '25 50|']);
    assert.equal(now.core.domains.find(3)?.usage.nodes, old.core.domains.find(3)!.usage.nodes + 2);
  });

  test('a right of a domain that is gone does not come back to its number', async () => {
    const old = memoryBed();
    const zero = await old.socket();
    old.introduce(3);
    ask(zero, op.write, '/a\0x');
    ask(zero, op.setPerms, '/a\0n0\0r3\0');
    ask(zero, op.release, '3\0');
    const now = successor(dump(old.core));
    const guest = now.introduce(3);
    ask(guest, op.read, '/a\0');
    assert.deepEqual(heard(guest), ['16 EACCES|']);
  });

  test('a state of another version is refused', () => {
    const state = dump(memoryBed().core);
    assert.throws(() => load(memoryBed().core, { ...state, version: 2 as 1 }), /format guesthouse-xenstore 2/);
  });
});

const journals = { plain: undefined, mapped: openLibc() };

describe('a store that is killed', () => {
  for (const [kind, libc] of Object.entries(journals)) theJournal(kind, libc);
  killedProgram();
});

function theJournal(kind: string, libc: Libc | undefined): void {
  test(`the journal (${kind}) has every change, and the watches of rings`, async () => {
    const file = join(folder, `rings-${kind}.json`);
    const old = memoryBed();
    startJournal(old.core, file, silentLog, libc);
    const zero = await old.socket();
    const guest = old.introduce(3);
    old.introduce(4);
    for (const n of [3, 4]) {
      ask(zero, op.mkdir, `/local/domain/${n}\0`);
      ask(zero, op.setPerms, `/local/domain/${n}\0n${n}\0`);
    }
    ask(guest, op.watch, 'a\0t\x001\0');
    ask(guest, op.watch, 'b\0t\0');
    ask(guest, op.unwatch, 'b\0t\0');
    ask(guest, op.transactionStart, '\0');
    ask(guest, op.write, 'a/b\0\x80\n"', 1);
    ask(guest, op.transactionEnd, 'T\0', 1);
    ask(guest, op.write, 'gone/x\0');
    ask(guest, op.rm, 'gone\0');
    ask(zero, op.release, '4\0');
    const before = dump(old.core);

    const bed = memoryBed();
    const recovered = readJournal(bed.core, file);
    assert.ok(recovered);
    attach(bed.core, recovered.lives, recovered.connections, {});
    const after = dump(bed.core);
    const content = (s: State) =>
      s.nodes.map(([path, value, list]) => JSON.stringify([path, value, s.permissions[list]])).sort();
    assert.deepEqual(content(after), content(before));
    const ring = bed.ring(3);
    ask(ring, op.write, 'a/c\0');
    assert.deepEqual(heard(ring), ['15 a/c|t|', '11 OK|']);
    assert.equal(bed.core.domains.find(4), undefined);

    // The kill came in the middle of a line: what it said was not answered yet.
    const bytes = readFileSync(file);
    if (libc) bytes.write('["write"', 16 + bytes.readUInt32LE(8), 'latin1');
    writeFileSync(file, libc ? bytes : bytes.subarray(0, -3));
    assert.ok(readJournal(memoryBed().core, file));
    if (libc) {
      writeFileSync(file, bytes.subarray(0, 100));
      assert.throws(() => readJournal(memoryBed().core, file), /100 bytes long and says \d+ count/);
    }
    writeFileSync(file, 'nonsense\n');
    assert.throws(() => readJournal(memoryBed().core, file), /:1: not a line of the store's state/);
  });

  test(`the file (${kind}) does not grow without end`, async () => {
    const file = join(folder, `long-${kind}.json`);
    const bed = memoryBed();
    startJournal(bed.core, file, silentLog, libc);
    const zero = await bed.socket();
    const value = 'x'.repeat(2000);
    for (let i = 0; i < 2000; i++) ask(zero, op.write, `/k\0${value}${i}`);
    assert.ok(readFileSync(file).length < 1.2 * 1024 * 1024);
    const again = memoryBed();
    readJournal(again.core, file);
    assert.equal(again.core.edits.tree.find(again.core.path('/k'))?.value, `${value}1999`);
  });
}

function killedProgram(): void {
  test('bin/xenstored, kill -9 and again: everything that was answered is there', async () => {
    const socket = join(folder, 'socket');
    const start = async () => {
      const child = spawn(
        join(import.meta.dirname, '../../bin/xenstored'),
        ['--socket', socket, '--state', join(folder, 'state')],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      children.push(child);
      await once(child.stdout as NodeJS.ReadableStream, 'data');
      return child;
    };
    const first = await start();
    const store = await connectStore(socket);
    let told = 0;
    let heard: () => void = () => undefined;
    // A client that comes back by itself, with its watches.
    const faithful = await connectStore(socket, { reconnectMs: 30_000 });
    await faithful.watch('/kill/watched', () => {
      told++;
      heard();
    });
    const answered: number[] = [];
    let killed = false;
    for (let i = 0; i < 300 && !killed; i++) {
      void store.write(`/kill/${i}`, `v${i}`).then(
        () => {
          answered.push(i);
          if (answered.length === 100) {
            killed = true;
            first.kill('SIGKILL');
          }
        },
        () => undefined,
      );
    }
    await once(first, 'exit');
    await store.close();
    assert.ok(existsSync(join(folder, 'state', 'state.json')));
    const second = await start();
    const again = await connectStore(socket);
    for (const i of answered) assert.equal(await again.read(`/kill/${i}`), `v${i}`);
    assert.equal(await faithful.read('/kill/0'), 'v0');
    while (told < 2) await new Promise<void>((resolve) => (heard = resolve));
    await again.write('/kill/watched', 'x');
    while (told < 3) await new Promise<void>((resolve) => (heard = resolve));
    await faithful.close();
    await again.close();
    second.kill('SIGTERM');
    assert.deepEqual(await once(second, 'exit'), [0, null]);
  });
}
