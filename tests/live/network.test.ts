/**
 * Networking on a real kernel, as root, in a network namespace of its own: this file starts itself again inside one, so that
 * the host's bridges, routes and rules are not even seen. A veth end in a second namespace plays the guest.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { chmodSync, closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { logTo, silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { openNetwork } from '../../src/network/server.ts';
import { sweepNetwork } from '../../src/network/sweep.ts';
import { findTool } from '../../src/network/tool.ts';
import { MemoryStore } from '../conformance/memory-store.ts';
import { plainProcesses } from '../conformance/plain-processes.ts';
import { openTap } from './open-tap.ts';

const inside = process.env['GUESTHOUSE_TEST_NETNS'] === '1';
const kindIs = (kind: string) => (error: unknown) => isKind(error, kind);
const mac = '52:54:00:12:34:56';

function why(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['ip', 'nft', 'dnsmasq', 'unshare', 'busybox', 'mount'].find((tool) => !findTool(tool));
  if (missing) return `needs ${missing}`;
  return spawnSync('unshare', ['--net', '--mount', 'true']).status === 0 ? false : 'network namespaces cannot be made';
}

if (inside) scenario();
else
  test('networking in a namespace', { skip: why() }, async () => {
    const env = { ...process.env, GUESTHOUSE_TEST_NETNS: '1', NODE_TEST_CONTEXT: undefined };
    const child = spawn(
      'unshare',
      ['--net', '--mount', '--', process.execPath, '--test-reporter=spec', import.meta.filename],
      {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, text);
  });

function sh(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
const links = (): Record<string, unknown>[] => JSON.parse(sh('ip -j -d addr show'));
const link = (name: string) => links().find((l) => l['ifname'] === name);

function scenario(): void {
  let dir = '';
  const warnings: string[] = [];
  const log = logTo((level, message) => level === 'warn' && warnings.push(message));
  const store = new MemoryStore();
  const processes = plainProcesses();
  const ground = { processes, clock: systemClock, ids: randomIds, log };
  const open = () => openNetwork({ ...ground, dir, store });
  let net: Awaited<ReturnType<typeof open>>;
  const foreign = () => [sh('ip -j -d link show dev lan0'), sh('nft list table inet others')];
  let foreignBefore: string[] = [];

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gh-net-'));
    chmodSync(dir, 0o755);
    sh('mount --make-rprivate / && mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up');
    // The world: another network behind a veth, and things of the host's that are none of our business.
    sh(
      'ip netns add world && ip link add up0 type veth peer name eth0 netns world && ip addr add 10.87.0.9/24 dev up0',
    );
    sh('ip link set up0 up && ip -n world addr add 10.87.0.10/24 dev eth0 && ip -n world link set eth0 up');
    sh('ip -n world link set lo up');
    sh('ip link add lan0 type bridge && ip addr add 192.168.77.1/24 dev lan0 && ip link set lan0 up');
    sh('ip link add lanport type veth peer name lanpeer address 02:00:00:00:00:01');
    sh('ip link set lanpeer up && ip link set lanport master lan0 && ip link set lanport up');
    sh('nft add table inet others && nft add chain inet others c && nft add rule inet others c counter');
    sh(`ip netns add guest && ip link add vguest type veth peer name eth0 netns guest address ${mac}`);
    sh('ip link set vguest up && ip -n guest link set lo up && ip -n guest link set eth0 up');
    foreignBefore = foreign();
    net = await open();
  });
  after(async () => {
    await net.close();
    await processes.end();
    rmSync(dir, { recursive: true, force: true });
  });

  test('every kind is possible', async () => {
    for (const row of await net.network.capabilities({})) assert.deepEqual([row.possible, row.reason], [true, '']);
  });
  test('a NAT network has a bridge, a subnet that is free, and is the same when repeated', async () => {
    sh(
      'nft add table ip filter && nft add chain ip filter FORWARD "{ type filter hook forward priority 0; policy drop; }"',
    );
    const info = await net.network.ensure({ bridge: 'ghnat0', kind: 'nat' });
    assert.match(warnings.join(), /nft insert rule ip filter FORWARD iifname ghnat0 accept/);
    sh('nft delete table ip filter');
    assert.deepEqual(info, { bridge: 'ghnat0', kind: 'nat', subnet: '10.87.1.1/24', up: true, ports: [] });
    const pid = (await processes.process.list({})).map((p) => p.pid);
    const seen = link('ghnat0');
    assert.deepEqual(await net.network.ensure({ bridge: 'ghnat0', kind: 'nat' }), info);
    assert.deepEqual(
      (await processes.process.list({})).map((p) => p.pid),
      pid,
    );
    assert.deepEqual(link('ghnat0')?.['ifindex'], seen?.['ifindex']);
    assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(), '1');
  });
  test('a port is a tap of the user on the bridge', async () => {
    const port = { vm: 'vm-1', device: 'vif-0', bridge: 'ghnat0', mac, uid: 1234, mtu: 1400 };
    const made = await net.port.attach(port);
    assert.ok(made.kind === 'tap');
    assert.deepEqual(await net.port.attach(port), made);
    const tap = link(made.ifname) as { mtu: number; master: string; linkinfo: { info_data: { user: number } } };
    assert.deepEqual([tap.mtu, tap.master, Number(tap.linkinfo.info_data.user)], [1400, 'ghnat0', 1234]);
    assert.ok(made.ifname.length <= 15);
    assert.deepEqual(await net.port.list({}), [{ vm: 'vm-1', device: 'vif-0', bridge: 'ghnat0', ifname: made.ifname }]);
    await assert.rejects(net.network.remove({ bridge: 'ghnat0' }), kindIs('In_use'));
    await assert.rejects(net.port.attach({ ...port, bridge: 'none' }), kindIs('Does_not_exist'));
  });
  test('a guest gets the address that is kept for it, and reaches the world through NAT', async () => {
    sh('ip link set vguest master ghnat0');
    const given = Promise.withResolvers<{ mac: string; address: string }>();
    const stop = net.watch((event) => given.resolve(event));
    const script = join(dir, 'udhcpc.sh');
    writeFileSync(
      script,
      `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace $ip/$mask dev $interface && ip route replace default via $router
`,
      { mode: 0o755 },
    );
    sh(`ip netns exec guest busybox udhcpc -i eth0 -n -q -f -t 10 -T 1 -x hostname:web -s ${script}`);
    const event = await given.promise;
    stop();
    assert.deepEqual({ mac: event.mac, address: event.address }, { mac, address: '10.87.1.2' });
    const [lease] = await net.lease.list({ bridge: 'ghnat0' });
    assert.deepEqual([lease?.address, lease?.hostname], ['10.87.1.2', 'web']);
    sh('ip netns exec guest busybox ping -c 1 -W 5 10.87.1.1');
    // The world has no route back to the guest: an answer means that it saw the host's address.
    sh('ip netns exec guest busybox ping -c 1 -W 5 10.87.0.10');
    assert.match(sh('ip netns exec guest busybox nslookup web.guesthouse.internal 10.87.1.1 || true'), /10\.87\.1\.2/);
  });
  test('DHCP and DNS call a guest by its VM, whatever it calls itself', async () => {
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers(['10.87.1.1']);
    const answer = (name: string) => resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => error.code);
    const until = async (name: string, wish: unknown) => {
      for (const deadline = Date.now() + 30_000; ; ) {
        const found = await answer(name);
        if (JSON.stringify(found) === JSON.stringify(wish)) return;
        assert.ok(Date.now() < deadline, `${name}: ${found}`);
      }
    };
    const port = { vm: 'vm-1', device: 'vif-0', bridge: 'ghnat0', mac, uid: 1234, mtu: 1400 };
    // Renamed while its lease lasts.
    await net.port.attach({ ...port, name: 'Shop #1' });
    await until('shop-1', ['10.87.1.2']);
    await until('shop-1.guesthouse.internal', ['10.87.1.2']);
    await until('web', 'ENOTFOUND');
    const script = join(dir, 'named.sh');
    writeFileSync(script, `#!/bin/sh\n[ "$1" = bound ] && echo "$hostname $domain" > ${dir}/named\nexit 0\n`, {
      mode: 0o755,
    });
    sh(`ip netns exec guest busybox udhcpc -i eth0 -n -q -f -t 10 -T 1 -x hostname:thief -s ${script}`);
    assert.equal(readFileSync(join(dir, 'named'), 'utf8'), 'shop-1 guesthouse.internal\n');
    assert.equal(await answer('thief'), 'ENOTFOUND');
    // Of two with one name, the second gets a number; the first keeps its name.
    const second = { vm: 'vm-2', device: 'vif-0', bridge: 'ghnat0', mac: '52:54:00:12:34:57', name: 'shop_1' };
    await net.port.attach(second);
    const hosts = () => sh(`cat ${join(dir, 'dhcp', 'ghnat0', 'hosts')}/*`);
    assert.match(hosts(), /34:56,10\.87\.1\.2,shop-1\n.*34:57,10\.87\.1\.3,shop-1-2\n/s);
    // A name of one that is gone goes to the one that asks for it.
    await net.port.detach(second);
    await net.port.attach({ ...port, name: 'Shop 1 2' });
    await until('shop-1-2', ['10.87.1.2']);
    assert.match(hosts(), /34:57,10\.87\.1\.3\n/);
    await net.port.attach({ ...port, name: 'web' });
    await until('web', ['10.87.1.2']);
  });
  test('a port with a limit passes what the limit allows, both ways', async () => {
    const port = { vm: 'vm-fast', device: 'vif-0', bridge: 'ghnat0', mac: '52:54:00:12:34:58', uid: 0 };
    const made = await net.port.attach({ ...port, rateKib: 100 });
    assert.ok(made.kind === 'tap');
    const { ifname } = made;
    const queue = () =>
      (
        JSON.parse(sh(`tc -s -j qdisc show dev ${ifname}`)) as {
          kind: string;
          bytes: number;
          drops: number;
          options: Record<string, number>;
        }[]
      ).find((q) => q.kind === 'tbf');
    assert.equal(queue()?.options['rate'], 100 * 1024);
    const table = `guesthouse_[0-9a-f]+_${ifname}`;
    assert.match(sh('nft list ruleset netdev'), new RegExp(`${table}.*limit rate over 100 kbytes/second`, 's'));
    const tap = openTap(ifname);
    try {
      // 2 MB at once, for which the limit would take 20 s: what is in the buckets passes, the rest is dropped.
      const frame = Buffer.alloc(1000, 0);
      Buffer.from(`ffffffffffff${port.mac.replaceAll(':', '')}88b5`, 'hex').copy(frame);
      for (let i = 0; i < 2000; i++) writeSync(tap, frame);
      const [, dropped = '0'] = /counter packets (\d+) bytes/.exec(sh('nft list ruleset netdev')) ?? [];
      assert.ok(Number(dropped) > 1000 && Number(dropped) < 2000, dropped);
      sh(`ip neigh replace 10.87.1.99 lladdr ${port.mac} dev ghnat0 && ip link set ${ifname} up`);
      sh(`bridge fdb replace ${port.mac} dev ${ifname} master static`);
      const socket = createSocket('udp4');
      const sent = Array.from(
        { length: 2000 },
        () => new Promise((resolve) => socket.send(frame, 9, '10.87.1.99', resolve)),
      );
      await Promise.all(sent);
      socket.close();
      const { drops = 0, bytes = 0 } = queue() ?? {};
      assert.ok(drops > 1000 && bytes < 1_000_000, `${drops} dropped, ${bytes} bytes passed`);
      await net.port.attach({ ...port, rateKib: 200 });
      assert.equal(queue()?.options['rate'], 200 * 1024);
      await net.port.attach({ ...port, rateKib: 0 });
      assert.equal(queue(), undefined);
      assert.doesNotMatch(sh('nft list ruleset netdev'), new RegExp(ifname));
      await net.port.attach({ ...port, rateKib: 50 });
    } finally {
      closeSync(tap);
      await net.port.detach(port);
    }
    assert.equal(sh('nft list tables netdev'), '');
  });
  test('nobody outside reaches a guest but through a forward', async () => {
    sh('ip -n world route add 10.87.1.0/24 via 10.87.0.9');
    assert.throws(() => sh('ip netns exec world busybox ping -c 1 -W 1 10.87.1.2'));
    const server = spawn('ip', ['netns', 'exec', 'guest', 'busybox', 'nc', '-ll', '-p', '80', '-e', 'echo', 'hello']);
    try {
      const forward = {
        protocol: 'tcp',
        hostAddress: '0.0.0.0',
        hostPort: 8088,
        guestPort: 80,
        vm: 'vm-1',
        device: 'vif-0',
      } as const;
      await net.forward.set({ vm: 'vm-1', device: 'vif-0', forwards: [forward] });
      await assert.rejects(net.forward.set({ vm: 'vm-2', device: 'vif-0', forwards: [forward] }), kindIs('Port_taken'));
      const ask = (from: string, to: string) => sh(`${from} busybox nc -w 5 ${to} 8088 </dev/null`).trim();
      while (spawnSync('ip', ['netns', 'exec', 'guest', 'busybox', 'nc', '-w', '1', '127.0.0.1', '80']).status !== 0);
      assert.equal(ask('ip netns exec world', '10.87.0.9'), 'hello');
      assert.equal(ask('', '127.0.0.1'), 'hello');
      assert.equal(ask('', '10.87.0.9'), 'hello');
      await net.forward.set({ vm: 'vm-1', device: 'vif-0', forwards: [] });
      assert.throws(() => ask('', '127.0.0.1'));
    } finally {
      server.kill('SIGKILL');
      sh('ip netns pids guest | xargs -r kill -9');
    }
  });
  test('a port that something listens on is not taken away', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(8089, '127.0.0.1', resolve));
    const forward = {
      protocol: 'tcp',
      hostAddress: '0.0.0.0',
      hostPort: 8089,
      guestPort: 80,
      vm: 'vm-1',
      device: 'vif-0',
    } as const;
    await assert.rejects(net.forward.set({ vm: 'vm-1', device: 'vif-0', forwards: [forward] }), kindIs('Port_taken'));
    server.close();
  });
  test('what is lost is made again; a restart finds what is there', async () => {
    const [port] = await net.port.list({});
    const tap = port?.ifname ?? '';
    sh('ip link del ghnat0 && nft flush ruleset');
    sh('nft add table inet others && nft add chain inet others c && nft add rule inet others c counter');
    await net.close();
    net = await open();
    assert.equal((link(tap) as { master: string }).master, 'ghnat0');
    sh('ip link set vguest master ghnat0');
    sh(`ip netns exec guest busybox udhcpc -i eth0 -n -q -f -t 10 -T 1 -s ${join(dir, 'udhcpc.sh')}`);
    sh('ip netns exec guest busybox ping -c 1 -W 5 10.87.0.10');
    assert.deepEqual((await net.network.list({}))[0]?.ports, [tap]);
  });
  test('an internal network has no way out; a second one and the first are apart', async () => {
    await net.network.ensure({ bridge: 'ghint0', kind: 'internal', mtu: 1300 });
    assert.deepEqual(link('ghint0')?.['addr_info'], []);
    assert.equal(link('ghint0')?.['mtu'], 1300);
    sh('ip link set vguest master ghint0');
    // Even a guest that knows the bridge's hardware address gets nothing through it.
    const own = String(link('ghint0')?.['address']);
    sh(`ip -n guest neigh replace 10.87.1.1 lladdr ${own} dev eth0`);
    for (const to of ['10.87.0.10', '10.87.0.9', '10.87.1.1'])
      assert.throws(() => sh(`ip netns exec guest busybox ping -c 1 -W 1 ${to}`), /./, to);
    sh('ip link set vguest nomaster');
  });
  test('a bridge of the host is used and left as it is', async () => {
    const info = await net.network.ensure({ bridge: 'lan0', kind: 'bridge' });
    assert.deepEqual([info.up, info.subnet], [true, null]);
    const made = await net.port.attach({ vm: 'vm-3', device: 'vif-0', bridge: 'lan0', mac, uid: 0 });
    assert.ok(made.kind === 'tap');
    assert.equal((link(made.ifname) as { master: string }).master, 'lan0');
    await net.port.detach({ vm: 'vm-3', device: 'vif-0' });
    await net.port.detach({ vm: 'vm-3', device: 'vif-0' });
    assert.equal(link(made.ifname), undefined);
    await net.network.remove({ bridge: 'lan0' });
    await assert.rejects(net.network.ensure({ bridge: 'lan0', kind: 'nat' }), kindIs('Foreign'));
    await assert.rejects(net.network.ensure({ bridge: 'nope0', kind: 'bridge' }), kindIs('Does_not_exist'));
    await assert.rejects(net.network.ensure({ bridge: 'a b;c', kind: 'nat' }), kindIs('Bad_name'));
  });
  test('a second installation lives beside the first', async () => {
    const dir2 = join(dir, 'second');
    const other = await openNetwork({
      dir: dir2,
      store: new MemoryStore(),
      processes,
      clock: systemClock,
      ids: randomIds,
      log: silentLog,
    });
    await assert.rejects(other.network.ensure({ bridge: 'ghnat0', kind: 'nat' }), kindIs('Foreign'));
    const info = await other.network.ensure({ bridge: 'ghnat1', kind: 'nat' });
    assert.equal(info.subnet, '10.87.2.1/24');
    assert.equal(sh('nft list tables').match(/guesthouse_/g)?.length, 2);
    await other.network.remove({ bridge: 'ghnat1' });
    await other.close();
    assert.equal(sh('nft list tables').match(/guesthouse_/g)?.length, 1);
  });
  test('addresses are kept for interfaces; when all are, the oldest idle one is given away', async () => {
    await net.network.ensure({ bridge: 'ghtiny', kind: 'nat', subnet: '10.99.0.1/29' });
    const port = (i: number) => ({ vm: `tiny-${i}`, device: 'vif-0', bridge: 'ghtiny', mac: `52:54:00:00:00:0${i}` });
    for (const i of [1, 2, 3, 4, 5]) await net.port.attach(port(i));
    await assert.rejects(net.port.attach(port(6)), kindIs('Not_possible'));
    assert.equal((await net.port.list({})).filter((p) => p.bridge === 'ghtiny').length, 5);
    await net.port.detach(port(2));
    await net.port.attach(port(6));
    const hosts = sh(`cat ${join(dir, 'dhcp', 'ghtiny', 'hosts')}/*`);
    assert.match(hosts, /52:54:00:00:00:06,10\.99\.0\.3\n/);
    assert.doesNotMatch(hosts, /00:02,/);
    for (const i of [1, 3, 4, 5, 6]) await net.port.detach(port(i));
    await assert.rejects(
      net.network.ensure({ bridge: 'ghtiny2', kind: 'nat', subnet: '10.99.0.2/24' }),
      kindIs('Not_possible'),
    );
    await net.network.remove({ bridge: 'ghtiny' });
  });
  test('a user network gives forwards to QEMU', async () => {
    await net.network.ensure({ bridge: 'anything', kind: 'user' });
    const forward = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8090, guestPort: 22 } as const;
    await net.forward.set({ vm: 'vm-4', device: 'vif-0', forwards: [{ ...forward, vm: 'vm-4', device: 'vif-0' }] });
    const made = await net.port.attach({ vm: 'vm-4', device: 'vif-0', bridge: 'anything', mac });
    assert.deepEqual(made, { kind: 'user', forwards: [forward] });
    await net.port.detach({ vm: 'vm-4', device: 'vif-0' });
    await net.network.remove({ bridge: 'anything' });
  });
  test('interfaces of the host are listed', async () => {
    const found = await net.interface.list({});
    const lan = found.find((i) => i.name === 'lan0');
    assert.deepEqual([lan?.physical, lan?.addresses.includes('192.168.77.1/24'), lan?.bridge], [false, true, null]);
  });
  test("a second domain of a VM has a tap of its own, which becomes the VM's", async () => {
    await net.network.ensure({ bridge: 'ghint9', kind: 'internal' });
    const port = { vm: 'vm-move', device: 'vif-0', bridge: 'ghint9', mac: '52:54:00:12:34:59', uid: 1 };
    const first = await net.port.attach(port);
    const beside = { ...port, vm: 'copy', beside: 'vm-move', uid: 2 };
    const second = await net.port.attach(beside);
    assert.ok(first.kind === 'tap' && second.kind === 'tap' && first.ifname !== second.ifname);
    assert.deepEqual(await net.port.attach(beside), second);
    const take = { vm: 'vm-move', device: 'vif-0', from: 'copy' };
    await net.port.take(take);
    await net.port.take(take);
    assert.equal(link(first.ifname), undefined);
    assert.equal((link(second.ifname) as { master: string }).master, 'ghint9');
    // Told again, as after a change of its name, it stays the one that the guest has.
    assert.deepEqual(await net.port.attach({ ...port, uid: 2, name: 'moved' }), second);
    await net.port.detach(port);
    assert.equal(link(second.ifname), undefined);
    await net.network.remove({ bridge: 'ghint9' });
  });
  test('a subnet that somebody took while the bridge was gone is given up', async () => {
    const before = await net.network.ensure({ bridge: 'ghmoved', kind: 'nat' });
    await net.port.attach({ vm: 'vm-5', device: 'vif-0', bridge: 'ghmoved', mac: '52:54:00:00:00:55' });
    await net.close();
    await processes.process.stop({ id: 'dnsmasq-ghmoved', timeoutMs: 5000 });
    sh(
      `ip link del ghmoved && ip link add thief type bridge && ip addr add ${before.subnet} dev thief && ip link set thief up`,
    );
    net = await open();
    const now = (await net.network.list({})).find((n) => n.bridge === 'ghmoved');
    assert.notEqual(now?.subnet, before.subnet);
    assert.match(warnings.join(), /another link of the host uses the subnet/);
    const again = await net.network.ensure({ bridge: 'ghmoved', kind: 'nat', subnet: before.subnet ?? '' });
    assert.equal(again.subnet, now?.subnet);
    const { addr_info } = link('ghmoved') as { addr_info: { local: string; prefixlen: number }[] };
    assert.ok(addr_info.some((a) => `${a.local}/${a.prefixlen}` === now?.subnet));
    sh('ip link del thief');
    await net.port.detach({ vm: 'vm-5', device: 'vif-0' });
    await net.network.remove({ bridge: 'ghmoved' });
  });
  test('what a killed installation has left is swept away by its marks', async () => {
    const left = mkdtempSync(join(tmpdir(), 'gh-swept-'));
    const other = await openNetwork({ ...ground, dir: left, store: new MemoryStore() });
    await other.network.ensure({ bridge: 'ghswept', kind: 'nat' });
    await other.port.attach({ vm: 'vm-6', device: 'vif-0', bridge: 'ghswept', mac: '52:54:00:00:00:66', rateKib: 9 });
    await other.close();
    await processes.process.stop({ id: 'dnsmasq-ghswept', timeoutMs: 5000 });
    await processes.process.forget({ id: 'dnsmasq-ghswept' });
    const before = links().map((l) => l['ifname']);
    const removed = await sweepNetwork(left, silentLog);
    assert.equal(removed.length, 4, removed.join());
    assert.deepEqual(
      links().map((l) => l['ifname']),
      before.filter((name) => !removed.includes(String(name))),
    );
    assert.deepEqual(await sweepNetwork(left, silentLog), []);
    assert.ok(link('ghnat0'));
    rmSync(left, { recursive: true });
  });
  test('removal leaves nothing of ours and all of the others', async () => {
    await net.port.detach({ vm: 'vm-1', device: 'vif-0' });
    await net.network.remove({ bridge: 'ghnat0' });
    await net.network.remove({ bridge: 'ghint0' });
    assert.deepEqual(
      links()
        .map((l) => l['ifname'])
        .sort(),
      ['lan0', 'lanpeer', 'lanport', 'lo', 'up0', 'vguest'],
    );
    assert.equal(sh('nft list tables').trim(), 'table inet others');
    assert.deepEqual(await processes.process.list({}), []);
    const alike = (texts: string[]) => texts.map((text) => text.replace(/"[a-z_]*timer":[\d.]+/g, ''));
    assert.deepEqual(alike(foreign()), alike(foreignBefore));
  });
}
