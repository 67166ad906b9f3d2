/**
 * Saving a guest to a file and making it from there again: Xen's own stream, behind a header of ours.
 *
 *     running ──asked──▶ suspended ──memory written──▶ (image complete) ──destroy──▶ …  created ──restore──▶ paused
 *        ▲                   │
 *        └──────resume───────┘   when anything fails, or the guest is to go on instead
 */
import { type FileHandle, open } from 'node:fs/promises';
import { bestEffort } from '../../../base/best-effort.ts';
import { type Call, ContractError } from '../../../contracts/contract.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { introduce } from './build.ts';
import type { Domain } from './domain.ts';
import { header, positionOf, readHeader, spoil } from './image.ts';
import type { DomainRecord } from './record.ts';
import { ask } from './requests.ts';
import { cpuNodes, domainPath, writeNodes } from './store-layout.ts';

const progressMs = 250;
const lookMs = 500;

/** Stops the guest and writes its state; a failure lets it go on, and makes the image unusable. Failed_to_suspend. */
export async function saveDomain(domain: Domain, image: OpenDisk, call: Call): Promise<void> {
  if (domain.record.spec.domainType === 'hvm')
    throw xenopsErrors.make('Unimplemented', { function: 'suspending an HVM guest', backend: 'xen' });
  await using file = await openImage(image, 'r+');
  try {
    await suspendGuest(domain, call);
    await writeImage(domain, file, call);
    domain.changed();
  } catch (error) {
    await bestEffort('an image that failed', domain.needs.log, () => spoil(file));
    await bestEffort('a guest that could not be saved goes on', domain.needs.log, () => goOn(domain));
    if (call.signal?.aborted) throw cancelled(domain, call);
    if (error instanceof ContractError) throw error;
    throw failed(domain, error instanceof Error ? error.message : String(error), error);
  }
}
const cancelled = (domain: Domain, call: Call) =>
  xenopsErrors.make('Cancelled', { task: call.label ?? domain.vm }, { cause: call.signal?.reason });
const failed = (domain: Domain, reason: string, cause?: unknown) =>
  xenopsErrors.make('Failed_to_suspend', { vm: domain.vm, reason }, { cause });

async function openImage(image: OpenDisk, flags: 'r' | 'r+'): Promise<FileHandle> {
  if (image.format !== 'raw')
    throw xenopsErrors.make('Io_error', { reason: `${image.path}: a suspend image must be raw, not ${image.format}` });
  return open(image.path, flags).catch((error: unknown) => {
    throw xenopsErrors.make('Io_error', { reason: String(error) }, { cause: error });
  });
}
/** Asks the guest, and waits until it has. A call that is aborted takes the request back, if the guest has not taken it yet. */
export async function suspendGuest(domain: Domain, call: Call): Promise<void> {
  const info = domain.live();
  if (info.shutdown === 'suspend') return;
  if (info.paused) throw failed(domain, 'it is paused, and only a running guest can suspend');
  const { patience } = domain.needs;
  const asked = await ask(domain, 'suspend', patience.acknowledgeMs, call.signal);
  if (!asked && (await takeBack(domain))) {
    if (call.signal?.aborted) throw cancelled(domain, call);
    throw failed(domain, `it did not take the request within ${patience.acknowledgeMs / 1000} s`);
  }
  if (!(await suspended(domain)))
    throw failed(domain, `it took the request, but did not suspend within ${patience.suspendMs / 1000} s`);
  if (call.signal?.aborted) throw cancelled(domain, call);
}
/** Whether a request to suspend was still there to be taken back; a guest that has taken it will suspend. */
export async function takeBack(domain: Domain): Promise<boolean> {
  const path = `${domainPath(domain.domid)}/control/shutdown`;
  return domain.needs.store.transaction(async (inside) => {
    if ((await inside.find(path)) !== 'suspend') return false;
    await inside.write(path, '');
    return true;
  });
}
/** Whether the guest has suspended in time. Rejects when it ended otherwise. */
export async function suspended(domain: Domain): Promise<boolean> {
  const { store, clock, patience } = domain.needs;
  const done = Promise.withResolvers<boolean>();
  const look = () => {
    const info = domain.info();
    const end = domain.endOf(info);
    if (info?.shutdown === 'suspend') done.resolve(true);
    else if (end) done.reject(failed(domain, `it ended instead: ${end.detail}`));
  };
  const unwatch = await store.watch('@releaseDomain', look);
  const late = clock.after(patience.suspendMs, () => done.resolve(false));
  let next = () => undefined as unknown;
  const again = () => {
    look();
    next = clock.after(lookMs, again);
  };
  again();
  try {
    return await done.promise;
  } finally {
    late();
    next();
    await unwatch();
  }
}
async function writeImage(domain: Domain, file: FileHandle, call: Call): Promise<void> {
  const { xen, clock } = domain.needs;
  if ((await file.stat()).isFile()) await file.truncate();
  const first = header(domain.record, 0);
  // At the file's own position, from which Xen's library goes on.
  await file.write(first, 0, first.length, null);
  const expected = domain.live().memory;
  let watching = true;
  const watchProgress = () => {
    if (!watching) return;
    void bestEffort('progress of a save', domain.needs.log, async () => {
      const at = await positionOf(file);
      if (watching) call.progress?.(Math.min(0.99, (at - first.length) / expected));
    });
    clock.after(progressMs, watchProgress);
  };
  watchProgress();
  try {
    await xen.save({ domid: domain.domid, fd: file.fd, signal: call.signal });
  } finally {
    watching = false;
  }
  const length = (await positionOf(file)) - first.length;
  await file.sync();
  const last = header(domain.record, length);
  await file.write(last, 0, last.length, 0);
  await file.sync();
}
/** A guest that suspended goes on from there. */
export async function goOn(domain: Domain): Promise<void> {
  const { xen, store, log } = domain.needs;
  if (domain.info()?.shutdown !== 'suspend') return;
  await xen.resume(domain.domid);
  // Or nobody is told when it ends.
  await bestEffort('the end of a guest is seen by looking', log, () => store.resume(domain.domid));
}

