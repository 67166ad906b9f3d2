import assert from 'node:assert/strict';
import test from 'node:test';
import { machineMemoryMap, memoryMap } from './domain-builder.ts';
import { fillHvmInfo } from './hvm-info.ts';
import { layout } from './layout.ts';
import { domainInfo } from './libxenctrl.ts';
import { wordsOf } from './libxentoollog.ts';

test('a domain is read out of the hypervisor’s structure', () => {
  const at = layout.xen_domctl_getdomaininfo;
  const bytes = Buffer.alloc(at.size);
  bytes.writeUInt16LE(7, at.domain);
  bytes.writeUInt32LE(4 | 2 | (3 << 16), at.flags);
  bytes.writeBigUInt64LE(32n, at.tot_pages);
  bytes.writeBigUInt64LE(1_500_000_000n, at.cpu_time);
  bytes.writeUInt32LE(2, at.nr_online_vcpus);
  Buffer.from('0f3c9a10000040008000000000000001', 'hex').copy(bytes, at.handle);
  assert.deepEqual(domainInfo(bytes), {
    domid: 7,
    uuid: '0f3c9a10-0000-4000-8000-000000000001',
    hvm: true,
    paused: false,
    dying: false,
    shutdown: 'crash',
    memory: 131_072,
    cpuTime: 1.5,
    vcpus: 2,
  });
});

test('the map of a machine holds its memory below and above the hole', () => {
  const entries = (map: Buffer) =>
    Array.from({ length: map.length / 20 }, (_, i) => [
      Number(map.readBigUInt64LE(i * 20)),
      Number(map.readBigUInt64LE(i * 20 + 8)),
      map.readUInt32LE(i * 20 + 16),
    ]);
  const gib = 2 ** 30;
  const tables = [{ data: Buffer.alloc(600), address: 0xfc00_0000 }];
  assert.deepEqual(entries(memoryMap(gib, tables)), [
    [0, gib, 1],
    [0xfc00_0000, 4096, 3],
    [0xfeff_8000, 0x8000, 2],
  ]);
  const large = entries(memoryMap(6 * gib, tables));
  assert.equal(
    large.filter(([, , kind]) => kind === 1).reduce((sum, [, length]) => sum + (length as number), 0),
    6 * gib,
  );
  assert.deepEqual(large.at(-1)?.[0], 4 * gib);
});

test('what libraries said last becomes one sentence', () => {
  assert.equal(wordsOf(''), '');
  const said =
    'xc: error: panic: xg_dom_core.c:1: no kernel: Internal error\nxc: error: failed (22 = Invalid argument)\n';
  assert.equal(wordsOf(said), 'panic: xg_dom_core.c:1: no kernel; failed (22 = Invalid argument)');
});

test('hvmloader is told of the processors in a table that adds up', () => {
  const table = Buffer.alloc(64);
  table.write('HVM INFO', 'latin1');
  table.writeUInt32LE(48, 8);
  fillHvmInfo(table, 9, 3);
  assert.equal(table.subarray(0, 48).reduce((sum, byte) => sum + byte, 0) & 255, 0);
  assert.deepEqual([table[13], table.readUInt32LE(16), table[32], table[33]], [1, 9, 7, 0]);
  assert.throws(() => fillHvmInfo(Buffer.alloc(64), 1, 1), /left no table/);
});

test('the loader of an HVM machine gets its memory above the first MiB', () => {
  const map = machineMemoryMap(2 ** 33);
  assert.deepEqual(
    [map.readBigUInt64LE(0), map.readBigUInt64LE(8), map.readBigUInt64LE(20), map.readBigUInt64LE(28)].map(Number),
    [2 ** 20, 0xf000_0000 - 2 ** 20, 2 ** 32, 2 ** 33 - 0xf000_0000],
  );
});
