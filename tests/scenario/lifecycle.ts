/** The life of a VM as a user drives it; run by every client on every ground. */
import assert from 'node:assert/strict';
import type { Driver } from './drivers.ts';

export interface Ground {
  readonly template: string;
  /** The guest answers to a request to shut down or reboot. */
  readonly answers: boolean;
  readonly suspend: boolean;
  /** Answers when the guest of a VM that was started is up. */
  up?(uuid: string): Promise<void>;
}

export async function lifecycle(d: Driver, ground: Ground): Promise<void> {
  const uuid = await d.install(ground.template, `life by ${d.name}`);
  assert.ok((await d.names()).includes(`life by ${d.name}`));
  assert.equal(await d.state(uuid), 'halted');
  assert.equal(await d.refusal(uuid, 'pause'), 'VM_BAD_POWER_STATE');
  await d.addDisk(uuid, 64 * 1024 * 1024);
  await d.addNetwork(uuid);

  await d.power(uuid, 'start');
  assert.equal(await d.state(uuid), 'running');
  await ground.up?.(uuid);
  assert.equal(await d.refusal(uuid, 'start'), 'VM_BAD_POWER_STATE');
  await d.power(uuid, 'pause');
  assert.equal(await d.state(uuid), 'paused');
  await d.power(uuid, 'unpause');
  assert.equal(await d.state(uuid), 'running');
  if (ground.suspend) {
    await d.power(uuid, 'suspend');
    assert.equal(await d.state(uuid), 'suspended');
    await d.power(uuid, 'resume');
    assert.equal(await d.state(uuid), 'running');
  }
  await d.power(uuid, 'hard_reboot');
  assert.equal(await d.state(uuid), 'running');
  await ground.up?.(uuid);
  if (ground.answers) {
    await d.power(uuid, 'clean_reboot');
    assert.equal(await d.state(uuid), 'running');
    await ground.up?.(uuid);
  }
  await d.power(uuid, ground.answers ? 'clean_shutdown' : 'hard_shutdown');
  assert.equal(await d.state(uuid), 'halted');
  await d.power(uuid, 'start');
  await d.power(uuid, 'hard_shutdown');
  assert.equal(await d.state(uuid), 'halted');

  const alerts = new Set(await d.alerts(uuid));
  const told = [
    'STARTED',
    'PAUSED',
    'UNPAUSED',
    'REBOOTED',
    'SHUTDOWN',
    ...(ground.suspend ? ['SUSPENDED', 'RESUMED'] : []),
  ];
  assert.deepEqual([...alerts].sort(), told.map((name) => `VM_${name}`).sort());
  await d.uninstall(uuid);
  assert.ok(!(await d.names()).includes(`life by ${d.name}`));
}
