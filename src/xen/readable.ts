/**
 * Waiting until a descriptor can be read, inside Node's event loop and without a thread. koffi's poll handle is young, so
 * this file is the only one that knows it; where it cannot be had, a thread of Node's pool waits in `read` instead.
 */
import { read } from 'node:fs';
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

function watchWithPoll({ fd, libc, onBytes }: ReadableOptions): () => void {
  libc.setNonBlocking(fd);
  const buffer = Buffer.alloc(chunk);
  const take = () => {
    try {
      const got = libc.read(fd, buffer);
      if (got > 0) onBytes(buffer.subarray(0, got));
      settlePromises();
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
  return () => handle.close();
}

function watchWithThread({ fd, onBytes }: ReadableOptions): () => void {
  let ended = false;
  const buffer = Buffer.alloc(chunk);
  const next = () =>
    read(fd, buffer, 0, chunk, null, (error, got) => {
      if (ended) return;
      if (error && error.code !== 'EAGAIN') throw error;
      if (got > 0) onBytes(buffer.subarray(0, got));
      next();
    });
  next();
  return () => {
    ended = true;
  };
}
