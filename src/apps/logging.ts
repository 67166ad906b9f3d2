/** Structured logs of the daemons: JSON lines in DIR/log/NAME.log, put aside by size. Secrets are struck out should one get in. */
import { join } from 'node:path';
import { pino } from 'pino';
import { type Level, type Log, logTo } from '../base/log.ts';
import { type LogFileOptions, openLogFile } from './log-file.ts';

const secretFields = ['password', 'secret', 'session_id', 'session'];

/** The log of one process. Lines are in the file when the call returns, so that none is lost when the process is killed. */
export function openLog(
  at: { readonly logs: string },
  name: string,
  options: LogFileOptions & { level?: Level } = {},
): Log {
  const file = openLogFile(join(at.logs, `${name}.log`), options);
  const to = pino(
    {
      name,
      level: options.level ?? levelFrom(process.env['GUESTHOUSE_LOG']),
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((f) => [f, `*.${f}`]), censor: '(struck out)' },
    },
    { write: (line: string) => file.write(line) },
  );
  return logTo((level, message, fields) => to[level](fields, message));
}

function levelFrom(wish: string | undefined): Level {
  return wish === 'debug' || wish === 'warn' || wish === 'error' ? wish : 'info';
}
