import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  freeAddress,
  freeSubnet,
  hostText,
  networkText,
  overlaps,
  parseSubnet,
  subnetTrouble,
  toAddress,
  toNumber,
} from './subnet.ts';

const net = (text: string) => parseSubnet(text) ?? assert.fail(text);

test('subnets are parsed and printed', () => {
  assert.equal(networkText(net('10.87.3.9/24')), '10.87.3.0/24');
  assert.equal(hostText(net('255.255.255.254/31')), '255.255.255.254/31');
  assert.equal(toAddress(toNumber('192.168.255.1')), '192.168.255.1');
  for (const bad of ['', '10.0.0/24', '10.0.0.1/33', '10.0.0.256/24', '10.0.0.1/24/1', '10.0.0.1/x', '010.0.0.1/8'])
    assert.equal(parseSubnet(bad), undefined, bad);
});
test('a host address that is none is refused', () => {
  assert.equal(subnetTrouble(net('10.87.0.1/24')), '');
  assert.match(subnetTrouble(net('10.87.0.0/24')), /the network's own/);
  assert.match(subnetTrouble(net('10.87.0.255/24')), /broadcast/);
  assert.match(subnetTrouble(net('10.87.0.1/30')), /between 8 and 29/);
  assert.match(subnetTrouble(parseSubnet('x')), /not of the form/);
});
test('the chosen subnet meets no other', () => {
  const choose = (...taken: string[]) => hostText(freeSubnet(taken.map(net)) ?? assert.fail());
  assert.equal(choose(), '10.87.0.1/24');
  assert.equal(choose('10.87.0.128/25', '10.87.1.7'), '10.87.2.1/24');
  assert.equal(choose('10.0.0.0/8'), '172.29.0.1/24');
  assert.equal(choose('10.0.0.0/8', '172.16.0.0/12'), '192.168.0.1/24');
  assert.equal(freeSubnet([net('0.0.0.0/1'), net('128.0.0.0/1')]), undefined);
  assert.equal(overlaps(net('10.0.0.0/24'), net('10.0.1.0/24')), false);
});
test('addresses for guests leave out the host and what is taken', () => {
  const subnet = net('10.0.0.1/29');
  const taken = new Set<number>();
  const given: string[] = [];
  for (let next = freeAddress(subnet, taken); next !== undefined; next = freeAddress(subnet, taken)) {
    taken.add(next);
    given.push(toAddress(next));
  }
  assert.deepEqual(given, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
});
