/** xenopsd alone on real QEMU: a VM from an xl file, through xenops-cli. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { xenopsdHost } from '../scenario/xenopsd-host.ts';
import { xenopsdLife } from '../scenario/xenopsd-life.ts';
import { tinyGuest } from './tiny-guest.ts';

const skip = existsSync('/usr/bin/qemu-system-x86_64') ? false : 'QEMU is not installed: the package qemu-system-x86';
/** A guest that starts and reacts, on a busy machine. */
const deadlineMs = 60_000;

test('the life of a VM from an xl file on QEMU', { skip }, async () => {
  await using h = await xenopsdHost('qemu');
  const open = (name: string, bytes: Buffer) => {
    const path = join(h.data, name);
    writeFileSync(path, bytes);
    chmodSync(path, 0o666); // guests run as users of their own
    return path;
  };
  const kernel = open('kernel', tinyGuest());
  const disk = open('disk.img', Buffer.alloc(1 << 20));
  const iso = open('disc.iso', Buffer.alloc(1 << 16));
  const image = open('image', Buffer.alloc(0));
  const text = `name='myfirstvm'\ntype='pvh'\nkernel='${kernel}'\nmemory=32\ndisk=['file:${disk},xvda,w',',xvdb:cdrom,r']\n`;
  await xenopsdLife(h, {
    text,
    cd: 'xvdb',
    iso,
    image,
    up: async (id) => {
      const log = join(h.data, 'domains', id, 'console.log');
      const until = Date.now() + deadlineMs;
      // A new run of the guest has a new log.
      while (!existsSync(log) || !readFileSync(log, 'latin1').includes('READY')) {
        assert.ok(Date.now() < until, `${log} does not say READY`);
        await sleep(50);
      }
    },
  });
  // A guest runs on while xenopsd is away, and is found again.
  await h.ok('create', h.file('again.cfg', text));
  const running = async () => ((await h.json('list')) as { power_state: string; domids: number[] }[])[0];
  const before = await running();
  await h.restart();
  assert.deepEqual(await running(), before);
  assert.equal(before?.power_state, 'Running');
  await h.ok('shutdown', 'myfirstvm');
  // In steps, with a toolstack that is restarted in between; then it is reset from outside.
  const { id } = ((await h.json('list')) as { id: string }[])[0] ?? { id: '' };
  await h.xenops.vm.create({ id });
  await h.restart();
  await assert.rejects(h.xenops.vm.unpause({ id }), /not built yet/);
  await h.xenops.vm.build({ id });
  const { state } = await h.xenops.vm.stat({ id });
  assert.deepEqual([state.power, Object.values(state.vbds).map((v) => v.plugged)], ['Paused', [true, true]]);
  await h.xenops.vm.unpause({ id });
  assert.equal((await running())?.power_state, 'Running');
  await h.ok('shutdown', id);
});
