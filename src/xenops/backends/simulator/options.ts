/** What a simulated host is made of, and what may be done to it besides what any ground can. */
import type { Clock } from '../../../base/clock.ts';
import type { Ids } from '../../../base/ids.ts';
import type { Log } from '../../../base/log.ts';
import type { Backend, DomainEnd } from '../../backend.ts';
import type { Faults } from './faults.ts';
import type { Wire } from './moves.ts';
import type { SimWorld } from './world.ts';

export interface SimulatorOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log?: Log;
  /** Bytes of memory for guests; 64 GiB. */
  readonly memoryBytes?: number;
  /** 16. */
  readonly cpus?: number;
  /** How long a guest boots before it says READY and reacts to requests; 0. */
  readonly bootDelayMs?: number;
  readonly faults?: Faults;
  /** The host that is simulated; a new one when absent. */
  readonly world?: SimWorld;
  /** Keeps the host in this file, so that guests outlive the process. */
  readonly persistFile?: string;
  /** Gives each guest a serial console and a screen, unix sockets in this folder. */
  readonly consoleDir?: string;
  /** The network between hosts: handed to a second simulator, guests move between the two. Its streams end with their process. */
  readonly wires?: Map<string, Wire>;
}
/** The simulator, and what a test may do to its guests. */
export interface Simulator extends Backend {
  readonly world: SimWorld;
  /** The guest ends by itself, as if it had done so. */
  endGuest(vm: string, end: DomainEnd): void;
  /** The guest opens a drive by itself. */
  openTray(vm: string, vbd: string): void;
  /** From now on no verb does or answers anything: the process that drove the hypervisor is dead. */
  kill(): void;
}
