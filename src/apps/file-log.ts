/** A log on a file: one line of JSON each, appended. What cannot be written is lost, and said once where the daemon says the rest. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { type Log, logTo } from '../base/log.ts';

export interface FileLog {
  readonly log: Log;
  close(): void;
}

/** `path` is made when it is missing, for its owner alone. Throws what the file system says, and for what is no regular file EINVAL. */
export function fileLog(name: string, path: string, complaints: Log): FileLog {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
  if (!fstatSync(fd).isFile()) {
    closeSync(fd);
    throw Object.assign(new Error(`EINVAL: ${path} is not a file`), { code: 'EINVAL' });
  }
  let told = false;
  const write = (text: string) => {
    try {
      writeSync(fd, text);
    } catch (error) {
      if (!told) complaints.warn('a log cannot be written', { path, error: String(error) });
      told = true;
    }
  };
  return {
    log: logTo((level, msg, fields) => {
      write(`${JSON.stringify({ level, time: new Date().toISOString(), name, msg, ...fields })}\n`);
    }),
    close: () => closeSync(fd),
  };
}
