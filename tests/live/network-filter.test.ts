/**
 * Locked and disabled ports on a real kernel, as root, in a network namespace of its own: this file starts itself again inside one.
 * A veth plays the guest's interface as Xen's netback would be (a carrier of the port); its other end is in a second namespace.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import type { PortFilter } from '../../src/contracts/network.ts';
import { openNetwork } from '../../src/network/server.ts';
import { sweepNetwork } from '../../src/network/sweep.ts';
import { findTool } from '../../src/network/tool.ts';
import { MemoryStore } from '../conformance/memory-store.ts';
import { plainProcesses } from '../conformance/plain-processes.ts';
import { openTap } from './open-tap.ts';

const inside = process.env['GUESTHOUSE_TEST_NETNS'] === '1';
const mac = '52:54:00:12:34:56';
const port = { vm: 'vm-1', device: 'vif-0', bridge: 'lan0', mac, carriers: ['vguest'] };

function why(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['ip', 'nft', 'unshare', 'busybox', 'mount'].find((tool) => !findTool(tool));
  if (missing) return `needs ${missing}`;
  return spawnSync('unshare', ['--net', '--mount', 'true']).status === 0 ? false : 'network namespaces cannot be made';
}

if (inside) scenario();
else
  test('locked ports in a namespace', { skip: why() }, async () => {
    const env = { ...process.env, GUESTHOUSE_TEST_NETNS: '1', NODE_TEST_CONTEXT: undefined };
    const args = ['--net', '--mount', '--', process.execPath, '--test-reporter=spec', import.meta.filename];
    const child = spawn('unshare', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, text);
  });

function sh(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
const locked = (...addresses: string[]): PortFilter => ({
  mode: 'locked',
  ipv4: addresses.filter((a) => !a.includes(':')),
  ipv6: addresses.filter((a) => a.includes(':')),
});

function scenario(): void {
  let dir = '';
  const processes = plainProcesses();
  const store = new MemoryStore();
  const open = () => openNetwork({ processes, clock: systemClock, ids: randomIds, log: silentLog, dir, store });
  let net: Awaited<ReturnType<typeof open>>;
  const ours = () =>
    sh('nft list tables bridge')
      .split('\n')
      .filter((line) => line.includes('guesthouse'));
  /** Whether a ping from `who` comes back. */
  const reaches = (who: 'guest' | 'world', to: string, from?: string): boolean => {
    const words = ['netns', 'exec', who, 'busybox', 'ping', '-c', '1', '-W', '1', ...(from ? ['-I', from] : []), to];
    return spawnSync('ip', words).status === 0;
  };
  /** Nobody remembers whom they have seen. */
  const forget = () => sh('ip -n world neigh flush all; ip -n guest neigh flush all; ip neigh flush all');

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gh-filter-'));
    sh('mount --make-rprivate / && mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up');
    sh('ip link add lan0 type bridge && ip addr add 192.168.77.1/24 dev lan0 && ip link set lan0 up');
    for (const [space, name, address, n] of [
      ['guest', 'vguest', mac, 50],
      ['world', 'vworld', '52:54:00:00:00:99', 99],
    ] as const) {
      sh(`ip netns add ${space} && ip link add ${name} type veth peer name eth0 netns ${space} address ${address}`);
      sh(`ip link set ${name} master lan0 && ip link set ${name} up && ip -n ${space} link set lo up`);
      sh(`ip netns exec ${space} busybox sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0`);
      sh(`ip -n ${space} addr add 192.168.77.${n}/24 dev eth0 && ip -n ${space} addr add fd00::${n}/64 dev eth0 nodad`);
      sh(`ip -n ${space} link set eth0 up`);
    }
    sh('ip -n guest addr add 192.168.77.51/24 dev eth0 && ip -n guest addr add fd00::51/64 dev eth0 nodad');
    sh('nft add table bridge others && nft add chain bridge others c && nft add rule bridge others c counter');
    net = await open();
    await net.network.ensure({ bridge: 'lan0', kind: 'bridge' });
  });
  after(async () => {
    await net.close();
    await processes.end();
    rmSync(dir, { recursive: true, force: true });
  });

  test('an open port lets everything pass', async () => {
    await net.port.attach(port);
    assert.deepEqual(ours(), []);
    for (const from of ['192.168.77.50', '192.168.77.51']) assert.ok(reaches('guest', '192.168.77.99', from));
    assert.ok(reaches('guest', 'fd00::99') && reaches('world', 'fd00::51'));
  });
  test('a locked port lets its own addresses pass, both ways, and no others', async () => {
    await net.port.attach({ ...port, filter: locked('192.168.77.50', 'fd00::50') });
    forget();
    assert.ok(reaches('guest', '192.168.77.99', '192.168.77.50'), 'its own IPv4 address');
    assert.ok(reaches('guest', '192.168.77.1', '192.168.77.50'), 'to the host');
    assert.ok(reaches('world', '192.168.77.50'), 'from outside');
    assert.ok(reaches('guest', 'fd00::99', 'fd00::50'), 'its own IPv6 address');
    assert.ok(reaches('world', 'fd00::50'), 'IPv6 from outside');
    forget();
    assert.ok(!reaches('guest', '192.168.77.99', '192.168.77.51'), 'another IPv4 address');
    assert.ok(!reaches('world', '192.168.77.51'), 'the world finds another address');
    assert.ok(!reaches('guest', 'fd00::99', 'fd00::51'), 'another IPv6 address');
    assert.ok(!reaches('world', 'fd00::51'), 'the world finds another IPv6 address');
    assert.equal(ours().length, 1);
  });
  test('a locked guest with another MAC address is not heard', async () => {
    forget();
    sh('ip -n guest link set eth0 address 52:54:00:66:66:66');
    assert.ok(!reaches('guest', '192.168.77.99', '192.168.77.50'));
    sh(`ip -n guest link set eth0 address ${mac}`);
    forget();
    assert.ok(reaches('guest', '192.168.77.99', '192.168.77.50'));
  });
  test('a tag does not hide what is in a frame; the own tap is filtered as a carrier is', async () => {
    const made = await net.port.attach({ ...port, filter: locked('192.168.77.50') });
    assert.ok(made.kind === 'tap');
    sh('nft add chain bridge others seen "{ type filter hook forward priority 0; policy accept; }"');
    sh(`nft add rule bridge others seen iifname ${made.ifname} oifname vworld counter`);
    const seen = () => Number(/counter packets (\d+)/.exec(sh('nft list chain bridge others seen'))?.[1]);
    const tap = openTap(made.ifname);
    const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
    const head = Buffer.concat([Buffer.alloc(6, 255), address]);
    const arp = (from: string) => Buffer.from(`08060001080006040001525400123456${from}000000000000c0a84d63`, 'hex');
    const tag = Buffer.from('81000007', 'hex');
    const pad = Buffer.alloc(18);
    const own = Buffer.concat([head, arp('c0a84d32'), pad]);
    // The bridge forwards soon after the tap has its other end; the test's own time limit bounds the wait.
    while (seen() === 0) {
      writeSync(tap, own);
      await systemClock.sleep(10);
    }
    let passed = seen();
    /** Sends the frames, then one that passes: `passing` of them arrived before it. */
    const arrive = async (passing: number, ...frames: readonly Buffer[]) => {
      for (const frame of [...frames, own]) writeSync(tap, frame);
      const expected = passed + passing + 1;
      while (seen() < expected) await systemClock.sleep(10);
      passed = seen();
      assert.equal(passed, expected);
    };
    const tagged = Buffer.concat([head, tag, arp('c0a84d32'), pad]);
    await arrive(0, Buffer.concat([head, arp('c0a84d33'), pad]), tagged);
    await net.port.attach(port);
    await arrive(1, tagged);
    closeSync(tap);
    sh('nft delete chain bridge others seen');
    assert.deepEqual(ours(), []);
  });
  test('locked to no address, or disabled: nothing passes; others are not concerned', async () => {
    for (const filter of [locked(), { mode: 'disabled', ipv4: [], ipv6: [] } as const]) {
      await net.port.attach({ ...port, filter });
      assert.ok(!reaches('guest', '192.168.77.99', '192.168.77.50') && !reaches('world', 'fd00::50'));
      assert.ok(reaches('world', '192.168.77.1'));
    }
  });
  test('what cannot be filtered, and what is no address, is refused and changes nothing', async () => {
    const before = sh('nft list ruleset');
    await assert.rejects(net.port.attach({ ...port, filter: locked('192.168.77.500') }), (e) => isKind(e, 'Bad_name'));
    await assert.rejects(net.port.attach({ ...port, carriers: ['"; flush ruleset'] }), (e) => isKind(e, 'Bad_name'));
    await net.network.ensure({ bridge: 'usernet', kind: 'user' });
    const onUser = { ...port, device: 'vif-1', bridge: 'usernet', filter: locked('10.0.2.15') };
    await assert.rejects(net.port.attach(onUser), (e) => isKind(e, 'Not_possible'));
    assert.equal(sh('nft list ruleset'), before);
    assert.equal((await net.port.list({})).length, 1);
  });
  test('a port that goes takes its rules along; what a killed installation left is swept', async () => {
    await net.port.detach(port);
    assert.deepEqual(ours(), []);
    assert.ok(reaches('guest', '192.168.77.99', '192.168.77.51'));
    await net.port.attach({ ...port, filter: locked('192.168.77.50') });
    assert.equal(ours().length, 1);
    await sweepNetwork(dir, silentLog);
    assert.equal(sh('nft list tables').trim(), 'table bridge others');
    assert.match(sh('nft list table bridge others'), /counter/);
  });
}
