/**
 * Waiting until a descriptor can be read, inside Node's event loop and without a thread. koffi's poll handle is young, so
 * this file is the only one that knows it; where it cannot be had, a thread of Node's pool waits in `read` instead.
 */
import { closeSync, read } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { Log } from '../base/log.ts';
import { koffi } from './koffi.ts';
import type { Libc } from './libc.ts';

export interface ReadableOptions {
  readonly fd: number;
  readonly libc: Libc;
  readonly log: Log;
  /** Bytes that arrived; the buffer is used again after the call. */
  readonly onBytes: (bytes: Buffer) => void;
  /** `thread` for a kernel or a koffi without polling. `poll` unless told. */
  readonly way?: 'poll' | 'thread';
  /**
   * Milliseconds, 0 unless told: after bytes came, the next ones are waited for here as long as nothing else happens in the event loop, which is
   * cheaper than a turn of it. Timers may be that late.
   */
  readonly lingerMs?: number;
}

const chunk = 4096;

/** Calls `onBytes` with what can be read from `fd`, until the answer is called. An exception of `onBytes` is thrown into the event loop. */
export function watchReadable(options: ReadableOptions): () => void {
  if (options.way === 'thread') return watchWithThread(options);
  try {
    return watchWithPoll(options);
  } catch (error) {
    options.log.warn('descriptors are read by a thread: polling is not to be had', { error: String(error) });
    return watchWithThread(options);
  }
}

/** The poll handle calls without Node's ceremony, so what was promised meanwhile would wait for the next event of another kind. */
function settlePromises(): void {
  const { _tickCallback: tick } = process as unknown as { _tickCallback?: () => void };
  if (tick) tick();
  else setImmediate(() => undefined);
}

function watchWithPoll({ fd, libc, onBytes, log, lingerMs = 0 }: ReadableOptions): () => void {
  libc.setNonBlocking(fd);
  const buffer = Buffer.alloc(chunk);
  const more = lingerMs > 0 ? lingering(fd, libc, log) : undefined;
  let closed = false;
  const take = () => {
    try {
      const until = more ? performance.now() + lingerMs : 0;
      do {
        const got = libc.read(fd, buffer);
        if (got > 0) onBytes(buffer.subarray(0, got));
        settlePromises();
      } while (more && !closed && more(until));
    } catch (error) {
      // The poll handle swallows exceptions, so they go round by the event loop.
      setImmediate(() => {
        throw error;
      });
    }
  };
  // The handle is kept by the answer: one that is collected ends without a word.
  const handle = koffi().node.poll(fd, { readable: true }, take);
  if (!handle) throw new Error(`descriptor ${fd} cannot be polled`);
  return () => {
    closed = true;
    handle.close();
  };
}

const pollfdSize = 8;
const pollIn = 1;

/**
 * A wait for `fd` that ends early when the event loop has anything else to do: libuv says when its next timer is due (0 when something is to be done
 * at once), and its own descriptor is ready when any other is. Undefined where libuv cannot be asked.
 */
function lingering(fd: number, libc: Libc, log: Log): ((until: number) => boolean) | undefined {
  if (!isMainThread) return undefined;
  try {
    const self = koffi().load(null);
    const loop = self.func('void *uv_default_loop()')();
    const nextTimer = self.func('int uv_backend_timeout(void *loop)');
    const backend: number = self.func('int uv_backend_fd(void *loop)')(loop);
    const fds = Buffer.alloc(2 * pollfdSize);
    for (const [at, each] of [fd, backend].entries()) {
      fds.writeInt32LE(each, at * pollfdSize);
      fds.writeInt16LE(pollIn, at * pollfdSize + 4);
    }
    return (until) => {
      const left = Math.floor(until - performance.now());
      const timer: number = nextTimer(loop);
      if (left <= 0 || timer === 0) return false;
      libc.poll(fds, 2, timer < 0 ? left : Math.min(left, timer));
      // The loop waits for `fd` too, so its descriptor says nothing while `fd` is ready.
      return fds.readInt16LE(6) !== 0;
    };
  } catch (error) {
    log.warn('events are waited for in the event loop only', { error: String(error) });
    return undefined;
  }
}

function watchWithThread({ fd: given, onBytes, libc }: ReadableOptions): () => void {
  let ended = false;
  const buffer = Buffer.alloc(chunk);
  // One of its own: the caller may close the other while a read waits, and its number may soon mean something else.
  const fd = libc.duplicate(given);
  const next = () =>
    read(fd, buffer, 0, chunk, null, (error, got) => {
      if (ended) return closeSync(fd);
      if (error && error.code !== 'EAGAIN') throw error;
      if (got > 0) onBytes(buffer.subarray(0, got));
      next();
    });
  next();
  return () => {
    ended = true;
  };
}
