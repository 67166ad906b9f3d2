/** Life of VMs: start, resume, shutdown, reboot, reset, migrate. */
import { nullRef } from '../../../datamodel/dsl.ts';
import { XeError } from '../arguments.ts';
import type { Item } from '../cells.ts';
import { oneByUuidOrName, select } from '../select.ts';
import type { Verb } from '../verbs.ts';
import type { Work } from '../work.ts';

/** The VMs that the selectors pick, and the same thing done to all of them at once. */
async function onVms(work: Work, own: readonly string[], act: (vm: Item) => Promise<unknown>): Promise<void> {
  const vms = await select(work.reader, 'VM', work.request, own);
  const done = await Promise.allSettled(vms.map(act));
  const failed = done.find((d) => d.status === 'rejected');
  if (failed) throw failed.reason;
}

const startOr =
  (plain: 'VM.start' | 'VM.resume', on: 'VM.start_on' | 'VM.resume_on'): Verb =>
  async (work, command) => {
    const { params, force } = work.request;
    const where = params.get('on');
    const host = where === undefined ? undefined : await oneByUuidOrName(work.reader, 'host', where);
    const start_paused = params.flag('paused');
    await onVms(work, [...command.optional], ({ ref: vm }) =>
      host === undefined
        ? work.run(plain, { vm, start_paused, force })
        : work.run(on, { vm, host, start_paused, force }),
    );
  };

const cleanOrHard =
  (clean: string, hard: string): Verb =>
  async (work, command) => {
    const method = work.request.force ? hard : clean;
    await onVms(work, [...command.optional], ({ ref: vm }) => work.run(method, { vm }));
  };

const resetPowerState: Verb = async (work, command) => {
  if (!work.request.force)
    throw new XeError(
      'This records the VM as halted without stopping anything; if it still runs somewhere, its disks will be damaged when it is started again. Add --force when you are sure that it does not run',
    );
  await onVms(work, [...command.optional], ({ ref: vm }) => work.run('VM.power_state_reset', { vm }));
};

const resetSnapshot: Verb = async (work) => {
  const { params, force } = work.request;
  if (!force) throw new XeError('Add --force to record the snapshot as halted');
  const uuid = params.get('snapshot-uuid') ?? params.need('uuid');
  const vm = await work.client.VM.get_by_uuid({ uuid });
  await work.run('VM.power_state_reset', { vm });
};

const migrate: Verb = async (work, command) => {
  const { params } = work.request;
  if (params.has('remote-master'))
    throw new XeError('Migration to another pool is not available in this version', [['parameter', 'remote-master']]);
  const where = params.get('host-uuid') ?? params.need('host');
  const host = await oneByUuidOrName(work.reader, 'host', where);
  const given = ['live', 'force', 'compress'].flatMap((n) => (params.has(n) ? [[n, String(params.flag(n))]] : []));
  const options = Object.fromEntries(given) as Record<string, string>;
  if (host === nullRef) throw new XeError('Name the host to migrate to with host=');
  await onVms(work, [...command.optional], ({ ref: vm }) => work.run('VM.pool_migrate', { vm, host, options }));
};

export const vmPower: Readonly<Record<string, Verb>> = {
  'vm-start': startOr('VM.start', 'VM.start_on'),
  'vm-resume': startOr('VM.resume', 'VM.resume_on'),
  'vm-shutdown': cleanOrHard('VM.clean_shutdown', 'VM.hard_shutdown'),
  'vm-reboot': cleanOrHard('VM.clean_reboot', 'VM.hard_reboot'),
  'vm-reset-powerstate': resetPowerState,
  'snapshot-reset-powerstate': resetSnapshot,
  'vm-migrate': migrate,
};
