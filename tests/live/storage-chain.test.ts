/**
 * Chains of disks against a model: random operations, merges of layers beside them and restarts; what every disk holds must
 * always be what the model says, and QEMU's own `check` and `compare` agree. And the same killed at random instants: every disk is then as before or as after the operation that was cut off.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds, seededIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import type { OpenDisk, Storage } from '../../src/contracts/storage.ts';
import { openStorage } from '../../src/storage/server.ts';
import { runTool } from '../../src/storage/tool.ts';
import { MemoryStore } from '../conformance/memory-store.ts';
import { download, upload } from '../conformance/storage-driver.ts';

/** More in a soak: `STORAGE_RUNS=200`. */
const runs = Number(process.env['STORAGE_RUNS'] ?? 12);
const block = 32 << 10;
const blocks = 8;

export type Op =
  | { readonly op: 'create'; readonly raw: boolean }
  | { readonly op: 'write'; readonly on: number; readonly at: number; readonly count: number; readonly byte: number }
  | { readonly op: 'import'; readonly on: number; readonly count: number; readonly byte: number }
  | { readonly op: 'snapshot' | 'clone' | 'copy' | 'destroy' | 'grow'; readonly on: number }
  /** A guest writes to the disk, and a snapshot is taken meanwhile: `before` goes into it, `byte` does not. */
  | {
      readonly op: 'live';
      readonly on: number;
      readonly at: number;
      readonly count: number;
      readonly byte: number;
      readonly before: number;
    }
  /** Layers are made one: beside what comes next, or first. */
  | { readonly op: 'coalesce'; readonly wait: boolean }
  | { readonly op: 'restart' };
/** Disk number → the byte in each block; snapshots are not written. */
interface Disk {
  readonly content: readonly number[];
  readonly readOnly: boolean;
}
type Model = ReadonlyMap<number, Disk>;

const n = fc.nat({ max: 5 });
const byte = fc.integer({ min: 0, max: 255 });
const write = { on: n, count: fc.integer({ min: 1, max: 4 }), byte };
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constant('create' as const), raw: fc.boolean() }),
  { weight: 3, arbitrary: fc.record({ op: fc.constant('write' as const), at: fc.nat({ max: blocks - 1 }), ...write }) },
  fc.record({ op: fc.constant('import' as const), ...write }),
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('snapshot' as const, 'clone' as const), on: n }) },
  fc.record({ op: fc.constantFrom('copy' as const, 'grow' as const), on: n }),
  { weight: 2, arbitrary: fc.record({ op: fc.constant('destroy' as const), on: n }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('live' as const), at: fc.nat({ max: blocks - 1 }), before: byte, ...write }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('coalesce' as const), wait: fc.boolean() }) },
  fc.record({ op: fc.constant('restart' as const) }),
);

/** What the operation makes of the model, and which disk it works on and makes; undefined when it does not apply. */
function step(model: Model, op: Op, fresh: number): { model: Model; on: number; to: number } | undefined {
  const next = new Map(model);
  const done = (on: number) => ({ model: next, on, to: fresh });
  if (op.op === 'restart' || op.op === 'coalesce') return done(-1);
  if (op.op === 'create') {
    next.set(fresh, { content: Array(blocks).fill(0), readOnly: false });
    return done(-1);
  }
  const on = [...model.keys()][op.on % Math.max(1, model.size)];
  const disk = on === undefined ? undefined : model.get(on);
  if (on === undefined || !disk) return undefined;
  const content = [...disk.content];
  if (op.op === 'destroy') next.delete(on);
  else if (op.op === 'snapshot') next.set(fresh, { content, readOnly: true });
  else if (op.op === 'clone' || op.op === 'copy') next.set(fresh, { content, readOnly: false });
  else if (disk.readOnly) return undefined;
  else if (op.op === 'grow') next.set(on, { content: [...content, 0], readOnly: false });
  else if (op.op === 'live') {
    next.set(fresh, { content: content.fill(op.before, op.at, op.at + op.count).slice(), readOnly: true });
    next.set(on, { content: content.fill(op.byte, op.at, op.at + 1), readOnly: false });
  } else if (op.op === 'write')
    next.set(on, { content: content.fill(op.byte, op.at, op.at + op.count), readOnly: false });
  else if (op.op === 'import') next.set(on, { content: content.fill(0).fill(op.byte, 0, op.count), readOnly: false });
  return done(on);
}
const ids = seededIds(7);
const names = Array.from({ length: 200 }, () => ids.uuid());
const vdiOf = (disk: number): string => names[disk] ?? assert.fail();

