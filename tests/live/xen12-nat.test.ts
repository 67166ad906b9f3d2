/**
 * `xen_nat_enable` on a real kernel, in a network namespace of its own: this file starts itself again inside one. Two further
 * namespaces are a guest and the world, which has no route to the guest.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { natEnable } from '../../src/doors/xen12/nat.ts';
import { setKernel } from '../../src/network/firewall.ts';
import { findTool, runTool } from '../../src/network/tool.ts';

const inside = process.env['GUESTHOUSE_TEST_NAT'] === '1';

function why(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['ip', 'nft', 'unshare', 'nsenter', 'busybox'].find((tool) => !findTool(tool));
  if (missing) return `needs ${missing}`;
  return spawnSync('unshare', ['--net', 'true']).status === 0 ? false : 'network namespaces cannot be made';
}
if (inside) await scenario();
else
  test('guests are behind the host, whose ports lead to their SSH', { skip: why(), timeout: 60_000 }, () => {
    const env = { ...process.env, GUESTHOUSE_TEST_NAT: '1', NODE_TEST_CONTEXT: undefined };
    const ran = spawnSync('unshare', ['--net', process.execPath, import.meta.filename], { env, encoding: 'utf8' });
    assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  });

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}
/** A namespace that lasts as long as its process. */
async function namespace(): Promise<{ child: ChildProcess; run: (...argv: string[]) => ReturnType<typeof spawnSync> }> {
  const own = readlinkSync('/proc/self/ns/net');
  const child = spawn('unshare', ['--net', 'busybox', 'sleep', '60'], { stdio: 'ignore' });
  while (readlinkSync(`/proc/${child.pid}/ns/net`) === own) await sleep(10);
  const run = (...argv: string[]) =>
    spawnSync('nsenter', ['-t', String(child.pid), '-n', ...argv], { encoding: 'utf8' });
  assert.equal(run('ip', 'link', 'set', 'lo', 'up').status, 0);
  return { child, run };
}
async function scenario(): Promise<void> {
  const guest = await namespace();
  const world = await namespace();
  const held: ChildProcess[] = [guest.child, world.child];
  try {
    ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(world.child.pid));
    ip('address', 'add', '192.0.2.1/24', 'dev', 'up0');
    ip('link', 'set', 'up0', 'up');
    world.run('ip', 'address', 'add', '192.0.2.2/24', 'dev', 'eth0');
    world.run('ip', 'link', 'set', 'eth0', 'up');
    const said = { out: '', err: '' };
    const enable = (uplink: string | undefined) =>
      natEnable({
        bridge: 'xenbr0',
        uplink,
        out: (text) => void (said.out += text),
        err: (text) => void (said.err += text),
        run: runTool,
        forward: () => setKernel('ip_forward', '1'),
      });
    assert.equal(await enable(undefined), 1);
    assert.match(said.err, /no default route; name the interface/);
    assert.equal(await enable('none0'), 1);
    assert.match(said.err, /none0/);
    ip('route', 'add', 'default', 'via', '192.0.2.2');
    assert.equal(await enable(undefined), 0, said.err);
    assert.equal(await enable('up0'), 0, said.err); // again
    assert.match(said.out, /Guests on xenbr0 are behind up0; ports 2201 to 2210/);

    ip('link', 'add', 'vif1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(guest.child.pid));
    ip('link', 'set', 'vif1', 'master', 'xenbr0', 'up');
    guest.run('ip', 'address', 'add', '169.254.1.1/16', 'dev', 'eth0');
    guest.run('ip', 'link', 'set', 'eth0', 'up');
    guest.run('ip', 'route', 'add', 'default', 'via', '169.254.1.0');
    const pinged = guest.run('busybox', 'ping', '-c', '1', '-w', '10', '192.0.2.2');
    assert.equal(pinged.status, 0, `${pinged.stdout}${pinged.stderr}`);
    // The world reaches the guest's SSH by the host's port, and nothing else of it.
    const server = "require('node:net').createServer((s) => s.end('SSH')).listen(22)";
    held.push(
      spawn('nsenter', ['-t', String(guest.child.pid), '-n', process.execPath, '-e', server], { stdio: 'ignore' }),
    );
    const dial = (host: string, port: string) => String(world.run('busybox', 'nc', '-w', '2', host, port).stdout);
    const until = Date.now() + 20_000;
    while (dial('192.0.2.1', '2201') !== 'SSH') assert.ok(Date.now() < until, 'port 2201 does not lead to the guest');
    world.run('ip', 'route', 'add', '169.254.0.0/16', 'via', '192.0.2.1');
    assert.equal(dial('169.254.1.1', '22'), '');
  } finally {
    for (const child of held) child.kill('SIGKILL');
  }
}
