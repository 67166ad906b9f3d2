/** Xen's libraries say what went wrong to a logger; this one writes into memory, for the texts of errors (libxentoollog). */
import { koffi, loadLibrary } from './koffi.ts';

export interface XenLog {
  /** What libraries take as their logger. */
  readonly logger: bigint;
  /** The last lines that were said since `clear`, newest last, without their prefixes; '' for none. */
  lastWords(): string;
  /** Forgets what was said. */
  clear(): void;
  close(): void;
}

/** XTL_ERROR: progress and details are not of interest. */
const errorLevel = 8;
const hideProgress = 4;
/** How many lines an error shows: the cause is said first, and what failed because of it after that. */
const lines = 3;

export function openXenLog(): XenLog {
  const libc = loadLibrary('libc.so.6', 'libc6');
  const lib = loadLibrary('libxentoollog.so.1', 'libxentoollog1');
  const openStream = libc.func('void *open_memstream(void *text, void *size)');
  const flush = libc.func('int fflush(void *stream)');
  const rewind = libc.func('int fseek(void *stream, long offset, int from)');
  const closeStream = libc.func('int fclose(void *stream)');
  const free = libc.func('void free(void *memory)');
  const create = lib.func('void *xtl_createlogger_stdiostream(void *stream, int level, unsigned int flags)');
  const destroy = lib.func('void xtl_logger_destroy(void *logger)');
  const ffi = koffi();
  const text = ffi.alloc('void *', 1);
  const size = ffi.alloc('size_t', 1);
  const stream: bigint = openStream(text, size);
  const logger: bigint = create(stream, errorLevel, hideProgress);
  return {
    logger,
    lastWords() {
      flush(stream);
      const said = ffi.decode.string(ffi.decode(text, 'void *'), Number(ffi.decode(size, 'size_t')));
      return wordsOf(said);
    },
    clear: () => void rewind(stream, 0, 0),
    close() {
      destroy(logger);
      closeStream(stream);
      free(ffi.decode(text, 'void *'));
      ffi.free(text);
      ffi.free(size);
    },
  };
}

/** The last lines of a log, without `xc: error: ` and the like, as one sentence. */
export function wordsOf(said: string): string {
  return said
    .split('\n')
    .map((line) =>
      line
        .replace(/^(?:[a-z]+: )?(?:error|critical): /, '')
        .replace(/: Internal error$/, '')
        .trim(),
    )
    .filter((line) => line !== '')
    .slice(-lines)
    .join('; ');
}
