import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { dnsmasqCommand } from './dhcp.ts';
import { parseLeases } from './lease.ts';
import { checkBridgeName, checkMac, marksOf } from './names.ts';
import { rulesetText } from './ruleset.ts';
import { parseSubnet, toNumber } from './subnet.ts';

const isBadName = (error: unknown) => isKind(error, 'Bad_name');
const subnet = parseSubnet('10.87.0.1/24') ?? assert.fail();

test('names are short, the same every time, and of one installation', () => {
  const [a, b] = [marksOf('/var/lib/guesthouse'), marksOf('/srv/other')];
  assert.match(a.tap('vm', 'vif'), /^gh[0-9a-f]{12}$/);
  assert.equal(a.tap('vm', 'vif'), marksOf('/var/lib/guesthouse').tap('vm', 'vif'));
  assert.notEqual(a.tap('vm', 'vif'), b.tap('vm', 'vif'));
  assert.notEqual(a.tap('v', 'mvif'), a.tap('vm', 'vif'));
  assert.notEqual(a.table, b.table);
  assert.match(a.mac('br'), /^02(:[0-9a-f]{2}){5}$/);
});
test('names that nftables, ip or the kernel would misread are refused', () => {
  for (const good of ['xenbr0', 'br-lan', 'a', 'x.100', '123456789012345']) checkBridgeName(good);
  for (const bad of ['', '1234567890123456', 'a b', '-x', '.', '..', 'a/b', 'a"b', 'lo', 'a\n', 'a;b', 'ü'])
    assert.throws(() => checkBridgeName(bad), isBadName, bad);
  assert.equal(checkMac('52:54:00:AB:cd:01'), '52:54:00:ab:cd:01');
  for (const bad of ['', '52:54:00:ab:cd', '01:00:5e:00:00:01', '52-54-00-ab-cd-01', '52:54:00:ab:cd:01,x'])
    assert.throws(() => checkMac(bad), isBadName, bad);
});
test('lease files are read line by line', () => {
  const text = '1750000000 52:54:00:12:34:56 10.87.0.2 web 01:52\n0 52:54:00:12:34:57 10.87.0.3 * *\nduid 00:01\n17500';
  assert.deepEqual(parseLeases('br', text), [
    { bridge: 'br', mac: '52:54:00:12:34:56', address: '10.87.0.2', hostname: 'web', expires: 1750000000 },
    { bridge: 'br', mac: '52:54:00:12:34:57', address: '10.87.0.3', hostname: '', expires: 0 },
  ]);
});
test('dnsmasq serves one bridge only and reads no configuration of the host', () => {
  const line = dnsmasqCommand('/usr/sbin/dnsmasq', { bridge: 'br', subnet, mtu: 1400 }, '/d/br', 'nogroup');
  for (const part of ['--interface=br', '--bind-dynamic', '--conf-file=/dev/null', '--user=nobody'])
    assert.ok(line.includes(part), part);
  assert.ok(line.includes('--dhcp-range=10.87.0.1,10.87.0.254,255.255.255.0,12h'));
  assert.ok(line.includes('--dhcp-option=option:mtu,1400'));
});
test('the rules of no networks remove the table', () => {
  assert.equal(rulesetText('t', { nat: [], internal: [], forwards: [] }), 'table inet t\ndelete table inet t\n');
});
test('forwards lead to the address of the guest', () => {
  const base = { protocol: 'tcp', address: toNumber('10.87.0.2'), guestPort: 22 } as const;
  const forwards = [
    { ...base, hostAddress: '0.0.0.0', hostPort: 2222 },
    { ...base, hostAddress: '127.0.0.1', hostPort: 2223 },
  ];
  const text = rulesetText('t', { nat: [{ bridge: 'br', subnet }], internal: ['int'], forwards });
  assert.equal(text.split('fib daddr type local tcp dport 2222 dnat ip to 10.87.0.2:22').length, 3);
  assert.equal(text.split('ip daddr 127.0.0.1 tcp dport 2223 dnat ip to 10.87.0.2:22').length, 3);
  assert.match(text, /ip saddr 10\.87\.0\.0\/24 oifname != "br" .*masquerade/);
  assert.match(text, /iifname "int" drop/);
});
