/** Structured log lines. Secrets never go into `fields`. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** A log whose lines all carry `fields`. */
  with(fields: Fields): Log;
}
export type Fields = Readonly<Record<string, unknown>>;
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Hands every line to `sink`. */
export function logTo(sink: (level: Level, message: string, fields: Fields) => void, base: Fields = {}): Log {
  const at = (level: Level) => (message: string, fields?: Fields) => sink(level, message, { ...base, ...fields });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => logTo(sink, { ...base, ...fields }),
  };
}

/** Drops everything. */
export const silentLog: Log = logTo(() => undefined);
