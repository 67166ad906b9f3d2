import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../../contracts/contract.ts';
import { throttleOf } from './throttle.ts';

const none = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };

test("limits of a drive are QEMU's, and kbps counts in KiB/s", () => {
  assert.deepEqual(throttleOf({ id: 'd' }), none);
  assert.deepEqual(throttleOf({ id: 'd', qos: { kbps: '100', iops_rd: '7' } }), { ...none, bps: 102_400, iops_rd: 7 });
  assert.deepEqual(throttleOf({ id: 'd', qos: { bps_rd: '1', bps_wr: '2' } }), { ...none, bps_rd: 1, bps_wr: 2 });
});
test('what cannot be kept is refused by its key', () => {
  const wrong: Record<string, Record<string, string>> = {
    bsp: { bsp: '1' },
    bps: { bps: '1.5' },
    iops: { iops: '-1' },
    iops_wr: { iops_wr: '' },
    bps_rd: { bps_rd: '1'.repeat(40) },
    kbps: { kbps: '1', bps: '1' },
  };
  for (const [key, qos] of Object.entries(wrong))
    assert.throws(
      () => throttleOf({ id: 'd', qos }),
      (e) => isKind(e, 'Bad_spec') && (e as { args?: unknown } & Error).message.includes(`qos_algorithm_params:${key}`),
      key,
    );
  assert.throws(() => throttleOf({ id: 'd', qos: { iops: '5', iops_rd: '1' } }), /both directions together/);
});
