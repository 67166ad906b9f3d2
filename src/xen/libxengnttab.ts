/** Grants (libxengnttab): pages that another domain lends, mapped here. */
import { checked, checkedPointer, koffi, loadLibrary, type Pointer } from './koffi.ts';
import { pageSize } from './libc.ts';

/** The grant reference that is reserved for the page of a domain's xenstore ring. */
export const xenstoreGrant = 1;

/** A page of another domain. Whoever holds its memory drops it before `unmap`: reading it afterwards ends the process. */
export interface MappedPage {
  readonly memory: ArrayBuffer;
  unmap(): void;
}

export interface GrantTable {
  /** Maps the page that `domid` grants as `reference`, for reading and writing. Throws `CallFailed`. */
  map(domid: number, reference: number): MappedPage;
  close(): void;
}

export function openGrantTable(): GrantTable {
  const lib = loadLibrary('libxengnttab.so.1', 'libxengnttab1');
  const open = lib.func('void *xengnttab_open(void *logger, unsigned int flags)');
  const close = lib.func('int xengnttab_close(void *handle)');
  const map = lib.func('void *xengnttab_map_grant_ref(void *handle, uint32_t domid, uint32_t ref, int protection)');
  const unmap = lib.func('int xengnttab_unmap(void *handle, void *address, uint32_t pages)');
  const readWrite = 3;
  const opened: Pointer = open(null, 0);
  const handle = checkedPointer('xengnttab_open', opened, 'is /dev/xen/gntdev there?');
  return {
    map(domid, reference) {
      const mapped: Pointer = map(handle, domid, reference, readWrite);
      const address = checkedPointer('xengnttab_map_grant_ref', mapped, `domain ${domid}, reference ${reference}`);
      return {
        memory: koffi().view(address, pageSize),
        unmap: () => void checked('xengnttab_unmap', unmap(handle, address, 1), `domain ${domid}`),
      };
    },
    close: () => void close(handle),
  };
}
