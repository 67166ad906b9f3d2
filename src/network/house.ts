/** What the verbs share, and what this host can do. */
import { networkErrors } from '../contracts/network.ts';
import type { Driver, Ground } from './driver.ts';
import type { Kind } from './records.ts';
import { rightsTrouble, tapTrouble } from './rights.ts';
import { findTool, missingTool } from './tool.ts';

export interface House extends Ground {
  /** How each kind of network is made here. */
  readonly drivers: Readonly<Record<Kind, Driver>>;
  /** Runs `work` after all earlier work: one change of the host's network at a time. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Makes the rules say what the records say, where any network needs rules. */
  readonly rules: () => Promise<void>;
  /** The same, also when no network needs rules any more. */
  readonly lastRules: () => Promise<void>;
}

/** Why a kind is not possible on this host; '' when it is. */
export function obstacle({ kind, needsRoot, tools }: Driver): string {
  const trouble = needsRoot ? rightsTrouble() || tapTrouble() : '';
  if (trouble) return `${kind} networks need ${trouble}`;
  const missing = tools.find((tool) => !findTool(tool));
  return missing === undefined ? '' : missingTool(missing);
}
export function requirePossible(driver: Driver): void {
  const reason = obstacle(driver);
  if (reason) throw networkErrors.make('Not_possible', { kind: driver.kind, reason });
}