/** Makes the guest of an image in a created domain; it is paused then. Io_error. */
export async function restoreDomain(domain: Domain, image: OpenDisk): Promise<void> {
  if (domain.built) return;
  await using file = await openImage(image, 'r');
  const { record: saved } = await readHeader(file, image.path);
  checkSame(domain, saved);
  const { xen, store } = domain.needs;
  const { domid, ports, spec } = domain.record;
  try {
    const type = spec.domainType;
    const ends = { storePort: ports.store, consolePort: ports.console };
    const pages = await xen.restore({ domid, type, fd: file.fd, ...ends });
    const { vcpus, memoryTarget } = saved;
    await domain.update({ vcpus, memoryTarget });
    await store.transaction(async (inside) => {
      await writeNodes(inside, cpuNodes(domid, spec.vcpus.max, vcpus));
      await inside.write(`${domainPath(domid)}/memory/target`, String(Math.floor(memoryTarget / 1024)));
    });
    await introduce(domain, pages);
  } catch (error) {
    if (error instanceof ContractError) throw error;
    const reason = `${image.path}: the guest cannot be made from it: ${error instanceof Error ? error.message : error}`;
    throw xenopsErrors.make('Io_error', { reason }, { cause: error });
  }
}
/** A guest finds itself in the machine that it was saved in. */
function checkSame(domain: Domain, saved: DomainRecord): void {
  const { spec, drives } = domain.record;
  const refuse = (reason: string) =>
    xenopsErrors.make('Io_error', { reason: `the saved guest cannot be resumed: ${reason}` });
  const was = saved.spec;
  if (was.domainType !== spec.domainType) throw refuse(`it is ${was.domainType}, and ${spec.domainType} is wanted`);
  if (was.vcpus.max !== spec.vcpus.max)
    throw refuse(`it has up to ${was.vcpus.max} CPUs, and ${spec.vcpus.max} are wanted`);
  if (was.memory.staticMax > spec.memory.staticMax)
    throw refuse(`it has up to ${was.memory.staticMax} bytes of memory, and ${spec.memory.staticMax} are wanted`);
  for (const drive of saved.drives) {
    const there = drives.some((d) => d.device === drive.device);
    if (!there && drive.spec.type === 'Disk') throw refuse(`its drive ${drive.spec.id} is not attached`);
  }
}
