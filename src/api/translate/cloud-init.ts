/** `VM.other_config:cloud-init-*` → the volume that a guest with cloud-init looks for at its first boot. Pure. */
import { hostLabel } from '../../base/host-name.ts';
import type { VbdSpec } from '../../contracts/xenops.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import {
  type CloudInit,
  CloudInitError,
  checkCloudInit,
  type Part,
  parts,
  seedFiles,
  seedLabel,
  wantsSeed,
} from '../../wire/cloud-init.ts';

/** `cloud-init-user-data`, `cloud-init-meta-data`, `cloud-init-network-config` */
export const cloudInitKey = (part: Part): string => `cloud-init-${part}`;
/** Beyond the positions that VBDs are offered. */
const firstPosition = 16;

/** The drive with the seed, after the others; none when nothing is given. VALUE_NOT_SUPPORTED with the place of the mistake. */
export function cloudInitDrive(vm: Rec<'VM'>, drives: readonly VbdSpec[]): VbdSpec[] {
  const given: CloudInit = Object.fromEntries(parts.map((part) => [part, vm.other_config[cloudInitKey(part)] ?? '']));
  if (!wantsSeed(given)) return [];
  const taken = new Set(drives.map((d) => d.position));
  let position = firstPosition;
  while (taken.has(position)) position++;
  const files = inWords(() => {
    checkCloudInit(given);
    return seedFiles(given, { instance: vm.uuid, hostname: hostLabel(vm.name_label, vm.uuid) });
  });
  // A disk: every guest has a driver for that, and finds the volume by its name.
  const media = { kind: 'files', label: seedLabel, files } as const;
  return [{ id: 'cloud-init', position, type: 'Disk', mode: 'RO', media, bootable: false, unpluggable: false }];
}

function inWords<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof CloudInitError)) throw error;
    const { part, line, column, reason } = error;
    const value = line > 0 ? `line ${line}, column ${column}` : 'all of it';
    throw fail('VALUE_NOT_SUPPORTED', { field: `other_config:${cloudInitKey(part)}`, value, reason });
  }
}
