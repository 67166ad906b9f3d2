/** Files for the first boot of a guest with cloud-init, named on the command line of `vm-install`. */
import type { Ref } from '../../../datamodel/dsl.ts';
import { type CloudInit, CloudInitError, checkCloudInit, largestPart, parts } from '../../../wire/cloud-init.ts';
import { XeError } from '../arguments.ts';
import type { Work } from '../work.ts';

const parameterOf = (part: (typeof parts)[number]) => `${part}-file`;

/** Reads and checks them; a mistake is told with its place in the file. */
export async function cloudInitFiles(work: Work): Promise<CloudInit> {
  const { params } = work.request;
  const given: Record<string, string> = {};
  for (const part of parts) {
    const file = params.get(parameterOf(part));
    if (file === undefined) continue;
    // One byte more than is possible: the check says so.
    const bytes = await work.screen.load(file, largestPart + 1);
    if (!bytes)
      throw new XeError(`The file ${JSON.stringify(file)} could not be read`, [['parameter', parameterOf(part)]]);
    given[part] = bytes.toString('utf8');
  }
  try {
    checkCloudInit(given);
  } catch (error) {
    if (!(error instanceof CloudInitError)) throw error;
    const { part, line, column, reason } = error;
    throw new XeError(`${params.get(parameterOf(part))}:${line}:${column}: ${part}: ${reason}`);
  }
  return given;
}
/** Gives them to the VM. */
export async function setCloudInit(work: Work, vm: Ref<'VM'>, given: CloudInit): Promise<void> {
  const entries = Object.entries(given).map(([part, text]) => [`cloud-init-${part}`, text] as const);
  if (entries.length === 0) return;
  const before = await work.client.VM.get_other_config({ self: vm });
  await work.client.VM.set_other_config({ self: vm, value: { ...before, ...Object.fromEntries(entries) } });
}
