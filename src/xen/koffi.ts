/**
 * The foreign function interface, loaded when Xen is first used and never before: everything else starts without it.
 * A library that is missing is refused with its name and the Debian package that holds it.
 */
import { createRequire } from 'node:module';

export type Koffi = typeof import('koffi')['default'];
export type Library = ReturnType<Koffi['load']>;
/** An address in this process; koffi hands out BigInts, and null for NULL. */
export type Pointer = bigint | null;

const require = createRequire(import.meta.url);

/** Bytes of stack for calls on worker threads: Xen's domain builder and migration code are not sure of koffi's 128 KiB. */
const threadStack = 1 << 20;

/** koffi itself; Node keeps the module, so asking again costs nothing. */
export function koffi(): Koffi {
  const ffi = require('koffi') as Koffi;
  // Possible only before the first library is loaded, and nobody loads one but through here.
  if (ffi.config().async_stack_size !== threadStack) ffi.config({ ...ffi.config(), async_stack_size: threadStack });
  return ffi;
}

/** A library could not be loaded. */
export class LibraryMissing extends Error {
  readonly library: string;
  constructor(library: string, debianPackage: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`${library} could not be loaded (${why}): install Debian's package ${debianPackage}`);
    this.name = 'LibraryMissing';
    this.library = library;
  }
}

/** Loads `library` (its soname), which Debian's `debianPackage` holds. Throws `LibraryMissing`. */
export function loadLibrary(library: string, debianPackage: string): Library {
  const ffi = koffi();
  try {
    const loaded = ffi.load(library);
    stay(ffi, library);
    return loaded;
  } catch (error) {
    throw new LibraryMissing(library, debianPackage, error);
  }
}

/**
 * Keeps a library when koffi lets it go at the end of the process: worker threads end after that, and Xen's libraries have something
 * of theirs to clean up in threads in which a call failed.
 */
function stay(ffi: Koffi, library: string): void {
  const open = ffi.load('libc.so.6').func('void *dlopen(const char *name, int flags)');
  const [now, noDelete] = [2, 0x1000];
  open(library, now | noDelete);
}

/** A call into a library failed; `errno` is the number, `code` its name (`EINVAL`). */
export class CallFailed extends Error {
  readonly call: string;
  readonly errno: number;
  readonly code: string;
  constructor(call: string, errno: number, about = '') {
    const code = errnoName(errno);
    super(`${call} failed: ${code}${about && ` (${about})`}`);
    this.name = 'CallFailed';
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

function errnoName(errno: number): string {
  for (const [name, value] of Object.entries(koffi().os.errno)) if (value === errno) return name;
  return `errno ${errno}`;
}

/** The result of a call that answers a negative number when it fails. `about` names what it was called with. */
export function checked(call: string, result: number, about?: string): number {
  if (result < 0) throw new CallFailed(call, koffi().errno(), about);
  return result;
}

/** The result of a call that answers NULL when it fails. */
export function checkedPointer(call: string, result: Pointer, about?: string): bigint {
  if (result === null || result === 0n) throw new CallFailed(call, koffi().errno(), about);
  return result;
}
