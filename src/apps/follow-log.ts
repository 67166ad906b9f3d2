/** Shows the warnings and errors of a log of JSON lines to a person, as they are written. */
import { closeSync, openSync, readSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { sizeOf } from './toolstack.ts';

/** From now on; the answer ends it. */
export function followLog(path: string, show: (line: string) => void): () => void {
  let at = sizeOf(path);
  let rest = '';
  const read = () => {
    const size = sizeOf(path);
    // It was put aside: the new one is read from its beginning.
    if (size < at) at = 0;
    if (size === at) return;
    const buffer = Buffer.alloc(size - at);
    const fd = openSync(path, 'r');
    at += readSync(fd, buffer, 0, buffer.length, at);
    closeSync(fd);
    const lines = (rest + buffer.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const text = humanLine(line);
      if (text) show(text);
    }
  };
  const watcher = watch(dirname(path), (_event, name) => {
    if (name === basename(path)) read();
  });
  return () => watcher.close();
}

/** `warning: the text (key=value …)`; undefined for what is not worth showing. */
export function humanLine(line: string): string | undefined {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined; // half a line, written while the process was killed
  }
  const { level, msg, name: _n, pid: _p, time: _t, told, ...fields } = entry;
  if (told === true) return undefined; // the person hears of it otherwise
  if (level !== 'warn' && level !== 'error') return undefined;
  const details = Object.entries(fields).map(
    ([k, v]) => `${k}=${typeof v === 'string' ? firstOf(v) : JSON.stringify(v)}`,
  );
  return `${level === 'warn' ? 'warning' : 'error'}: ${msg}${details.length > 0 ? ` (${details.join(' ')})` : ''}`;
}

const firstOf = (text: string) => text.split('\n')[0] ?? '';
