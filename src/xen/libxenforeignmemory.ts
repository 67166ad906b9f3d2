/** Pages of another domain, seen from here (libxenforeignmemory). */
import { CallFailed, checkedPointer, koffi, loadLibrary, type Pointer } from './koffi.ts';
import { pageSize } from './libc.ts';

const readOnly = 1;
const readWrite = 3;

/** Pages of one domain, mapped a few at a time to be read. */
export interface ForeignReader extends Disposable {
  /**
   * Calls `work` with the bytes of `count` pages from frame `first` on while they are mapped, and with which of them are there: those that
   * are not must not be touched.
   */
  read(first: number, count: number, work: (bytes: Buffer, there: readonly boolean[]) => Promise<void>): Promise<void>;
}
/** Throws `CallFailed`. */
export function openForeignReader(domid: number): ForeignReader {
  const f = bind();
  const handle = checkedPointer('xenforeignmemory_open', f.open(null, 0) as Pointer);
  return {
    async read(first, count, work) {
      const frames = Buffer.alloc(8 * count);
      for (let i = 0; i < count; i++) frames.writeBigUInt64LE(BigInt(first + i), 8 * i);
      const errors = Buffer.alloc(4 * count);
      const mapped: Pointer = f.map(handle, domid, readOnly, count, frames, errors);
      const address = checkedPointer('xenforeignmemory_map', mapped, `frame ${first} of domain ${domid}`);
      try {
        const there = Array.from({ length: count }, (_, i) => errors.readInt32LE(4 * i) === 0);
        await work(Buffer.from(koffi().view(address, pageSize * count)), there);
      } finally {
        f.unmap(handle, address, count);
      }
    },
    [Symbol.dispose]: () => void f.close(handle),
  };
}

/** Runs `work` on one page of a domain, which is mapped for that long. Throws `CallFailed`. */
export function withForeignPage(domid: number, gfn: number, work: (page: Buffer) => void): void {
  const { open, close, map, unmap } = bind();
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

function bind() {
  const lib = loadLibrary('libxenforeignmemory.so.1', 'libxenforeignmemory1');
  return {
    open: lib.func('void *xenforeignmemory_open(void *logger, unsigned int flags)'),
    close: lib.func('int xenforeignmemory_close(void *handle)'),
    map: lib.func(
      'void *xenforeignmemory_map(void *handle, uint32_t domid, int access, size_t pages, void *frames, void *errors)',
    ),
    unmap: lib.func('int xenforeignmemory_unmap(void *handle, void *address, size_t pages)'),
  };
}
