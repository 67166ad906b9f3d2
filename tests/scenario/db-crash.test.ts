/** The database's process is killed at random instants: what it answered is there, and no write is there by half. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { classes, schemaVersion } from '../../src/datamodel/index.ts';
import { openDb } from '../../src/db/memory-db.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';

/** Numbers 0 ≤ n < 1 that repeat with the seed (a linear congruential generator is random enough for instants). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
/** Runs the writer until it has answered `count` times, kills it, and tells the highest number that was answered. */
async function runAndKill(path: string, first: number, count: number): Promise<number> {
  const program = join(import.meta.dirname, 'db-crash-child.ts');
  const child = spawn(process.execPath, [program, path, `${first}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  let highest = first - 1;
  let answers = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    highest = Math.max(highest, Number(line));
    if (++answers === count) child.kill('SIGKILL');
  }
  const [, signal] = await exit;
  assert.equal(signal, 'SIGKILL');
  return highest;
}
/** Opens the database, checks it, and answers the number of the newest write that is in it. */
async function inspect(path: string, answered: number): Promise<number> {
  const none = () => Buffer.alloc(0);
  const db = await openDb({
    store: await openSqliteStore({ path, log: silentLog, schema: schemaVersion }),
    ...{ classes, clock: systemClock, ids: randomIds, log: silentLog, encode: { xml: none, json: none } },
  });
  const seen = new Set([...db.rows('VM')].map(([, vm]) => vm.name_description));
  assert.equal(seen.size, 1, `half a write: ${[...seen].join(' ')}`);
  const newest = Number([...seen][0]);
  assert.ok(newest >= answered, `answered ${answered}, found ${newest}`);
  const expected = Array.from({ length: Math.min(50, newest + 1) }, (_, i) => `${newest - i}`).sort();
  const devices = (rows: Iterable<readonly [string, { readonly device: string }]>) =>
    [...rows].map(([, r]) => r.device).sort();
  assert.deepEqual(devices(db.rows('VBD')), expected);
  assert.deepEqual(devices(db.rows('VIF')), expected);
  const attached = [...db.rows('VM')].flatMap(([, vm]) => vm.VBDs);
  assert.equal(attached.length, expected.length);
  await db.close();
  return newest;
}

test('killed at random instants: every answered write is there, none by half', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'guesthouse-crash-'));
  try {
    const path = join(dir, 'state.db');
    const rounds = Number(process.env['CRASH_ROUNDS'] ?? 6);
    const next = random(Number(process.env['CRASH_SEED'] ?? 20261121));
    let newest = -1;
    for (let i = 0; i < rounds; i++) {
      const count = 1 + Math.floor(next() ** 3 * 2000);
      newest = await inspect(path, await runAndKill(path, newest + 1, count));
    }
    assert.ok(newest > 0);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
