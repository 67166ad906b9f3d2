/** Makes the supervisor's children those that a configuration declares; others, such as guests, are not touched. */
import { createHash } from 'node:crypto';
import type { Log } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import type { Processes, ProcessSpec } from '../contracts/processes.ts';
import type { Declared } from './config-file.ts';
import { defaultStopMs } from './tree.ts';

/** The tag of a declared child: a digest of its declaration, by which a change is seen. */
const tag = 'declared';

/**
 * Those that run, or have ended in this boot, as declared are left so; the others are stopped and started anew, those no longer
 * declared are stopped and forgotten. `again`: what was given up is tried again.
 * Answers sentences about children that could not be started.
 */
export async function applyDeclared(
  processes: Processes,
  { groups, children }: Declared,
  { log, again }: { readonly log: Log; readonly again: boolean },
): Promise<string[]> {
  const { process, group, supervisor } = processes;
  const wanted = new Map(children.map((spec) => [spec.id, withDigest(spec)]));
  for (const each of groups) await group.define(each);
  const fine = new Set<string>();
  for (const { id, tags, state, thisBoot } of await supervisor.tree({})) {
    const same = tags[tag] !== undefined && tags[tag] === wanted.get(id)?.tags?.[tag];
    if (same && thisBoot && !(again && state === 'failed')) fine.add(id);
    else if (tags[tag] !== undefined || wanted.has(id)) await drop(processes, id, wanted.get(id)?.stopMs);
  }
  const problems: string[] = [];
  for (const [id, spec] of wanted) {
    if (fine.has(id)) continue;
    try {
      await process.start(spec);
    } catch (error) {
      if (!isKind(error, 'Failed_to_start')) throw error;
      problems.push(`${id}: ${error.message}`);
      log.error('a declared child could not be started', { id, error: error.message });
    }
  }
  await dropGroups(processes, new Set(groups.map((each) => each.id)), log);
  return problems;
}

async function drop({ process }: Processes, id: string, stopMs = defaultStopMs): Promise<void> {
  await process.stop({ id, timeoutMs: stopMs });
  await process.forget({ id });
}

/** Those without members that are not declared any more, the lowest first. */
async function dropGroups({ group }: Processes, declared: ReadonlySet<string>, log: Log): Promise<void> {
  for (const { id } of [...(await group.list({}))].reverse()) {
    if (declared.has(id)) continue;
    await group.remove({ id }).catch((error: unknown) => {
      if (!isKind(error, 'Group_impossible')) throw error;
      log.info('a group that is not declared has members of its own', { id });
    });
  }
}

function withDigest(spec: ProcessSpec): ProcessSpec {
  const digest = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16);
  return { ...spec, tags: { ...spec.tags, [tag]: digest } };
}
