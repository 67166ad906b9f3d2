/** A log file of JSON lines that is put aside when it has grown: `house.log`, `house.log.1`, … */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  /** Takes whole lines. */
  write(lines: string): void;
  close(): void;
}
export interface LogFileOptions {
  /** Bytes after which it is put aside. 16 MiB by default. */
  readonly maxBytes?: number;
  /** How many older ones are kept. 3 by default. */
  readonly keep?: number;
}

/** Opens for appending, private to the owner. Lines are on their way to the disk when `write` returns. */
export function openLogFile(path: string, options: LogFileOptions = {}): LogFile {
  const { maxBytes = 16 * 1024 * 1024, keep = 3 } = options;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let fd = openSync(path, 'a', 0o600);
  let size = fstatSync(fd).size;
  const rotate = () => {
    closeSync(fd);
    rmSync(`${path}.${keep}`, { force: true });
    for (let n = keep - 1; n >= 1; n--) moveIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    renameSync(path, `${path}.1`);
    fd = openSync(path, 'a', 0o600);
    size = 0;
  };
  return {
    write(lines) {
      if (size > maxBytes) rotate();
      size += writeSync(fd, lines);
    },
    close: () => closeSync(fd),
  };
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
