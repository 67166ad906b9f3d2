/** The few calls of the C library that Node does not offer: shared mappings, descriptor flags, replacing the program. */
import { CallFailed, checked, koffi, loadLibrary, type Pointer } from './koffi.ts';

export const pageSize = 4096;

const protection = { read: 1, write: 2 };
const mapShared = 1;
const mapFailed = 0xffff_ffff_ffff_ffffn;
const getFlags = 3;
const setFlags = 4;
const setDescriptorFlags = 2;
const nonBlocking = 0x800;
const duplicateOntoUnused = 1030;
const closeOnExec = 0x80000;

export interface Libc {
  /** Maps the first `size` bytes of `fd` (a page unless told), shared, for reading and writing. */
  map(fd: number, size?: number): bigint;
  unmap(address: bigint, size?: number): void;
  /** `ioctl` with a number as its argument; answers what the driver answers. */
  ioctl(fd: number, request: number, argument: number): number;
  setNonBlocking(fd: number): void;
  /** Whether a program that replaces this one, or a child, inherits the descriptor. */
  setInherited(fd: number, inherited: boolean): void;
  /** A second descriptor for the same thing, not inherited. */
  duplicate(fd: number): number;
  /** `onto` is from now on, for every thread, another descriptor for what `fd` is one for; not inherited. */
  replace(fd: number, onto: number): void;
  /** Bytes read into `into`; 0 when nothing is there now. Throws `CallFailed`. */
  read(fd: number, into: Uint8Array): number;
  write(fd: number, from: Uint8Array): number;
  /** Waits until one of the `count` pollfd structures in `fds` is ready, or for `ms`; answers how many are. */
  poll(fds: Uint8Array, count: number, ms: number): number;
  /** Replaces the program of this process; comes back only by throwing `CallFailed`. */
  execve(file: string, args: readonly string[], env: Readonly<Record<string, string>>): never;
}

/** Binds the calls; each is looked up here, so that one that is missing is found at once. */
export function openLibc(): Libc {
  const lib = loadLibrary('libc.so.6', 'libc6');
  const ffi = koffi();
  const mmap = lib.func('void *mmap(void *at, size_t size, int protection, int flags, int fd, int64_t offset)');
  const munmap = lib.func('int munmap(void *at, size_t size)');
  const ioctl = lib.func('int ioctl(int fd, unsigned long request, intptr_t argument)');
  const fcntl = lib.func('int fcntl(int fd, int command, intptr_t argument)');
  const dup3 = lib.func('int dup3(int fd, int onto, int flags)');
  const read = lib.func('intptr_t read(int fd, void *into, size_t size)');
  const write = lib.func('intptr_t write(int fd, const void *from, size_t size)');
  const poll = lib.func('int poll(void *fds, unsigned long count, int ms)');
  const execve = lib.func('int execve(const char *file, const char **args, const char **env)');
  const again = ffi.os.errno['EAGAIN'];
  const interrupted = ffi.os.errno['EINTR'];
  return {
    map(fd, size = pageSize) {
      const address: Pointer = mmap(null, size, protection.read | protection.write, mapShared, fd, 0);
      if (address === null || address === mapFailed) throw new CallFailed('mmap', ffi.errno(), `descriptor ${fd}`);
      return address;
    },
    unmap: (address, size = pageSize) => void checked('munmap', munmap(address, size)),
    ioctl: (fd, request, argument) => checked('ioctl', ioctl(fd, request, argument), `request ${request}`),
    setNonBlocking: (fd) =>
      void checked('fcntl', fcntl(fd, setFlags, fcntl(fd, getFlags, 0) | nonBlocking), `fd ${fd}`),
    setInherited: (fd, inherited) =>
      void checked('fcntl', fcntl(fd, setDescriptorFlags, inherited ? 0 : 1), `fd ${fd}`),
    duplicate: (fd) => checked('fcntl', fcntl(fd, duplicateOntoUnused, 0), `fd ${fd}`),
    replace: (fd, onto) => void checked('dup3', dup3(fd, onto, closeOnExec), `descriptor ${fd} onto ${onto}`),
    read(fd, into) {
      const got = Number(read(fd, into, into.length));
      if (got >= 0) return got;
      const errno = ffi.errno();
      if (errno === again || errno === interrupted) return 0;
      throw new CallFailed('read', errno, `descriptor ${fd}`);
    },
    write: (fd, from) => checked('write', Number(write(fd, from, from.length)), `descriptor ${fd}`),
    poll(fds, count, ms) {
      const ready: number = poll(fds, count, ms);
      if (ready >= 0 || ffi.errno() === interrupted) return Math.max(0, ready);
      throw new CallFailed('poll', ffi.errno());
    },
    execve(file, args, env) {
      const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      execve(file, [...args, null], [...pairs, null]);
      throw new CallFailed('execve', ffi.errno(), file);
    },
  };
}
