/** A log for daemons that run in the foreground: one line of JSON each, on standard error. */
import { type Log, logTo } from '../base/log.ts';

export function stderrLog(name: string): Log {
  return logTo((level, msg, fields) => {
    const line = { level, time: new Date().toISOString(), name, pid: process.pid, msg, ...fields };
    process.stderr.write(`${JSON.stringify(line)}\n`);
  });
}
