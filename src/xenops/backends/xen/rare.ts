/** What a guest's machine, or the agent in it, is asked for beside its life. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Call } from '../../../contracts/contract.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { awaitNode } from './await-node.ts';
import { pagingMib } from './create.ts';
import type { Domain } from './domain.ts';
import { domainPath } from './store-layout.ts';

/** HVM_PARAM_ACPI_S_STATE: 3 while the guest sleeps. */
const sleepState = 14;
const sleepButton = 4;

/** Presses the sleep button of a machine with ACPI. Failed_to_suspend. */
export async function sleepGuest(domain: Domain, call: Call): Promise<void> {
  const { xen, clock, patience } = domain.needs;
  onlyHvm(domain, 'sleep');
  xen.domains.sendTrigger(domain.domid, sleepButton);
  for (
    let left = patience.sleepMs;
    xen.domains.getParameter(domain.domid, sleepState) !== 3n;
    left -= patience.lookMs
  ) {
    if (left <= 0) {
      const timeoutS = patience.sleepMs / 1000;
      const reason = `it did not go to sleep within ${timeoutS} s after its sleep button was pressed`;
      throw xenopsErrors.make('Failed_to_suspend', { vm: domain.vm, reason, timeoutS });
    }
    await clock.sleep(patience.lookMs, call.signal);
    domain.live();
  }
}
export async function wakeGuest(domain: Domain): Promise<void> {
  onlyHvm(domain, 'waking up');
  domain.live();
  const { domains } = domain.needs.xen;
  if (domains.getParameter(domain.domid, sleepState) !== 0n) domains.setParameter(domain.domid, sleepState, 0);
}
/** Page tables of a guest with hardware virtualisation; a PV guest has none that could be changed. */
export async function setShadow(domain: Domain, multiplier: number): Promise<void> {
  const { spec } = domain.record;
  if (spec.domainType === 'pv')
    throw xenopsErrors.make('Unimplemented', { function: 'shadow page tables of a PV guest', backend: 'xen' });
  domain.live();
  domain.needs.xen.domains.setPagingMemory(domain.domid, pagingMib({ ...spec, shadowMultiplier: multiplier }));
}
export async function endGuest(domain: Domain, how: 'poweroff' | 'reboot'): Promise<void> {
  domain.live();
  domain.needs.xen.domains.stop(domain.domid, how);
}
/** The agent that listens there says in `data/ts` what came of it. */
export async function requestRdp(domain: Domain, enabled: boolean): Promise<void> {
  domain.live();
  await domain.needs.store.write(`${domainPath(domain.domid)}/control/ts`, enabled ? '1' : '0');
}

const finished = ['SUCCESS', 'TRUNCATED', 'FAILURE'];
/**
 * A batch file for the agent of a Windows guest, through the store. Failed_to_run_script.
 *
 *     READY ──(agent)──▶ IN PROGRESS ──▶ SUCCESS │ TRUNCATED │ FAILURE
 */
export async function runScript(domain: Domain, script: string, call: Call) {
  const { store, patience, log } = domain.needs;
  const failed = (reason: string) => xenopsErrors.make('Failed_to_run_script', { vm: domain.vm, reason });
  domain.live();
  const control = `${domainPath(domain.domid)}/control`;
  const path = `${control}/batcmd`;
  if ((await store.find(`${control}/feature-xs-batcmd`)) === undefined)
    throw failed('its guest has no agent that runs scripts, or has not booted yet');
  if ((await store.find(`${path}/state`)) === 'IN PROGRESS') throw failed('an earlier script still runs');
  await store.rm(path);
  await store.transaction(async (inside) => {
    await inside.write(`${path}/script`, script);
    await inside.write(`${path}/state`, 'READY');
  });
  const over = (value: string | undefined) => value === undefined || finished.includes(value);
  try {
    const { value, fits } = await awaitNode(domain.needs, `${path}/state`, over, patience.scriptMs, call.signal);
    if (!fits || value === undefined) throw failed(`it did not end within ${patience.scriptMs / 1000} s`);
    if (value !== 'SUCCESS') throw failed(`the agent says ${value}`);
    const text = async (key: string) => (await store.find(`${path}/${key}`)) ?? '';
    return { status: Number(await text('return')) || 0, out: await text('stdout'), err: await text('stderr') };
  } finally {
    await bestEffort('the next script begins with that', log, () => store.rm(path));
  }
}

function onlyHvm({ record }: Domain, what: string): void {
  if (record.spec.domainType === 'hvm') return;
  const kind = record.spec.domainType.toUpperCase();
  throw xenopsErrors.make('Unimplemented', {
    function: `${what} of a ${kind} guest, which has no ACPI`,
    backend: 'xen',
  });
}
