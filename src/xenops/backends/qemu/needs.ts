/** What a domain's QEMU is looked after with. */
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Processes } from '../../../contracts/processes.ts';
import type { BackendEvent } from '../../backend.ts';
import type { Folders, Owner } from './folder.ts';

/** How patient we are, in milliseconds. */
export interface Patience {
  /** From the start of a QEMU to its first answer. */
  readonly startMs: number;
  /** For an ordinary command. */
  readonly commandMs: number;
  /** For a request to the guest, which QEMU only passes on. */
  readonly askMs: number;
  /** For an answer of the guest's agent. */
  readonly agentMs: number;
  /** For an agent to refuse to end its guest; one that does so says nothing. */
  readonly agentTellMs: number;
  /** Between looks at what the agent says: at first, and later. */
  readonly agentEagerMs: number;
  readonly agentIdleMs: number;
  /** How long filesystems are frozen at most. */
  readonly freezeMs: number;
  /** For a guest to go to sleep. */
  readonly sleepMs: number;
  /** Between two looks at a QEMU that says nothing by itself. */
  readonly heartbeatMs: number;
  /** Without an answer for this long a QEMU counts as hung. */
  readonly silenceMs: number;
  /** For QEMU to close its disks after TERM, before KILL. */
  readonly quitMs: number;
  /** For the guest to let go of a device. */
  readonly unplugMs: number;
  /** The same, when the device is taken away from it otherwise. */
  readonly forcedUnplugMs: number;
}
export interface DomainNeeds {
  readonly folders: Folders;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
  readonly patience: Patience;
  readonly owner: (domid: number) => Owner | undefined;
  readonly emit: (event: BackendEvent) => void;
}
