/** A guest's memory and processors into a stream and out of it again (libxenguest's save and restore). */
import type { Blocking } from './blocking.ts';
import type { GuestPages } from './domain-builder.ts';
import { koffi } from './koffi.ts';
import { layout } from './layout.ts';
import type { Domains } from './libxenctrl.ts';
import { NativeMemory } from './native-memory.ts';
import { revocable } from './revocable.ts';
import { openSession } from './session.ts';

/** What is known of a live migration after each round. */
export interface Round {
  readonly iteration: number;
  /** Bytes sent so far. */
  readonly sent: number;
  /** Pages that the guest wrote to since; -1 before it is known. */
  readonly dirty: number;
}
export interface SaveRequest {
  readonly domid: number;
  /** A descriptor of a file, pipe or socket that blocks. */
  readonly fd: number;
  /**
   * Live: the guest runs on. Asked after each round: go on sending, stop and send the rest (the guest must have suspended by
   * then), or give up. Absent: the guest has suspended already.
   */
  readonly live?: (round: Round) => 'continue' | 'stop' | 'abort';
  /** Aborting makes it fail soon, after some MiB at most. */
  readonly signal?: AbortSignal | undefined;
}
const liveFlag = 1;
const decisions = { continue: 0, stop: 1, abort: -1 } as const;

/** Throws `XenFailed`. The guest is suspended afterwards, unless it was live and given up before. */
export async function saveGuest(blocking: Blocking, { domid, fd, live, signal }: SaveRequest): Promise<void> {
  using session = openSession(blocking);
  using memory = new NativeMemory();
  using stream = revocable(fd, signal);
  const ffi = koffi();
  const at = layout.save_callbacks;
  const { address, bytes } = memory.take(at.size);
  const suspend = ffi.register(() => 1, ffi.pointer(ffi.proto('int', ['void *'])));
  bytes.writeBigUInt64LE(suspend, at.suspend);
  // Asked for whenever there could be a device model; there is none to tell.
  const logDirty = ffi.register(() => 0, ffi.pointer(ffi.proto('int', ['uint32_t', 'unsigned int', 'void *'])));
  bytes.writeBigUInt64LE(logDirty, at.switch_qemu_logdirty);
  const stats = ffi.struct({ iteration: 'unsigned int', total_written: 'unsigned long', dirty_count: 'long' });
  const policy = live
    ? ffi.register(
        (s: { iteration: number; total_written: number | bigint; dirty_count: number | bigint }) =>
          decisions[
            live({ iteration: s.iteration, sent: Number(s.total_written) * 4096, dirty: Number(s.dirty_count) })
          ],
        ffi.pointer(ffi.proto('int', [stats, 'void *'])),
      )
    : undefined;
  if (policy !== undefined) bytes.writeBigUInt64LE(policy, at.precopy_policy);
  try {
    const save = session.guest.func(
      'int xc_domain_save(void *xch, int fd, uint32_t domid, uint32_t flags, void *callbacks, int stream, int back)',
    );
    const flags = live ? liveFlag : 0;
    await session.run('xc_domain_save', save, session.handle, stream.fd, domid, flags, address, 0, -1);
  } finally {
    ffi.unregister(suspend);
    ffi.unregister(logDirty);
    if (policy !== undefined) ffi.unregister(policy);
  }
}

export interface RestoreRequest {
  readonly domid: number;
  readonly type: 'pv' | 'pvh' | 'hvm';
  /** A descriptor that blocks, at the first byte of the stream. */
  readonly fd: number;
  readonly storePort: number;
  readonly consolePort: number;
}
/** Into a domain that was created, and nothing more. Throws `XenFailed`; the domain is then only good for being destroyed. */
export async function restoreGuest(blocking: Blocking, domains: Domains, r: RestoreRequest): Promise<GuestPages> {
  using session = openSession(blocking);
  using memory = new NativeMemory();
  const ffi = koffi();
  const at = layout.restore_callbacks;
  const { address, bytes } = memory.take(at.size);
  const staticData = ffi.register(
    (missing: number) => {
      // A stream of an older Xen says nothing of the processor.
      if (missing !== 0) domains.applyCpuPolicy(r.domid, true);
      return 0;
    },
    ffi.pointer(ffi.proto('int', ['unsigned int', 'void *'])),
  );
  bytes.writeBigUInt64LE(staticData, at.static_data_done);
  const [store, console] = [memory.take(8), memory.take(8)];
  try {
    const restore = session.guest.func(
      'int xc_domain_restore(void *xch, int fd, uint32_t domid, unsigned int storePort, void *store, uint32_t storeDomid, unsigned int consolePort, void *console, uint32_t consoleDomid, int stream, void *callbacks, int back)',
    );
    const ends = [r.storePort, store.address, 0, r.consolePort, console.address, 0] as const;
    await session.run('xc_domain_restore', restore, session.handle, r.fd, r.domid, ...ends, 0, address, -1);
  } finally {
    ffi.unregister(staticData);
  }
  const pages = { store: store.bytes.readBigUInt64LE(), console: console.bytes.readBigUInt64LE() };
  const seed = session.guest.func(
    'int xc_dom_gnttab_seed(void *xch, uint32_t domid, bool hvm, uint64_t console, uint64_t store, uint32_t consoleDomid, uint32_t storeDomid)',
  );
  const hvm = r.type !== 'pv';
  await session.run('xc_dom_gnttab_seed', seed, session.handle, r.domid, hvm, pages.console, pages.store, 0, 0);
  return pages;
}

/** A guest that suspended goes on where it was, knowing that it was not moved. */
export async function resumeGuest(blocking: Blocking, domid: number): Promise<void> {
  using session = openSession(blocking);
  const resume = session.guest.func('int xc_domain_resume(void *xch, uint32_t domid, int fast)');
  await session.run('xc_domain_resume', resume, session.handle, domid, 1);
}
/** The whole memory of a PV domain as a file for debuggers (Xen's own format of cores). */
export async function dumpCore(blocking: Blocking, domid: number, path: string): Promise<void> {
  using session = openSession(blocking);
  const dump = session.guest.func('int xc_domain_dumpcore(void *xch, uint32_t domid, const char *path)');
  await session.run('xc_domain_dumpcore', dump, session.handle, domid, path);
}
/** Ends a domain and gives its memory back. One that is not there is no error. */
export async function destroyDomain(blocking: Blocking, domains: Domains, domid: number): Promise<void> {
  using session = openSession(blocking);
  const destroy = session.ctrl.func('int xc_domain_destroy(void *xch, uint32_t domid)');
  try {
    await session.run('xc_domain_destroy', destroy, session.handle, domid);
  } catch (error) {
    const left = domains.find(domid);
    if (left && !left.dying) throw error;
  }
}
