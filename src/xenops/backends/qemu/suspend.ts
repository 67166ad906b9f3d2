/**
 * Saving a guest to a file and starting it from there again: QEMU's migration, through a unix socket that is ours, to and
 * from the file as a stream.
 */
import { chown, type FileHandle, open, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { bestEffort } from '../../../base/best-effort.ts';
import { type Call, ContractError } from '../../../contracts/contract.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { commandOf, kernelFiles, setLinks } from './build.ts';
import { receive, type Sum, send } from './bytes.ts';
import type { Domain } from './domain.ts';
import { firmwareFor } from './firmware.ts';
import type { Ground } from './ground.ts';
import { type ImageHeader, readHeader, spoil, writeHeader } from './image.ts';
import { attachDrive, attachNic } from './plug.ts';
import { type DomainRecord, givenTo } from './record.ts';
import { restoredRecord } from './restored.ts';
import { setThrottles } from './throttle.ts';
import { startTpm } from './tpm.ts';
import { cancelMigration, migrationEnd, reportProgress } from './transfer.ts';

/** QEMU caps migration at 1 Gbit/s unless told otherwise; this is no cap. */
const unlimited = { 'max-bandwidth': 1 << 30, 'downtime-limit': 2_000_000 };

function checkImage(image: OpenDisk): void {
  if (image.format !== 'raw')
    throw xenopsErrors.make('Io_error', { reason: `${image.path}: a suspend image must be raw, not ${image.format}` });
}
async function prepare(domain: Domain): Promise<void> {
  await domain.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
}

/** Stops the guest and writes its state; a failure leaves it as it was, and the image unusable. */
export async function saveDomain(domain: Domain, image: OpenDisk, call: Call): Promise<void> {
  const given = givenTo(domain.record);
  if (given !== undefined) throw xenopsErrors.make('Failed_to_suspend', { vm: domain.vm, reason: given });
  checkImage(image);
  const wasRunning = domain.power === 'running';
  await using file = await openImage(image, 'r+');
  try {
    await domain.quietly(async () => {
      await domain.execute('stop');
      const start = await writeHeader(file, domain.record);
      const sum = await receiveState(domain, file, start, call);
      await file.sync();
      await writeHeader(file, domain.record, sum);
      await file.sync();
    });
  } catch (error) {
    await bestEffort('an image that failed', domain.needs.log, () => spoil(file));
    if (wasRunning && !domain.dead.aborted)
      await bestEffort('a guest that could not be saved goes on', domain.needs.log, () => domain.execute('cont'));
    if (error instanceof ContractError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw xenopsErrors.make('Failed_to_suspend', { vm: domain.vm, reason }, { cause: error });
  }
}
async function openImage(image: OpenDisk, flags: 'r' | 'r+'): Promise<FileHandle> {
  return open(image.path, flags).catch((error: unknown) => {
    throw xenopsErrors.make('Io_error', { reason: String(error) }, { cause: error });
  });
}
/** Lets QEMU write its state into `file` from `start`. Answers what came. */
async function receiveState(domain: Domain, file: FileHandle, start: number, call: Call): Promise<Sum> {
  const path = domain.needs.folders.paths(domain.vm).migration;
  const owner = domain.needs.owner(domain.record.domid);
  await rm(path, { force: true });
  const server = createServer();
  const arrived = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  using migration = migrationEnd(domain, call);
  const stopProgress = reportProgress(domain, call);
  let socket: Socket | undefined;
  try {
    if (owner) await chown(path, owner.uid, owner.gid);
    await prepare(domain);
    await domain.execute('migrate-set-parameters', unlimited);
    await domain.execute('migrate', { uri: `unix:${path}` });
    socket = await Promise.race([arrived, migration.end.then(() => arrived)]);
    const received = receive(socket, file, start);
    received.catch(() => undefined); // its failure is seen below, or its socket was taken away on purpose
    await Promise.race([migration.end, received.then(() => migration.end)]);
    return await received;
  } catch (error) {
    await bestEffort('a migration that is to end', domain.needs.log, () => cancelMigration(domain, socket));
    throw error;
  } finally {
    stopProgress();
    server.close();
    await bestEffort('the socket of a migration', domain.needs.log, () => rm(path, { force: true }));
  }
}
/** Starts a QEMU from an image, paused. A failure leaves the domain created and not built. */
export async function restoreDomain(domain: Domain, ground: Ground, image: OpenDisk, call: Call): Promise<void> {
  if (domain.built) return;
  checkImage(image);
  await using file = await openImage(image, 'r');
  const header = await readHeader(file, image.path);
  const { record: saved } = header;
  const before = domain.record;
  const { log } = domain.needs;
  const { record, late } = restoredRecord(before, saved, ground.accelerator);
  domain.record = record;
  try {
    const firmware = await firmwareFor(domain);
    const tpm = await startTpm(domain);
    const kernel = await bestEffort(
      'a guest that is further than its firmware goes on without its kernel file',
      log,
      () => kernelFiles(domain),
    );
    await domain.launch(commandOf(domain, ground, { firmware, kernel, tpm, incoming: true }));
    await sendState(domain, file, header, call);
    await setLinks(domain);
    await setThrottles(domain);
    await domain.settle();
    for (const drive of late.drives) await attachDrive(domain, drive);
    for (const nic of late.nics) await attachNic(domain, nic);
  } catch (error) {
    await giveUp(domain, before);
    if (error instanceof ContractError) throw error;
    const words = await domain.needs.folders.lastWords(domain.vm);
    const reason = `${image.path} could not be resumed: ${error instanceof Error ? error.message : String(error)}; ${words}`;
    throw xenopsErrors.make('Io_error', { reason }, { cause: error });
  }
}
async function giveUp(domain: Domain, before: DomainRecord): Promise<void> {
  await bestEffort('a QEMU that could not be resumed', domain.needs.log, () => domain.abandon());
  await domain.update({ ...before, process: undefined } as Partial<DomainRecord>);
}
async function sendState(
  domain: Domain,
  file: FileHandle,
  { start, length, crc }: ImageHeader,
  call: Call,
): Promise<void> {
  const path = domain.needs.folders.paths(domain.vm).migration;
  using migration = migrationEnd(domain, call);
  await prepare(domain);
  await domain.execute('migrate-incoming', { uri: `unix:${path}` });
  const socket = connect(path);
  socket.on('error', () => socket.destroy()); // whether that was all is for QEMU's own word to say
  let over = false;
  const sent = (bytes: number) => {
    if (over) throw new Error('nobody takes it any more');
    call.progress?.(bytes / length);
  };
  try {
    const [found] = await Promise.all([send(file, start, length, socket, sent), migration.end]);
    if (crc !== undefined && found !== crc) throw new Error('its memory is damaged');
  } finally {
    over = true;
    socket.destroy();
    await bestEffort('the socket of a migration', domain.needs.log, () => rm(path, { force: true }));
  }
}
