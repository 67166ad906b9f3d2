/** What the door needs: the domain manager, what it remembers for callers who ask later, and the process that it is in. */
import type { Clock } from '../../base/clock.ts';
import type { Ids } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Call } from '../../contracts/contract.ts';
import type { Xenops } from '../../contracts/xenops.ts';

export type TaskView = {
  readonly id: string;
  readonly label: string;
  readonly operation: string;
  readonly startedAt: number;
  /** How often it has looked whether it is cancelled. */
  readonly cancelPoints: number;
  readonly state:
    | { readonly state: 'pending'; readonly progress: number }
    | { readonly state: 'completed'; readonly durationS: number; readonly result: unknown }
    | { readonly state: 'failed'; readonly error: unknown };
};
/** The domain manager's tasks (`xenops/tasks.ts`). */
export interface TaskList {
  run(label: string, operation: string, work: (call: Call) => Promise<unknown>): string;
  stat(id: string): TaskView;
  list(): readonly TaskView[];
  cancel(id: string): void;
  destroy(id: string): void;
  destroyOnFinish(id: string): void;
  /** The next task with this label is cancelled when it looks for the nth time. */
  cancelAt(label: string, n: number): void;
}
export interface ChangedObject {
  readonly kind: 'vm' | 'vbd' | 'vif' | 'pci' | 'vgpu' | 'vusb' | 'task';
  readonly vm: string;
  readonly id: string;
}
/** The domain manager's history of changes (`xenops/updates.ts`). */
export interface UpdateHistory {
  readonly lastId: number;
  get(
    last: number,
    timeoutS: number | undefined,
    signal: AbortSignal,
  ): Promise<{
    readonly barriers: readonly { readonly id: number; readonly changed: readonly ChangedObject[] }[];
    readonly changed: readonly ChangedObject[];
    readonly last: number;
  }>;
  touch(object: ChangedObject): void;
  drop(object: ChangedObject): void;
  injectBarrier(vm: string, id: number): void;
  removeBarrier(id: number): void;
  refresh(vm: string): void;
}
/** How a VM goes to another host; nobody does it yet. */
export type Migrate = (
  request: {
    readonly id: string;
    readonly url: string;
    readonly compress: boolean;
    readonly verifyDestination: boolean;
    readonly vdiMap: Readonly<Record<string, string>>;
  },
  call: Call,
) => Promise<void>;

export interface DoorParts {
  readonly xenops: Xenops;
  /** The TCP port of a VM's screen, where it has one. */
  readonly screenPort?: ((vm: string) => number | undefined) | undefined;
  readonly tasks: TaskList;
  readonly updates: UpdateHistory;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly version: string;
  /** New with every start of the daemon. */
  readonly instance: string;
  /** Ends the daemon; guests run on. */
  readonly shutdown: () => void;
  readonly migrate?: Migrate;
}
/** One call: its parts, what the caller calls it, and whether the caller still waits. */
export interface CallContext {
  readonly parts: DoorParts;
  readonly debug: string;
  readonly signal: AbortSignal;
}
/** Starts work that is asked for later. */
export const task = (c: CallContext, operation: string, work: (call: Call) => Promise<unknown>): string =>
  c.parts.tasks.run(c.debug, operation, work);