async function perform(storage: Storage, sr: string, op: Op, { on, to, model }: NonNullable<ReturnType<typeof step>>) {
  const vdi = on < 0 ? '' : vdiOf(on);
  const made = { sr, vdi, to: vdiOf(to) };
  if (op.op === 'create')
    await storage.vdi.create({
      sr,
      vdi: vdiOf(to),
      name: '',
      virtualSize: blocks * block,
      format: op.raw ? 'raw' : 'qcow2',
    });
  else if (op.op === 'destroy') await storage.vdi.destroy({ sr, vdi });
  else if (op.op === 'snapshot') await storage.vdi.snapshot(made);
  else if (op.op === 'clone') await storage.vdi.clone(made);
  else if (op.op === 'copy') await storage.vdi.copy({ ...made, toSr: sr });
  else if (op.op === 'grow')
    await storage.vdi.resize({ sr, vdi, virtualSize: (model.get(on)?.content.length ?? 0) * block });
  else if (op.op === 'import') await upload(storage, sr, vdi, Buffer.alloc(op.count * block, op.byte));
  else if (op.op === 'coalesce') {
    const done = storage.sr.coalesce({ sr });
    if (op.wait) await done;
    else done.catch((error: unknown) => assert.ok(isKind(error, 'Cancelled'), String(error)));
  } else if (op.op === 'live') {
    const before = await storage.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
    const layer = await storage.vdi.freeze({ sr, vdi, user: 'guest', to: made.to });
    const size = model.get(on)?.content.length ?? 0;
    const io = ({ path, format }: OpenDisk, value: number, count: number) =>
      runTool('qemu-io', ['-f', format, '-c', `write -P ${value} ${op.at * block} ${count * block}`, path]);
    await io(before, op.before, Math.min(op.count, size - op.at));
    await io(layer, op.byte, 1);
    await storage.vdi.snapshot(made);
    await storage.vdi.close({ sr, vdi, user: 'guest' });
  } else if (op.op === 'write') {
    const { path, format } = await storage.vdi.open({ sr, vdi, user: 'guest', mode: 'RW' });
    const size = model.get(on)?.content.length ?? 0;
    const count = Math.min(op.count, size - op.at) * block;
    await runTool('qemu-io', ['-f', format, '-c', `write -P ${op.byte} ${op.at * block} ${count}`, path]);
    await storage.vdi.close({ sr, vdi, user: 'guest' });
  }
}
const contentOf = async (storage: Storage, sr: string, disk: number): Promise<readonly number[]> => {
  const data = await download(storage, sr, vdiOf(disk));
  return Array.from({ length: data.length / block }, (_, i) => {
    const part = data.subarray(i * block, (i + 1) * block);
    assert.ok(part.equals(Buffer.alloc(block, part[0])), `block ${i} of disk ${disk} is torn`);
    return part[0] ?? 0;
  });
};
/** What QEMU's own tools say of every file and disk. */
async function examine(folder: string, storage: Storage, sr: string, model: Model): Promise<void> {
  for (const file of await readdir(folder))
    if (file.endsWith('.qcow2')) await runTool('qemu-img', ['check', '-q', '-f', 'qcow2', join(folder, file)]);
  for (const [disk, { content }] of model) {
    const raw = join(folder, '..', 'model.raw');
    await writeFile(raw, Buffer.concat(content.map((value) => Buffer.alloc(block, value))));
    const { path, format } = await storage.vdi.open({ sr, vdi: vdiOf(disk), user: 'examiner', mode: 'RO' });
    await runTool('qemu-img', ['compare', '-q', '-f', 'raw', '-F', format, raw, path]);
    await storage.vdi.close({ sr, vdi: vdiOf(disk), user: 'examiner' });
  }
}
async function compare(storage: Storage, sr: string, model: Model): Promise<void> {
  const there = (await storage.sr.scan({ sr })).map((info) => info.vdi).sort();
  assert.deepEqual(there, [...model.keys()].map(vdiOf).sort());
  for (const [disk, { content }] of model)
    assert.deepEqual(await contentOf(storage, sr, disk), content, `disk ${disk}`);
}
const start = (dir: string, store: MemoryStore) =>
  openStorage({ dir, store, clock: systemClock, ids: randomIds, log: silentLog });

