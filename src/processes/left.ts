/** What a supervisor that is gone has left running. */
import { existsSync } from 'node:fs';
import { silentLog } from '../base/log.ts';
import { bootId, isAlive } from './proc.ts';
import { Records } from './records.ts';

export interface LeftRunning {
  readonly id: string;
  readonly pid: number;
  readonly tags: Readonly<Record<string, string>>;
}
/** Children that the records in `folder` name and that run; changes nothing. */
export function leftRunning(folder: string): readonly LeftRunning[] {
  if (!existsSync(folder)) return [];
  const boot = bootId();
  return new Records(folder)
    .readAll(silentLog)
    .filter((child) => child.boot === boot && isAlive(child.pid, child.startTime))
    .map(({ spec, pid }) => ({ id: spec.id, pid, tags: spec.tags ?? {} }));
}
