import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../../contracts/contract.ts';
import type { VmSpec } from '../../../contracts/xenops.ts';
import { testSpec } from '../../testing/house.ts';
import { numberText } from './block-device.ts';
import { checkSpec, scheduleOf } from './check.ts';
import { pagingMib } from './create.ts';
import { diskName, diskNumber } from './drive.ts';

const spec = (changes: Partial<VmSpec> = {}): VmSpec =>
  testSpec(1, { domainType: 'pv', boot: { kind: 'kernel', kernel: '/k', cmdline: '' }, ...changes });
const host = { cpus: 1, memoryTotal: 1, memoryFree: 1, hvm: false, pv: true, hap: false };

test('what this ground cannot do is refused with the reason', () => {
  checkSpec(spec(), host);
  const refused = (changes: Partial<VmSpec>, kind: string) =>
    assert.throws(
      () => checkSpec(spec(changes), host),
      (e) => isKind(e, kind),
    );
  refused({ domainType: 'pvh' }, 'Unimplemented');
  refused({ boot: { kind: 'bios', order: 'c' } }, 'Bad_spec');
  refused({ platform: { weight: '0' } }, 'Bad_spec');
  refused({ platform: { mask: '3-1' } }, 'Bad_spec');
  refused({ vcpus: { max: 1000, current: 1 } }, 'Bad_spec');
});

test('weight, cap and mask are read from the platform', () => {
  assert.equal(scheduleOf(spec()), undefined);
  assert.deepEqual(scheduleOf(spec({ platform: { weight: '512', cap: '50', mask: '0, 2-4' } })), {
    weight: 512,
    cap: 50,
    mask: [0, 2, 3, 4],
  });
});

test('drives have the names and numbers that guests know them by', () => {
  assert.deepEqual([0, 1, 25, 26, 51, 52].map(diskName), ['xvda', 'xvdb', 'xvdz', 'xvdaa', 'xvdaz', 'xvdba']);
  assert.deepEqual([0, 1, 15, 16].map(diskNumber), [51712, 51728, 51952, (1 << 28) | (16 << 8)]);
});

test('device numbers are packed as the C library packs them', () => {
  assert.equal(numberText(0x700n), '7:0');
  assert.equal(numberText(0x10_3f01n), '3f:101');
});

test('page tables grow with memory and processors', () => {
  const mib = 1 << 20;
  const memory = { staticMax: 1024 * mib, dynamicMax: 1024 * mib, dynamicMin: 128 * mib };
  assert.equal(pagingMib(spec({ memory, vcpus: { max: 4, current: 1 } })), 12);
});
