/** One row per operation. */
import { op } from '../wire/xenstore.ts';
import * as connections from './connection-operations.ts';
import { control } from './control.ts';
import type { Core } from './core.ts';
import * as domains from './domain-operations.ts';
import type { Outcome } from './node-operations.ts';
import * as nodes from './node-operations.ts';
import type { Request } from './request.ts';

export interface Operation {
  readonly name: string;
  /** Whether the transaction id counts; elsewhere it is not looked at, only sent back. */
  readonly transaction: boolean;
  /** Only domain 0 may. */
  readonly privileged: boolean;
  readonly run: (core: Core, request: Request) => Outcome;
}

const row = (
  name: string,
  run: Operation['run'],
  { transaction = false, privileged = false }: { readonly transaction?: boolean; readonly privileged?: boolean } = {},
): Operation => ({ name, transaction, privileged, run });
const inTransaction = { transaction: true };
const privileged = { privileged: true };

const table: Readonly<Record<number, Operation>> = {
  [op.control]: row('CONTROL', control, privileged),
  [op.directory]: row('DIRECTORY', nodes.directory, inTransaction),
  [op.read]: row('READ', nodes.read, inTransaction),
  [op.getPerms]: row('GET_PERMS', nodes.getPerms, inTransaction),
  [op.watch]: row('WATCH', connections.watch),
  [op.unwatch]: row('UNWATCH', connections.unwatch),
  [op.transactionStart]: row('TRANSACTION_START', connections.transactionStart, inTransaction),
  [op.transactionEnd]: row('TRANSACTION_END', connections.transactionEnd, inTransaction),
  [op.introduce]: row('INTRODUCE', domains.introduce, privileged),
  [op.release]: row('RELEASE', domains.release, privileged),
  [op.getDomainPath]: row('GET_DOMAIN_PATH', domains.getDomainPath),
  [op.write]: row('WRITE', nodes.write, inTransaction),
  [op.mkdir]: row('MKDIR', nodes.mkdir, inTransaction),
  [op.rm]: row('RM', nodes.rm, inTransaction),
  [op.setPerms]: row('SET_PERMS', nodes.setPerms, inTransaction),
  [op.isDomainIntroduced]: row('IS_DOMAIN_INTRODUCED', domains.isDomainIntroduced, privileged),
  [op.resume]: row('RESUME', domains.resume, privileged),
  [op.setTarget]: row('SET_TARGET', domains.setTarget, privileged),
  [op.resetWatches]: row('RESET_WATCHES', connections.resetWatches),
  [op.directoryPart]: row('DIRECTORY_PART', nodes.directoryPart, inTransaction),
  [op.getFeature]: row('GET_FEATURE', domains.getFeature),
  [op.setFeature]: row('SET_FEATURE', domains.setFeature, privileged),
  [op.getQuota]: row('GET_QUOTA', domains.getQuota, privileged),
  [op.setQuota]: row('SET_QUOTA', domains.setQuota, privileged),
};

/** By number, without holes in the array itself; undefined is answered ENOSYS. */
export const operations: readonly (Operation | undefined)[] = Array.from({ length: 27 }, (_, number) => table[number]);
