/** A guest between two xenopsds over TLS, on real QEMU; either side killed, or the network cut, at each step. One guest runs. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { findTool } from '../../src/network/tool.ts';
import { diskTools, guest, guestDisk, menuEntry } from './guest-disk.ts';
import { cannotRun } from './host.ts';
import { noNamespaces } from './namespaces.ts';
import { tinyGuest } from './tiny-guest.ts';
import { type Host, type TwoHosts, twoHosts } from './two-hosts.ts';

const skip = noNamespaces() ?? cannotRun() ?? false;
const steps = {
  sender: ['Incoming.prepare', 'VM.send', 'VM.leaveName', 'VM.give', 'Incoming.commit', 'VM.destroy'],
  receiver: ['VM.create', 'VBD.attach', 'VM.listen', 'VM.receive', 'VM.takeName', 'VM.unpause'],
};

/** Adds the tiny guest on `a`, and starts it. Answers its id. */
async function started(h: TwoHosts): Promise<string> {
  const kernel = h.file('kernel', tinyGuest());
  const disk = h.file('disk', Buffer.alloc(1 << 20));
  const vm = randomUUID();
  const text = `name='traveller'\nuuid='${vm}'\ntype='pvh'\nkernel='${kernel}'\nmemory=32\ndisk=['file:${disk},xvda,w']\n`;
  await h.a.ok('create', h.file('vm.cfg', Buffer.from(text)));
  await h.a.says(vm, (said) => said.includes('READY'));
  return vm;
}
/** The guest answers. */
async function answers(host: Host, vm: string, word: string): Promise<void> {
  await host.type(vm, word);
  await host.says(vm, (said) => said.includes(word));
}

test('there and back, compressed or not', { skip, timeout: 300_000 }, async () => {
  await using h = await twoHosts();
  const vm = await started(h);
  await h.a.ok('migrate', 'traveller', h.b.url);
  assert.equal((await h.settled('moved')).name, 'b');
  await answers(h.b, vm, 'xyz');
  assert.deepEqual(await h.a.powers(), []);
  await h.b.ok('migrate', '--compress', 'traveller', h.a.url);
  assert.equal((await h.settled('moved back')).name, 'a');
  await answers(h.a, vm, 'xyz');
  // To its own host, and to one that is not there.
  await h.a.ok('migrate', 'traveller', '');
  await answers(h.a, vm, 'xy');
  const { status, err } = await h.a.cli('migrate', 'traveller', 'https://192.0.2.9:8002');
  assert.equal(status, 1, err);
  assert.equal((await h.settled('nobody there')).name, 'a');
  await answers(h.a, vm, 'yz');
});

for (const side of ['sender', 'receiver'] as const)
  for (const dies of ['sender', 'receiver'] as const)
    test(`the ${dies} is killed at each step of the ${side}: one guest runs`, { skip, timeout: 600_000 }, async () => {
      await using h = await twoHosts();
      const vm = await started(h);
      for (const name of steps[side]) {
        const when = `${dies} killed at ${name} of the ${side}`;
        const sender = await h.settled(`before: ${when}`);
        const receiver = sender === h.a ? h.b : h.a;
        const victim = dies === 'sender' ? sender : receiver;
        const step = (side === 'sender' ? sender : receiver).whenTold(name, () => victim.kill());
        const moved = sender.cli('migrate', 'traveller', receiver.url).catch((error: unknown) => error);
        await Promise.race([step.told, moved]);
        step.stop();
        victim.kill();
        await victim.killed();
        await victim.start();
        await moved;
        await answers(await h.settled(when), vm, 'qyz');
      }
    });

for (const side of ['sender', 'receiver'] as const)
  test(`the network is cut at each step of the ${side}: one guest runs, soon after it is whole`, {
    skip,
    timeout: 900_000,
  }, async (t) => {
    await using h = await twoHosts();
    const vm = await started(h);
    for (const name of [...steps[side], ...(side === 'receiver' ? ['a guest has come in whole'] : [])]) {
      const when = `cut at ${name} of the ${side}`;
      const sender = await h.settled(`before: ${when}`);
      const receiver = sender === h.a ? h.b : h.a;
      const step = (side === 'sender' ? sender : receiver).whenTold(name, () => h.cable(false));
      const moved = sender.cli('migrate', 'traveller', receiver.url);
      // Told of as soon as it is known that there is no network.
      const { status, err } = await moved;
      step.stop();
      const apart = [...(await h.a.powers()), ...(await h.b.powers())];
      assert.ok(apart.filter((power) => power === 'Running').length <= 1, `${when}: ${apart.join()}`);
      h.cable(true);
      const whole = Date.now();
      const where = await h.settled(when);
      t.diagnostic(
        `${when}: answered ${status} ${err.trim()}; then ${apart.join()}; on the ${where === sender ? 'sender' : 'receiver'} ${Date.now() - whole} ms after it was whole`,
      );
      await answers(where, vm, 'qyz');
    }
  });

test('progress while memory goes over; cancelled in the middle, it goes on where it was', {
  skip,
  timeout: 300_000,
}, async () => {
  await using h = await twoHosts();
  const vm = await started(h);
  h.narrow(400);
  for (const after of [0, 0.1, 0.3]) {
    const stop = new AbortController();
    const fractions: number[] = [];
    const progress = (fraction: number) => {
      fractions.push(fraction);
      if (fraction > after) stop.abort();
    };
    const ran = await h.a.watched({ interrupted: stop.signal, progress }, 'migrate', 'traveller', h.b.url);
    assert.notEqual(ran.status, 0, `after ${after}: ${ran.out}`);
    assert.ok(
      fractions.some((fraction) => fraction > after && fraction < 1),
      `${after}: ${fractions.join()}`,
    );
    assert.equal((await h.settled(`cancelled after ${after}`)).name, 'a');
    await answers(h.a, vm, 'qyz');
  }
  h.narrow(1_000_000);
  await h.a.ok('migrate', 'traveller', h.b.url);
  assert.equal((await h.settled('moved after all')).name, 'b');
});

const noLoader = diskTools.filter((name) => !findTool(name)).map((name) => `not installed: ${name}`)[0];
test('a guest whose kernel was taken out of its disk moves, and is rebooted there', {
  skip: skip || (noLoader ?? false),
  timeout: 300_000,
}, async () => {
  await using h = await twoHosts();
  const { cmdline } = JSON.parse(readFileSync(join(guest, 'manifest.json'), 'utf8')) as { cmdline: string };
  const disk = h.file('own', readFileSync(guestDisk(h.folder, `set default=0\n${menuEntry('only', cmdline)}`)));
  const vm = randomUUID();
  const text = `name='traveller'\nuuid='${vm}'\ntype='pvh'\nbootloader='pygrub'\nmemory=256\ndisk=['file:${disk},xvda,w']\n`;
  await h.a.ok('create', h.file('vm.cfg', Buffer.from(text)));
  await h.a.says(vm, (said) => said.includes('READY'));
  await h.a.ok('migrate', 'traveller', h.b.url);
  await h.b.type(vm, 'echo moved-$((40+2))\n');
  await h.b.says(vm, (said) => said.includes('moved-42'));
  await h.b.ok('reboot', 'traveller');
  await h.b.says(vm, (said) => said.includes('READY'));
});
