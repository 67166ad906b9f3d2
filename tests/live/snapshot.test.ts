/** A running guest's disks on real QEMU: of one moment, again and again, while it writes to both. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { Ref } from '../../src/datamodel/dsl.ts';
import { jsonDriver } from '../scenario/drivers.ts';
import { type TestHouse, testHouse } from '../scenario/house.ts';
import { newestFile } from '../scenario/snapshot-bed.ts';
import { agentGuest, cannotHaveAgent, startAgent } from './agent-guest.ts';
import { domainOf, eventually, inGuest } from './guest-shell.ts';
import { cannotRun, consoleSays } from './host.ts';
import { image, type } from './linux-bed.ts';

/** Counts, on the first disk and then on the second: at any moment they are equal, or the first is one ahead. */
const count = (to: string) =>
  `i=0; (while [ ! -e /tmp/${to} ]; do i=$((i+1)); for d in a b; do printf '%-511s\\n' $i | dd of=/dev/vd$d bs=512 conv=fsync 2> /dev/null; done; done; echo $i > /tmp/last; echo; echo 'was'${to}) &`;

interface Disks {
  readonly a: string;
  readonly b: string;
}
function diskAt(h: TestHouse, vm: string, userdevice: string): string {
  const { db } = h.house;
  const vbds = db.get('VM', vm as Ref<'VM'>).VBDs.map((ref) => db.get('VBD', ref));
  return vbds.find((vbd) => vbd.userdevice === userdevice)?.VDI ?? assert.fail(`no drive ${userdevice}`);
}
const drives = (h: TestHouse, vm: string): Disks => ({ a: diskAt(h, vm, '0'), b: diskAt(h, vm, '1') });
function fileOf(h: TestHouse, vdi: string): string {
  const { uuid, SR } = h.house.db.get('VDI', vdi as Ref<'VDI'>);
  const [pbd] = h.house.db.get('SR', SR).PBDs;
  const { location = '' } = h.house.db.get('PBD', pbd ?? assert.fail()).device_config;
  return join(location, newestFile(readdirSync(location), uuid));
}
/** What the guest's counters were on the disks, as another reads them. */
function countersOf(h: TestHouse, disks: Disks): readonly [number, number] {
  const read = (vdi: string) => {
    const path = fileOf(h, vdi);
    execFileSync('qemu-img', ['check', '-q', '-U', path]);
    const dump = execFileSync('qemu-io', ['-r', '-U', '-c', 'read -v 0 16', path], { encoding: 'utf8' });
    const bytes = /^00000000: +((?:[0-9a-f]{2} ){16})/m.exec(dump)?.[1] ?? assert.fail(dump);
    const text = Buffer.from(bytes.replaceAll(' ', ''), 'hex').toString('latin1').replaceAll('\0', '');
    return Number(text.trim() || 0);
  };
  return [read(disks.a), read(disks.b)];
}
function assertOneMoment([a, b]: readonly [number, number]): void {
  assert.ok(a === b || a === b + 1, `the disks hold ${a} and ${b}`);
}

