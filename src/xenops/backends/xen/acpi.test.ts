import assert from 'node:assert/strict';
import test from 'node:test';
import { acpiTables } from './acpi.ts';

const address = 0xfc00_0000;
const sum = (bytes: Buffer) => bytes.reduce((n, b) => n + b, 0) & 255;

/** A table by its address, whose sum is checked as a guest does. */
function tableAt(block: Buffer, at: bigint, signature: string): Buffer {
  const offset = Number(at) - address;
  const table = block.subarray(offset, offset + block.readUInt32LE(offset + 4));
  assert.equal(table.toString('latin1', 0, 4), signature);
  assert.equal(sum(table), 0);
  return table;
}

test('a guest finds its processors from the root pointer', () => {
  for (const vcpus of [1, 2, 128]) {
    const block = acpiTables(address, vcpus);
    assert.equal(block.toString('latin1', 0, 8), 'RSD PTR ');
    assert.equal(sum(block.subarray(0, 20)), 0);
    assert.equal(sum(block.subarray(0, 36)), 0);
    const xsdt = tableAt(block, block.readBigUInt64LE(24), 'XSDT');
    const fadt = tableAt(block, xsdt.readBigUInt64LE(36), 'FACP');
    tableAt(block, fadt.readBigUInt64LE(140), 'DSDT');
    const madt = tableAt(block, xsdt.readBigUInt64LE(44), 'APIC');
    const processors = [];
    for (let p = 44; p < madt.length; p += madt[p + 1] as number) processors.push(madt[p + 3]);
    assert.deepEqual(
      processors,
      Array.from({ length: vcpus }, (_, i) => i * 2),
    );
  }
});
