/** The hypervisor of this host, whole: opened once by who runs guests on it. */
import { existsSync, readFileSync } from 'node:fs';
import { Blocking } from './blocking.ts';
import { dumpMemory } from './core-file.ts';
import { type BuildRequest, buildGuest, type GuestPages, memoryOf } from './domain-builder.ts';
import { LibraryMissing } from './koffi.ts';
import { Domains, openControl } from './libxenctrl.ts';
import { openXenLog } from './libxentoollog.ts';
import {
  destroyDomain,
  dumpCore,
  type RestoreRequest,
  restoreGuest,
  resumeGuest,
  type SaveRequest,
  saveGuest,
} from './migration.ts';

/** What is missing for running guests on Xen, and what to do. */
export class XenUnavailable extends Error {
  override readonly name = 'XenUnavailable';
}
/** The one that the layouts of `layout.ts` belong to. */
const supported = '4.17';

export interface DumpRequest {
  readonly domid: number;
  readonly type: 'pv' | 'pvh';
  /** Bytes. */
  readonly memoryMax: number;
  /** Made anew. */
  readonly path: string;
}
export interface Xen {
  /** `4.17.7`. */
  readonly version: string;
  /** Calls that come back at once. */
  readonly domains: Domains;
  build(request: BuildRequest): Promise<GuestPages>;
  save(request: SaveRequest): Promise<void>;
  restore(request: RestoreRequest): Promise<GuestPages>;
  resume(domid: number): Promise<void>;
  destroy(domid: number): Promise<void>;
  /** The memory of a guest as a core file: a PV guest's in Xen's format, a PVH guest's by its physical addresses. */
  dumpCore(request: DumpRequest): Promise<void>;
  close(): void;
}

/** Whether this is the control domain of a Xen host; says nothing of libraries. */
export function isControlDomain(): boolean {
  const file = '/proc/xen/capabilities';
  return existsSync(file) && readFileSync(file, 'latin1').includes('control_d');
}

/** Throws `XenUnavailable`. */
export function requireControlDomain(): void {
  if (isControlDomain()) return;
  throw new XenUnavailable(
    'this is not the control domain of a Xen host (/proc/xen/capabilities does not say control_d): boot Xen with this system as dom0, and mount xenfs at /proc/xen',
  );
}

/** Throws `XenUnavailable`: no Xen, not the control domain, libraries missing or of another version. */
export function openXen(): Xen {
  requireControlDomain();
  const log = openXenLog();
  const control = openLibraries(log);
  const domains = new Domains(control, log);
  const version = domains.version();
  if (!version.startsWith(`${supported}.`))
    throw new XenUnavailable(`the hypervisor is Xen ${version}; this toolstack supports Xen ${supported} only`);
  const dom0 = domains.find(0);
  if (!dom0 || dom0.dying || dom0.memory <= 0 || dom0.vcpus < 1)
    throw new XenUnavailable(`libxenctrl does not describe dom0 as Xen ${supported} does: ${JSON.stringify(dom0)}`);
  const blocking = new Blocking();
  return {
    version,
    domains,
    build: (request) => buildGuest(blocking, domains, request),
    save: (request) => saveGuest(blocking, request),
    restore: (request) => restoreGuest(blocking, domains, request),
    resume: (domid) => resumeGuest(blocking, domid),
    destroy: (domid) => destroyDomain(blocking, domains, domid),
    dumpCore: ({ domid, type, memoryMax, path }) =>
      type === 'pv' ? dumpCore(blocking, domid, path) : dumpMemory(domid, memoryOf(memoryMax), path),
    close() {
      control.close();
      log.close();
    },
  };
}

function openLibraries(log: ReturnType<typeof openXenLog>) {
  try {
    return openControl(log);
  } catch (error) {
    if (!(error instanceof LibraryMissing)) throw error;
    throw new XenUnavailable(`${error.message}; libraries of Xen ${supported} are supported, and no others`, {
      cause: error,
    });
  }
}
