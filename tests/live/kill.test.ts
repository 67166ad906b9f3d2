/**
 * kill -9 of the toolstack's processes at random instants of a life cycle on QEMU. Afterwards every guest is either running and
 * adopted or cleanly halted, every disk passes `qemu-img check`, and nothing is left over. `KILLS` sets how often, `SEED` which.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { seededRandom } from '../../src/xenops/backends/simulator/faults.ts';
import { cannotRun, Failure, Gone, type LiveHost, liveHost, processesWith } from './host.ts';

const kills = Number(process.env['KILLS'] ?? 100);
const seed = Number(process.env['SEED'] ?? 1);
type Vm = {
  uuid: string;
  power_state: string;
  current_operations: Record<string, string>;
  is_a_template: boolean;
  is_control_domain: boolean;
};

/** What may be done next with a VM in this state. */
const next: Readonly<Record<string, readonly (readonly [string, ...unknown[]])[]>> = {
  Halted: [
    ['VM.start', false, false],
    ['VM.start', false, false],
    ['VM.start', true, false],
  ],
  Running: [['VM.pause'], ['VM.suspend'], ['VM.hard_reboot'], ['VM.hard_shutdown']],
  Paused: [['VM.unpause'], ['VM.hard_shutdown'], ['VM.hard_reboot']],
  Suspended: [['VM.resume', false, false], ['VM.resume', false, false], ['VM.hard_shutdown']],
};

test(`${kills} kills at random instants on QEMU (seed ${seed})`, { skip: cannotRun() ?? false }, async () => {
  const rnd = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rnd() * list.length)]!;
  await using h = await liveHost();
  const vms = await Promise.all(['one', 'two'].map((name) => vmWithDisk(h, name)));
  for (let i = 0; i < kills; i++) {
    let cut = false;
    const work = vms.map(async (vm) => {
      for (let n = 0; n < 3; n++) {
        const state = (await h.call('VM.get_power_state', vm)) as string;
        const [method, ...rest] = pick(next[state] ?? [['VM.get_uuid']]);
        await h.call(method, vm, ...rest).catch((error: unknown) => {
          const expected = error instanceof Gone || (cut && error instanceof Failure);
          assert.ok(expected, `${method} failed ${cut ? 'after' : 'before'} the kill: ${error}`);
          throw error;
        });
      }
    });
    const settled = Promise.allSettled(work);
    await new Promise((resolve) => setTimeout(resolve, rnd() * 400));
    cut = true;
    const killed = killToolstack(h, rnd);
    for (const done of await settled) {
      const fine = done.status === 'fulfilled' || done.reason instanceof Gone || done.reason instanceof Failure;
      assert.ok(fine, done.status === 'rejected' ? String(done.reason) : '');
    }
    await h.back();
    await eventually(() => assertWorld(h, `after kill ${i} (${killed})`));
  }
});

async function vmWithDisk(h: LiveHost, name: string): Promise<string> {
  const [template] = (await h.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await h.call('VM.clone', template, name)) as string;
  await h.call('VM.provision', vm);
  const [pool] = (await h.call('pool.get_all')) as string[];
  const SR = await h.call('pool.get_default_SR', pool);
  const VDI = await h.call('VDI.create', {
    name_label: name,
    name_description: '',
    SR,
    virtual_size: 64 << 20,
    type: 'user',
    sharable: false,
    read_only: false,
    other_config: {},
  });
  await h.call('VBD.create', {
    VM: vm,
    VDI,
    userdevice: '0',
    bootable: false,
    mode: 'RW',
    type: 'Disk',
    empty: false,
    other_config: {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  });
  return vm;
}

/** The house, or the supervisor, or both at once. Not the guests. */
function killToolstack(h: LiveHost, rnd: () => number): string {
  const killed: string[] = [];
  const dice = rnd();
  for (const [pid, line] of processesWith(h.data)) {
    const house = line.includes('/apps/house.ts');
    const supervisor = /\/(apps\/supervisor\.ts|dist\/forkexecd\.mjs) /.test(line);
    if (!((house && dice < 0.8) || (supervisor && dice > 0.6))) continue;
    process.kill(pid, 'SIGKILL');
    killed.push(house ? 'house' : 'supervisor');
  }
  return killed.join(' and ');
}

/** An interrupted reboot is carried through after the return: the world is judged once it has come to rest. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline || error instanceof Gone) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function assertWorld(h: LiveHost, when: string): Promise<void> {
  const all = Object.values((await h.call('VM.get_all_records')) as Record<string, Vm>).filter(
    (v) => !v.is_a_template && !v.is_control_domain,
  );
  const guests = processesWith('qemu-system');
  for (const vm of all) {
    const running = [...guests].filter(([, line]) => line.includes(h.data) && line.includes(vm.uuid)).length;
    const expected = vm.power_state === 'Running' || vm.power_state === 'Paused' ? 1 : 0;
    assert.equal(running, expected, `${when}: ${vm.uuid} is ${vm.power_state} and has ${running} processes`);
    assert.deepEqual(vm.current_operations, {}, `${when}: no operation is left over`);
  }
  const known = new Set(all.map((v) => v.uuid));
  for (const [, line] of guests) {
    if (!line.includes(h.data)) continue;
    assert.ok(
      [...known].some((uuid) => line.includes(uuid)),
      `${when}: a stray guest: ${line}`,
    );
  }
  const domains = join(h.data, 'domains');
  const folders = existsSync(domains) ? readdirSync(domains).filter((name) => /^[0-9a-f-]{36}$/.test(name)) : [];
  const live = all.filter((v) => v.power_state === 'Running' || v.power_state === 'Paused').map((v) => v.uuid);
  assert.deepEqual(folders.sort(), live.sort(), `${when}: folders of domains`);
  checkDisks(h, when);
  const tasks = Object.values((await h.call('task.get_all_records')) as Record<string, { status: string }>);
  assert.deepEqual(
    tasks.filter((t) => t.status === 'pending'),
    [],
    `${when}: no task is pending`,
  );
}

/** Every qcow2 file below the data folder is whole. A guest may have it open: then only its lock is ignored. */
function checkDisks(h: LiveHost, when: string): void {
  for (const entry of readdirSync(h.data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.qcow2')) continue;
    const path = join(entry.parentPath, entry.name);
    try {
      execFileSync('qemu-img', ['check', '-U', '-q', path], { stdio: 'pipe' });
    } catch (error) {
      assert.fail(`${when}: qemu-img check ${path}: ${(error as { stderr?: Buffer }).stderr}`);
    }
  }
}
