/**
 * A guest's TPM: Debian's swtpm, a process beside the guest's QEMU, which ends with it. Its state belongs to the VM and outlives its
 * domains; a guest that is saved or moved has it in its stream too.
 *
 *     (no process) ──start──▶ listening ──QEMU connects──▶ in use ──QEMU ends──▶ (no process)
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { bestEffort } from '../../../base/best-effort.ts';
import type { ProcessInfo } from '../../../contracts/processes.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';
import { guestOf } from './record.ts';

const program = '/usr/bin/swtpm';
const kind = 'tpm';
/** A domain keeps its number and its guest when it is renamed. */
const tagsOf = ({ record }: Domain) => ({ kind, guest: guestOf(record), domid: String(record.domid) });
const processOf = (domain: Domain): string => `swtpm-${guestOf(domain.record)}-${domain.record.domid}`;

/** Whether a process is the TPM of none of these domains. */
export function isStrayTpm({ tags }: ProcessInfo, domains: Iterable<Domain>): boolean {
  if (tags['kind'] !== kind) return false;
  return ![...domains].some((d) => tagsOf(d).guest === tags['guest'] && tagsOf(d).domid === tags['domid']);
}

/** Starts it, when the VM has one; the answer is its control socket. Failed_to_start_emulator. */
export async function startTpm(domain: Domain): Promise<string | undefined> {
  if (!domain.record.spec.tpm) return undefined;
  const { folders, processes, owner, clock, patience } = domain.needs;
  const refuse = (reason: string, cause?: unknown) =>
    xenopsErrors.make('Failed_to_start_emulator', { vm: domain.vm, reason }, { cause });
  if (!existsSync(program)) throw refuse('a TPM needs the program swtpm; install the package "swtpm"');
  const user = owner(domain.record.domid);
  const { tpm: socket, run, tpmLog } = folders.paths(domain.vm);
  await stopTpm(domain);
  // Asked before the state is given to this domain's user.
  const guest = guestOf(domain.record);
  const others = await processes.process.list({});
  if (others.some(({ running, tags }) => running && tags['kind'] === kind && tags['guest'] === guest))
    throw refuse('its TPM is in use by another domain of this host: a VM with a TPM moves to other hosts only');
  const state = await folders.keepTpm(guest, user);
  await rm(socket, { force: true });
  const id = processOf(domain);
  await processes.process.start({
    id,
    command: [
      ...[program, 'socket', '--tpm2', '--terminate', '--tpmstate', `dir=${state},mode=0600`],
      ...['--ctrl', `type=unixio,path=${socket},mode=0600`, '--log', 'level=1'],
    ],
    cwd: run,
    log: tpmLog,
    tags: tagsOf(domain),
    ...(user ?? {}),
  });
  // Whoever connects is its only client: it is looked for, not tried.
  for (const deadline = clock.now() + patience.startMs; !existsSync(socket); await clock.sleep(5)) {
    const { running } = await processes.process.stat({ id });
    if (!running || clock.now() > deadline) {
      await stopTpm(domain);
      throw refuse(`its TPM did not start; ${tpmLog} may say why`);
    }
  }
  return socket;
}
/** Ends what is left of it, and forgets it. */
export async function stopTpm(domain: Domain): Promise<void> {
  if (!domain.record.spec.tpm) return;
  const { process } = domain.needs.processes;
  const id = processOf(domain);
  await bestEffort('the process of a TPM', domain.needs.log, async () => {
    if (!(await process.list({})).some((p) => p.id === id)) return;
    await process.stop({ id, timeoutMs: domain.needs.patience.quitMs });
    await process.forget({ id });
  });
}
