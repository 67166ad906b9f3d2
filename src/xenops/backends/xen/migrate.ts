/**
 * Guests from one domain into another through a named pipe: a line about the guest, then Xen's own stream.
 *
 *     running ──memory, round after round──▶ asked to suspend ──the rest──▶ suspended ──▶ (ends, or goes on when it was not moved)
 *     created ◀────────────────────────────── pipe ─────────────────────────┘ └──▶ paused
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bestEffort } from '../../../base/best-effort.ts';
import { type Call, ContractError } from '../../../contracts/contract.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Round } from '../../../xen/migration.ts';
import { introduce } from './build.ts';
import type { Domain } from './domain.ts';
import { weights } from './priority.ts';
import type { DomainRecord } from './record.ts';
import { cpuNodes, domainPath, writeNodes } from './store-layout.ts';
import { goOn, suspended, suspendGuest, takeBack } from './suspend.ts';

const run = promisify(execFile);
/** Pages that are few enough to send while the guest stands still: 8 MiB. */
const fewPages = 2048;
/** A guest that writes faster than its memory is sent is stopped after so many rounds. */
const mostRounds = 8;

/** What is said of a guest before its memory. */
type About = Pick<DomainRecord, 'vcpus' | 'memoryTarget' | 'startedAt' | 'discs'> & {
  readonly domainType: string;
  readonly vcpusMax: number;
  readonly memoryMax: number;
  readonly devices: readonly number[];
};
const failed = (domain: Domain, reason: string, cause?: unknown) =>
  xenopsErrors.make('Failed_to_migrate', { vm: domain.vm, reason }, { cause });
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The pipes of this process. */
export class Streams {
  /** Both ends of each, open so that neither opening nor reading waits for somebody who never comes. */
  readonly #held = new Map<string, FileHandle>();
  /** One guest at a time: each needs a thread for either end, and there are few. */
  #last: Promise<unknown> = Promise.resolve();

  async listen(domain: Domain): Promise<string> {
    const path = join(domain.needs.folders.paths(domain.vm).folder, 'stream');
    if (this.#held.has(domain.vm)) return path;
    await run('/usr/bin/mkfifo', ['--mode=600', path]);
    this.#held.set(domain.vm, await open(path, 'r+'));
    return path;
  }
  /** Whoever reads or writes hears that nobody comes any more. */
  async end({ vm }: Domain): Promise<void> {
    const held = this.#held.get(vm);
    this.#held.delete(vm);
    await held?.close();
  }
  async receive(domain: Domain, address: string, call: Call): Promise<void> {
    if (domain.built) return;
    const stop = () => void bestEffort('the end of a stream', domain.needs.log, () => this.end(domain));
    call.signal?.throwIfAborted();
    call.signal?.addEventListener('abort', stop, { once: true });
    try {
      // Blocking reads, as Xen's library wants them; it does not wait for a writer, as one is held.
      await using file = await open(address, constants.O_RDONLY);
      await restore(domain, file);
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof ContractError) throw error;
      throw failed(domain, wordsOf(error), error);
    } finally {
      call.signal?.removeEventListener('abort', stop);
      await this.end(domain);
    }
  }
  send(domain: Domain, address: string, live: boolean, call: Call): Promise<void> {
    const sent = this.#last.then(() => send(domain, address, live, call));
    this.#last = sent.catch(() => undefined);
    return sent;
  }
}

