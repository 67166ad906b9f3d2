/** The file that a child's output is appended to, kept from growing without bound. */
import {
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs';

/** Bytes after which a log is put aside as `….1`, those before it as `….2` and so on. A guest can make QEMU complain for ever. */
export const maxLogBytes = 16 * 1024 * 1024;

/** Opens for appending; private; never follows a link that somebody put there. */
export function openChildLog(path: string, maxBytes?: number, keep?: number): number {
  rotateWhenLarge(path, maxBytes, keep);
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new Error(`${path} is no regular file`);
}

/** How far a log had grown when it was looked at last. */
export interface Grown {
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}
/**
 * Cuts what a log has grown by since `before` to `rate` bytes a second, and says so in it. The child writes on at the end;
 * lines written in between are lost.
 */
export function limitGrowth(path: string, rate: number, before: Grown | undefined, now: number): Grown {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const from = before && before.size <= size ? before.size : size;
  const allowed = Math.ceil((rate * Math.max(0, now - (before?.at ?? now))) / 1000);
  if (size - from <= allowed) return { size, at: now };
  truncateSync(path, from + allowed);
  appendFileSync(path, `\n[${size - from - allowed} bytes are left out: more than ${rate} in a second]\n`);
  return { size: statSync(path).size, at: now };
}

/** Copies and cuts, because the child keeps writing to the same file; lines written in between are lost. */
export function rotateWhenLarge(path: string, maxBytes: number = maxLogBytes, keep = 1): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxBytes) return false;
  for (let n = keep - 1; n >= 1; n--) if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
  return true;
}
