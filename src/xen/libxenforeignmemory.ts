/** Pages of another domain, seen from here (libxenforeignmemory). */
import { CallFailed, checkedPointer, koffi, loadLibrary, type Pointer } from './koffi.ts';
import { pageSize } from './libc.ts';

const readWrite = 3;

/** Runs `work` on one page of a domain, which is mapped for that long. Throws `CallFailed`. */
export function withForeignPage(domid: number, gfn: number, work: (page: Buffer) => void): void {
  const lib = loadLibrary('libxenforeignmemory.so.1', 'libxenforeignmemory1');
  const open = lib.func('void *xenforeignmemory_open(void *logger, unsigned int flags)');
  const close = lib.func('int xenforeignmemory_close(void *handle)');
  const map = lib.func(
    'void *xenforeignmemory_map(void *handle, uint32_t domid, int access, size_t pages, void *frames, void *errors)',
  );
  const unmap = lib.func('int xenforeignmemory_unmap(void *handle, void *address, size_t pages)');
  const opened: Pointer = open(null, 0);
  const handle = checkedPointer('xenforeignmemory_open', opened);
  try {
    const frames = Buffer.alloc(8);
    frames.writeBigUInt64LE(BigInt(gfn));
    const errors = Buffer.alloc(4);
    const mapped: Pointer = map(handle, domid, readWrite, 1, frames, errors);
    const address = checkedPointer('xenforeignmemory_map', mapped, `frame ${gfn} of domain ${domid}`);
    try {
      if (errors.readInt32LE() !== 0)
        throw new CallFailed('xenforeignmemory_map', -errors.readInt32LE(), `frame ${gfn} of domain ${domid}`);
      work(Buffer.from(koffi().view(address, pageSize)));
    } finally {
      unmap(handle, address, 1);
    }
  } finally {
    close(handle);
  }
}