async function send(domain: Domain, address: string, live: boolean, call: Call): Promise<void> {
  const { spec, drives } = domain.record;
  const unable = (what: string) => xenopsErrors.make('Unimplemented', { function: what, backend: 'xen' });
  if (spec.domainType === 'hvm') throw unable('moving an HVM guest');
  if (drives.some((d) => d.kind === 'qdisk')) throw unable('moving a guest with disks that QEMU serves (qcow2)');
  call.signal?.throwIfAborted();
  try {
    await using file = await open(address, constants.O_WRONLY);
    await file.write(aboutOf(domain.record));
    // PV guests need shadow page tables for it, which Debian's hypervisor is built without.
    if (live && spec.domainType === 'pvh') await sendLive(domain, file, call);
    else {
      await suspendGuest(domain, call);
      await domain.needs.xen.save({ domid: domain.domid, fd: file.fd, signal: call.signal });
    }
    domain.changed();
  } catch (error) {
    await bestEffort('a guest that could not be moved goes on', domain.needs.log, () => goOn(domain));
    call.signal?.throwIfAborted();
    if (error instanceof ContractError) throw error;
    throw failed(domain, wordsOf(error), error);
  }
}
async function sendLive(domain: Domain, file: FileHandle, call: Call): Promise<void> {
  const { xen, store, clock, patience, log } = domain.needs;
  const control = `${domainPath(domain.domid)}/control/shutdown`;
  const memory = domain.live().memory;
  const share = xen.domains.schedule(domain.domid);
  let askedAt: number | undefined;
  const ask = () => {
    askedAt = clock.now();
    // On a busy processor it would wait for its turn behind the sending, which goes on until it has suspended.
    void bestEffort('the guest suspends with the share that it has', log, () =>
      xen.domains.setSchedule(domain.domid, Math.max(share.weight, weights.control), share.cap),
    );
    void bestEffort('the guest is waited for in vain, and the moving given up', log, () =>
      store.write(control, 'suspend'),
    );
  };
  const decide = ({ iteration, sent, dirty }: Round): 'continue' | 'stop' | 'abort' => {
    call.progress?.(Math.min(0.9, sent / memory));
    if (call.signal?.aborted) return 'abort';
    const info = domain.info();
    if (info?.shutdown === 'suspend') return 'stop';
    if (!info || domain.endOf(info)) return 'abort';
    const converged = iteration > 0 && dirty >= 0 && dirty < fewPages;
    if (askedAt === undefined && (converged || iteration >= mostRounds)) ask();
    const late = askedAt !== undefined && clock.now() - askedAt > patience.suspendMs;
    return late ? 'abort' : 'continue';
  };
  try {
    await xen.save({ domid: domain.domid, fd: file.fd, live: decide });
  } catch (error) {
    await bestEffort('a guest that was not moved has a larger share', log, () =>
      xen.domains.setSchedule(domain.domid, share.weight, share.cap),
    );
    // A guest that has taken the request will suspend: it is waited for, so that it can be told to go on.
    if (askedAt !== undefined)
      await bestEffort('a guest that suspends late is found paused', log, async () => {
        if (!(await takeBack(domain))) await suspended(domain);
      });
    throw error;
  }
}

async function restore(domain: Domain, file: FileHandle): Promise<void> {
  const about = await readAbout(file);
  checkSame(domain, about);
  const { xen, store } = domain.needs;
  const { domid, ports, spec } = domain.record;
  const type = spec.domainType;
  const pages = await xen.restore({ domid, type, fd: file.fd, storePort: ports.store, consolePort: ports.console });
  const { vcpus, memoryTarget, startedAt, discs } = about;
  await domain.update({ vcpus, memoryTarget, startedAt, discs });
  await store.transaction(async (inside) => {
    await writeNodes(inside, cpuNodes(domid, spec.vcpus.max, vcpus));
    await inside.write(`${domainPath(domid)}/memory/target`, String(Math.floor(memoryTarget / 1024)));
  });
  await introduce(domain, pages);
}
function aboutOf({ spec, vcpus, memoryTarget, startedAt, discs, drives }: DomainRecord): Buffer {
  const about: About = {
    ...{ vcpus, memoryTarget, startedAt, discs },
    domainType: spec.domainType,
    vcpusMax: spec.vcpus.max,
    memoryMax: spec.memory.staticMax,
    devices: drives.filter((d) => d.spec.type === 'Disk').map((d) => d.device),
  };
  const text = Buffer.from(JSON.stringify(about));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text]);
}
async function readAbout(file: FileHandle): Promise<About> {
  const length = (await readExactly(file, 4)).readUInt32BE();
  if (length > 1 << 20) throw new Error(`a line of ${length} bytes is no description of a guest`);
  // Written by `aboutOf` of the same version.
  return JSON.parse((await readExactly(file, length)).toString()) as About;
}
async function readExactly(file: FileHandle, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, null);
    if (bytesRead === 0) throw new Error('the sender went away before the guest was there');
    at += bytesRead;
  }
  return bytes;
}
/** A guest finds itself in the machine that it left. */
function checkSame(domain: Domain, about: About): void {
  const { spec, drives } = domain.record;
  const refuse = (reason: string) => failed(domain, `the new domain is another machine: ${reason}`);
  if (about.domainType !== spec.domainType) throw refuse(`it is ${spec.domainType}, not ${about.domainType}`);
  if (about.vcpusMax !== spec.vcpus.max) throw refuse(`it has up to ${spec.vcpus.max} CPUs, not ${about.vcpusMax}`);
  if (about.memoryMax > spec.memory.staticMax)
    throw refuse(`it has up to ${spec.memory.staticMax} bytes of memory, not ${about.memoryMax}`);
  const missing = about.devices.find((device) => !drives.some((d) => d.device === device));
  if (missing !== undefined) throw refuse(`the drive ${missing} is not attached`);
}
