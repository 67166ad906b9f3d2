import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceNumber, deviceOfNumber } from './device-numbers.ts';

test('names and numbers of drives, both ways', () => {
  for (const [name, number] of [
    ['sda', 0x800],
    ['sda1', 0x801],
    ['sdp15', 0x8ff],
    ['hda', 0x300],
    ['hdb3', 0x343],
    ['hdc', 0x1600],
    ['hdd', 0x1640],
    ['xvda', 0xca00],
  ] as const) {
    assert.equal(deviceNumber(name), number, name);
    assert.equal(deviceOfNumber(number), name, name);
  }
  assert.equal(deviceOfNumber(0x7d12), 'xvdb2');
  for (const name of ['xvdq', 'hdz', 'fda', 'nonsense']) assert.equal(deviceNumber(name), undefined, name);
  for (const number of [0, -1, 0x100, 0x10000, 0x380 << 4]) assert.equal(deviceOfNumber(number), undefined);
});
test('every number that is a name is the number of that name, or one of Xen 1.2 its own', () => {
  for (let number = 0; number < 0x10000; number++) {
    const name = deviceOfNumber(number);
    if (name !== undefined && number >> 8 !== 125) assert.equal(deviceNumber(name), number);
  }
});
