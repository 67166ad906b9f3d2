/**
 * Guests from one QEMU into another, through a unix socket of the receiver's:
 *
 *     running ──pass after pass──▶ little is left, or passes enough: stands still ──the rest──▶ sent (ends, or goes on when it was not moved)
 *     created ──launch──▶ listening ─────────────────────────────────────────────────────▶ paused
 *
 * Disks have one owner: the sender's QEMU lets go of them when all is sent, the receiver's takes them at `cont`, and the
 * sender's takes them back at its own `cont` when the guest was not moved.
 */
import { lchown, rename, rm } from 'node:fs/promises';
import { bestEffort } from '../../../base/best-effort.ts';
import { type Call, ContractError } from '../../../contracts/contract.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { checkedAbout } from './about.ts';
import { commandOf, kernelFiles, setLinks } from './build.ts';
import type { Domain } from './domain.ts';
import { firmwareFor } from './firmware.ts';
import type { Ground } from './ground.ts';
import { type DomainRecord, givenTo, guestOf } from './record.ts';
import { restoredRecord } from './restored.ts';
import { setThrottles } from './throttle.ts';
import { startTpm } from './tpm.ts';
import { cancelMigration, migrationEnd, reportProgress } from './transfer.ts';

/** Bytes per second that no host reaches: QEMU caps at 1 Gbit/s unless told otherwise. */
const uncapped = { 'max-bandwidth': 2 ** 40 };
/** A guest that writes faster than its memory is sent is stopped after so many passes. */
const mostPasses = 30;

const failed = (domain: Domain, reason: string, cause?: unknown) =>
  xenopsErrors.make('Failed_to_migrate', { vm: guestOf(domain.record), reason }, { cause });
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const capabilities = (...names: readonly string[]) => ({
  capabilities: names.map((capability) => ({ capability, state: true })),
});

/** What the domain must be like that takes the guest: its machine, and where its devices sit. */
export function describeGuest({ record }: Domain): string {
  const { process: _, ...about } = { ...record, guest: guestOf(record) };
  return JSON.stringify(about);
}
function readAbout(domain: Domain, about: string): DomainRecord {
  try {
    return checkedAbout(about);
  } catch (error) {
    throw failed(domain, `its description is not one of this version: ${wordsOf(error)}`, error);
  }
}

/** Starts the QEMU that waits for the guest, if it does not wait yet. */
export async function listenForGuest(domain: Domain, ground: Ground, about: string): Promise<void> {
  if (domain.record.process) return;
  const before = domain.record;
  const saved = readAbout(domain, about);
  const { record, late } = restoredRecord(before, saved, ground.accelerator);
  const more = [...late.drives, ...late.nics].map((d) => d.spec.id);
  if (more.length > 0) throw failed(domain, `the new domain is another machine: it has ${more.join(', ')} too`);
  // The kernel is the one that the receiver was told of, and has agreed to.
  const spec = { ...record.spec, boot: before.spec.boot };
  domain.record = { ...record, spec, startedAt: saved.startedAt, guest: guestOf(saved) };
  const { log, folders } = domain.needs;
  try {
    const firmware = await firmwareFor(domain);
    const tpm = await startTpm(domain);
    const kernel = await bestEffort('a guest that runs goes on without its kernel file', log, () =>
      kernelFiles(domain),
    );
    await domain.launch(commandOf(domain, ground, { firmware, kernel, tpm, incoming: true }));
    const { migration, stream } = folders.paths(domain.vm);
    await domain.execute('migrate-set-capabilities', capabilities('events', 'late-block-activate'));
    await domain.execute('migrate-incoming', { uri: `unix:${migration}` });
    await rename(migration, stream);
  } catch (error) {
    await bestEffort('a QEMU that could not wait', log, () => domain.abandon());
    const { process: _, ...rest } = before;
    domain.record = rest;
    throw error;
  }
}
/** Answers when the guest is there, whole and paused. */
export async function receiveGuest(domain: Domain, call: Call): Promise<void> {
  if (domain.built) return;
  using migration = migrationEnd(domain, call);
  try {
    const { status } = (await domain.execute('query-migrate')) as { status?: string };
    if (status !== 'completed') await migration.end;
    await setLinks(domain);
    await setThrottles(domain);
    await domain.settle();
  } catch (error) {
    if (error instanceof ContractError) throw error;
    const words = domain.dead.aborted ? await domain.needs.folders.lastWords(domain.vm) : '';
    throw failed(domain, [wordsOf(error), words].filter(Boolean).join('; '), error);
  }
}

/** The guest stands still afterwards; a failure lets it go on. */
export async function sendGuest(domain: Domain, address: string, live: boolean, call: Call): Promise<void> {
  const given = givenTo(domain.record);
  if (given !== undefined) throw failed(domain, given);
  const sent = (await domain.execute('query-migrate')) as { status?: string };
  // Sent already, and not taken back.
  if (sent.status === 'completed' && domain.power === 'paused') return;
  const { log, owner } = domain.needs;
  const wasRunning = domain.power === 'running';
  const stopProgress = reportProgress(domain, call);
  const stopChase = chase(domain);
  using migration = migrationEnd(domain, call);
  try {
    if (!live) await domain.execute('stop');
    const user = owner(domain.record.domid);
    if (user) await lchown(address, user.uid, user.gid);
    await domain.quietly(async () => {
      await domain.execute('migrate-set-capabilities', capabilities('events', 'auto-converge'));
      await domain.execute('migrate-set-parameters', uncapped);
      await domain.execute('migrate', { uri: `unix:${address}` });
      await migration.end;
    });
    domain.changed();
  } catch (error) {
    await bestEffort('a migration that is to end', log, () => cancelMigration(domain, undefined));
    if (wasRunning && !domain.dead.aborted)
      await bestEffort('a guest that could not be moved goes on', log, () => domain.execute('cont'));
    if (error instanceof ContractError) throw error;
    throw failed(domain, wordsOf(error), error);
  } finally {
    stopProgress();
    stopChase();
    await bestEffort('the socket of a guest that was sent', log, () => rm(address, { force: true }));
  }
}
/** Stops the guest when it outruns its own memory. */
function chase(domain: Domain): () => void {
  return domain.listen(({ event, data }) => {
    if (event !== 'MIGRATION_PASS' || data['pass'] !== mostPasses) return;
    void bestEffort('a guest that outruns its migration', domain.needs.log, () => domain.execute('stop'));
  });
}
