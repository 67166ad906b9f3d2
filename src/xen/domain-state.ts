/**
 * What became of a domain, from libxenctrl: only the first two fields of its information are read, which every supported version
 * has at the same place.
 */
import { CallFailed, checkedPointer, koffi, type Library, LibraryMissing, loadLibrary, type Pointer } from './koffi.ts';

/** Newest first. */
const versions = ['4.21', '4.20', '4.19', '4.18', '4.17', '4.16', '4.14'];
/** More than any version's information of one domain needs. */
const informationSize = 1024;
const flagDying = 1;
const flagShutdown = 4;

export interface DomainStates {
  of(domid: number): 'running' | 'shutdown' | 'dying' | 'gone';
  close(): void;
}

export function openDomainStates(): DomainStates {
  const lib = loadAnyVersion();
  const open = lib.func('void *xc_interface_open(void *logger, void *builderLogger, unsigned int flags)');
  const close = lib.func('int xc_interface_close(void *handle)');
  const getInfo = lib.func('int xc_domain_getinfolist(void *handle, uint32_t first, unsigned int max, void *into)');
  const opened: Pointer = open(null, null, 0);
  const handle = checkedPointer('xc_interface_open', opened, 'is /dev/xen/privcmd there, and is this dom0?');
  const information = Buffer.alloc(informationSize);
  return {
    of(domid) {
      const count: number = getInfo(handle, domid, 1, information);
      if (count < 0) throw new CallFailed('xc_domain_getinfolist', koffi().errno(), `domain ${domid}`);
      // The answer is the first domain from `domid` on.
      if (count < 1 || information.readUInt16LE(0) !== domid) return 'gone';
      const flags = information.readUInt32LE(4);
      if (flags & flagDying) return 'dying';
      return flags & flagShutdown ? 'shutdown' : 'running';
    },
    close: () => void close(handle),
  };
}

function loadAnyVersion(): Library {
  const missing: string[] = [];
  for (const version of versions) {
    try {
      return loadLibrary(`libxenctrl.so.${version}`, `libxenmisc${version}`);
    } catch (error) {
      if (!(error instanceof LibraryMissing)) throw error;
      missing.push(version);
    }
  }
  throw new LibraryMissing('libxenctrl', 'libxenmisc4.17', `none of the versions ${missing.join(', ')} is installed`);
}
