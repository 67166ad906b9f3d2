import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { countersOf } from './counters.ts';

test('what the host has received is what the guest has sent', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'counters-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const statistics = join(folder, 'tap0', 'statistics');
  mkdirSync(statistics, { recursive: true });
  for (const [name, count] of Object.entries({ rx_bytes: 100, rx_packets: 2, tx_bytes: 300, tx_packets: 4 }))
    writeFileSync(join(statistics, name), `${count}\n`);
  assert.deepEqual(countersOf('tap0', folder), { txBytes: 100, txPackets: 2, rxBytes: 300, rxPackets: 4 });
  assert.throws(
    () => countersOf('tap1', folder),
    (e) => isKind(e, 'Does_not_exist'),
  );
});