if (process.argv[2] === 'child') await child(process.argv[3] ?? '', process.argv[4] ?? '', process.argv[5] ?? '[]');
else {
  test('content is what the model says, whatever is done', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOp, { minLength: 4, maxLength: 14 }), async (ops) => {
        const dir = await mkdtemp(join(tmpdir(), 'gh-chain-'));
        const store = new MemoryStore();
        const sr = randomIds.uuid();
        let storage = await start(dir, store);
        try {
          await storage.sr.create({ sr, type: 'file', config: { location: join(dir, 'sr') } });
          let model: Model = new Map();
          for (const [i, op] of ops.entries()) {
            const next = step(model, op, i);
            if (!next) continue;
            if (op.op === 'restart') {
              await storage.close();
              storage = await start(dir, store);
            } else await perform(storage, sr, op, next);
            model = next.model;
          }
          await compare(storage, sr, model);
          await storage.sr.coalesce({ sr });
          await examine(join(dir, 'sr'), storage, sr, model);
          for (const disk of model.keys()) await storage.vdi.destroy({ sr, vdi: vdiOf(disk) });
          assert.deepEqual(await readdir(join(dir, 'sr')), ['sr.json']);
        } finally {
          await storage.close();
          await rm(dir, { recursive: true, force: true });
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  test('killed at any instant, every disk is whole', async () => {
    const sequence = fc.array(anyOp, { minLength: 6, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sequence, fc.nat({ max: 8 }), fc.nat({ max: 60 }), async (ops, after, delayMs) => {
        const dir = await mkdtemp(join(tmpdir(), 'gh-kill-'));
        const sr = randomIds.uuid();
        try {
          const { before, during, on, made } = await killed(
            dir,
            sr,
            [{ op: 'create', raw: false }, ...ops],
            after,
            delayMs,
          );
          const storage = await start(dir, new MemoryStore());
          await storage.sr.attach({ sr, type: 'file', config: { location: join(dir, 'sr') } });
          await storage.sr.coalesce({ sr });
          const there = new Set((await storage.sr.scan({ sr })).map((info) => info.vdi));
          for (const disk of new Set([...before.keys(), ...during.keys()])) {
            // Of a disk that is snapshotted while it is written to: what goes into the snapshot, and then the rest.
            const between = disk === on ? [during.get(made)?.content] : [];
            const allowed = [...[before, during].map((m) => m.get(disk)?.content), ...between];
            const found = there.has(vdiOf(disk)) ? await contentOf(storage, sr, disk) : undefined;
            // A write to an open disk may be cut between its blocks: each is the old or the new one.
            const fits = (value: readonly number[] | undefined) => JSON.stringify(value) === JSON.stringify(found);
            const mixed = found?.every((byte, i) => allowed.some((content) => content?.[i] === byte)) ?? false;
            assert.ok(allowed.some(fits) || mixed, `disk ${disk}: ${found} is none of ${allowed.join(' | ')}`);
          }
          for (const vdi of there) await storage.vdi.destroy({ sr, vdi });
          assert.deepEqual(await readdir(join(dir, 'sr')), ['sr.json']);
          await storage.close();
        } finally {
          await rm(dir, { recursive: true, force: true });
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });
}

/** Runs the operations in a process of its own and kills it `delayMs` after the answer number `after`. */
async function killed(dir: string, sr: string, ops: readonly Op[], after: number, delayMs: number) {
  const args = [import.meta.filename, 'child', dir, sr, JSON.stringify(ops)];
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const it = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const closed = new Promise((resolve) => it.once('close', resolve));
  let answers = 0;
  for await (const line of createInterface({ input: it.stdout })) {
    if (line !== 'done') throw new Error(line);
    answers++;
    if (answers === after + 1) setTimeout(() => it.kill('SIGKILL'), delayMs);
  }
  it.kill('SIGKILL');
  await closed;
  let before: Model = new Map();
  for (const [i, op] of ops.entries()) {
    const next = step(before, op, i);
    const during = next?.model ?? before;
    if (i === answers) return { before, during, on: next?.on ?? -1, made: i };
    before = during;
  }
  return { before, during: before, on: -1, made: -1 };
}
async function child(dir: string, sr: string, text: string): Promise<void> {
  const storage = await start(dir, new MemoryStore());
  await storage.sr.create({ sr, type: 'file', config: { location: join(dir, 'sr') } });
  let model: Model = new Map();
  for (const [i, op] of (JSON.parse(text) as Op[]).entries()) {
    const next = step(model, op, i);
    if (next && op.op !== 'restart') await perform(storage, sr, op, next);
    model = next?.model ?? model;
    process.stdout.write('done\n');
  }
}