test('disks of a guest that writes are snapshotted at one moment', { skip: cannotRun() ?? false }, async () => {
  await using h = await testHouse({ hypervisor: 'qemu', guest: image() });
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'writes');
  for (const _ of [0, 1]) await d.addDisk(uuid, 8 << 20);
  await d.power(uuid, 'start');
  await consoleSays(join(h.data, 'domains', uuid, 'console.log'), 'READY');
  const vm = h.house.db.byUuid('VM', uuid);
  const root = (method: string, ...params: unknown[]) => h.house.root(method, ...params) as Promise<string>;
  await type(h, uuid, `${count('stop')} echo 'was'BUSY`, 'wasBUSY');
  const taken: { readonly ref: string; readonly then: readonly [number, number] }[] = [];
  const take = async (when: string) => {
    const before = taken.at(-1)?.then[0] ?? 0;
    const ref = await root('VM.snapshot', vm, when);
    const then = countersOf(h, drives(h, ref));
    assertOneMoment(then);
    assert.ok(then[0] > before, `${when}: ${then[0]} is not after ${before}`);
    taken.push({ ref, then });
    // The guest goes on.
    const read = 'head -c 8 /dev/vda';
    await type(
      h,
      uuid,
      `c=$(${read}); while [ $c = $(${read}) ]; do :; done; echo 'was'ON${taken.length}`,
      `wasON${taken.length}`,
    );
  };
  for (const when of ['first', 'second', 'third']) await take(when);
  await h.restart();
  await take('by another toolstack');
  await h.house.xenops.vm.migrate({ id: uuid, to: null, live: true });
  await take('in another QEMU');
  const checkpoint = await root('VM.checkpoint', vm, 'with memory');
  assertOneMoment(countersOf(h, drives(h, checkpoint)));
  await take('resumed');

  await type(h, uuid, "touch /tmp/stop; echo 'was'ASKED", 'wasstop');
  const vbd = h.house.db.get('VM', vm).VBDs.find((ref) => h.house.db.get('VBD', ref).userdevice === '1');
  await root('VBD.unplug', vbd);
  await root('VBD.plug', vbd);
  await type(
    h,
    uuid,
    'until [ "$(head -c 1 /dev/vdb 2> /dev/null)" ]; do :; done; echo same-$(($(head -c 8 /dev/vdb) - $(cat /tmp/last)))',
    'same-0',
  );
  await root('VM.clean_shutdown', vm);
  const [a, b] = countersOf(h, drives(h, vm));
  assert.equal(a, b);
  assert.ok(a > (taken.at(-1)?.then[0] ?? 0));
  for (const { ref, then } of taken) assert.deepEqual(countersOf(h, drives(h, ref)), then);
  const first = taken[0] ?? assert.fail();
  await root('VM.revert', first.ref);
  assert.deepEqual(countersOf(h, drives(h, vm)), first.then);
  await root('VM.start', vm, false, false);
  await consoleSays(join(h.data, 'domains', uuid, 'console.log'), 'READY');
  await type(
    h,
    uuid,
    'echo back-$(($(head -c 8 /dev/vda) + 0))-$(($(head -c 8 /dev/vdb) + 0))',
    `back-${first.then.join('-')}`,
  );
  await root('VM.hard_shutdown', vm);
});

const agent = { skip: cannotHaveAgent() ?? false, timeout: 300_000 };
test('what a guest with an agent has not written out yet is in its snapshot', agent, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-quiesce-'));
  try {
    await using h = await testHouse({ hypervisor: 'qemu', guest: agentGuest(join(folder, 'ramdisk')) });
    const { db, root } = h.house;
    const d = await jsonDriver(h);
    const uuid = await d.install('Tiny Linux', 'stands still');
    await d.addDisk(uuid, 16 << 20);
    const vm = db.byUuid('VM', uuid);
    const raw = join(folder, 'raw');
    execFileSync('mke2fs', ['-q', '-t', 'ext4', raw, '16M']);
    execFileSync('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'qcow2', raw, fileOf(h, diskAt(h, vm, '0'))]);
    await d.power(uuid, 'start');
    const at = domainOf(h.data, uuid);
    await consoleSays(join(at, 'console.log'), 'READY');
    await inGuest(at, `killall acpid; modprobe -q ext4; mkdir -p /mnt; mount -t ext4 /dev/vda /mnt; ${startAgent}`);
    const metrics = () => db.find('VM_guest_metrics', db.get('VM', vm).guest_metrics);
    await eventually('the agent is heard', () => metrics()?.other['feature-freeze'] === '1');
    await inGuest(at, 'echo precious > /mnt/kept');
    const snapshot = (await root('VM.snapshot', vm, 'still')) as Ref<'VM'>;
    assert.equal(db.get('VM', snapshot).snapshot_info['disk-snapshot-type'], 'quiesced');
    execFileSync('qemu-img', ['convert', '-U', '-O', 'raw', fileOf(h, diskAt(h, snapshot, '0')), raw]);
    assert.equal(execFileSync('debugfs', ['-R', 'cat kept', raw], { encoding: 'utf8' }), 'precious\n');
    // They go on.
    assert.equal(await inGuest(at, 'echo more >> /mnt/kept; sync; wc -l < /mnt/kept'), '2');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
