import type { VM } from '../../datamodel/classes/vm.ts';
import type { ClassHandlers } from '../context.ts';
import { vmConfig } from './vm-config.ts';
import { vmCopy } from './vm-copy.ts';
import { vmImport } from './vm-import.ts';
import { vmMigrate } from './vm-migrate.ts';
import { vmPower } from './vm-power.ts';
import { vmSnapshot } from './vm-snapshot.ts';

/** XenAPI class VM: life cycle, settings, copies and snapshots of virtual machines. */
export const vmHandlers: ClassHandlers<typeof VM> = {
  ...vmPower,
  ...vmMigrate,
  ...vmConfig,
  ...vmCopy,
  ...vmImport,
  ...vmSnapshot,
};
