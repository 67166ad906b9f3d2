/** The supervisor: the parent of every child process. Children outlive whoever asked for them, and the supervisor too. */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { type Shape, s } from './schema.ts';

const readiness = s.union('kind', {
  running: s.object({ kind: s.literal('running') }),
  said: s.object({ kind: s.literal('said') }),
  socket: s.object({ kind: s.literal('socket'), path: s.string }),
  line: s.object({ kind: s.literal('line'), text: s.string }),
});
const spec = s.object({
  /** Chosen by the caller; starting an id that runs is refused. */
  id: s.string,
  /** Absolute path, then arguments; never a shell. */
  command: s.list(s.string),
  env: s.optional(s.record(s.string)),
  cwd: s.optional(s.string),
  uid: s.optional(s.size),
  gid: s.optional(s.size),
  /** Absolute path that stdout and stderr are appended to. */
  log: s.string,
  /**
   * Whether it is started again when it ends unasked: always, after a failure, never (the default). Pauses grow from 0.1 s to 30 s
   * unless it came up.
   */
  restart: s.optional(s.oneOf('permanent', 'transient', 'temporary')),
  /** Runs in a row that may end before it came up; then it is given up. 10 by default, at least 1. */
  tries: s.optional(s.size),
  /** The group that it belongs to, which must be defined. */
  group: s.optional(s.string),
  /** Children that must be up before it is started; it waits for them. */
  after: s.optional(s.list(s.string)),
  /** What tells that it is up: that it runs (the default), its `ready`, a socket that answers, a text in its log. */
  ready: s.optional(readiness),
  /** Milliseconds to come up; then it is killed, which counts as an end of its own. Without: as long as it takes. */
  readyMs: s.optional(s.size),
  /** How it is asked to end, TERM by default, and the milliseconds until it is killed when the supervisor asks; 10,000 by default. */
  stopSignal: s.optional(s.oneOf('SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2')),
  stopMs: s.optional(s.size),
  /** Of it and all that it starts: bytes of memory, processors (fractions too), processes. */
  limits: s.optional(
    s.object({ memory: s.optional(s.size), cpus: s.optional(s.number), processes: s.optional(s.size) }),
  ),
  /** What it has of its own instead of the host's. With `pid` it is process 1, sees itself and its children alone, and its own /proc. */
  namespaces: s.optional(s.list(s.oneOf('mount', 'network', 'ipc', 'uts', 'pid'))),
  /** Bytes after which its log is put aside, 16 MiB by default, and how many old ones are kept, 1 by default. */
  logSize: s.optional(s.size),
  logKeep: s.optional(s.size),
  /** Bytes a second that its log may grow by, looked at every second; what is more is left out, with a line that says so. */
  logRate: s.optional(s.size),
  /** Kept with the process and handed back by `list`. */
  tags: s.optional(s.record(s.string)),
});
const info = s.object({
  id: s.string,
  pid: s.int,
  /** Field 22 of /proc/PID/stat: with the pid it identifies a process for one boot. */
  startTime: s.string,
  command: s.list(s.string),
  tags: s.record(s.string),
  running: s.boolean,
  /** Null while it runs, and when it ended while no supervisor was its parent. */
  exitCode: s.nullable(s.int),
  exitSignal: s.nullable(s.string),
  /** True when this supervisor found it running. */
  adopted: s.boolean,
  /** Of one that was given up: why, and what it printed last. */
  failed: s.optional(s.string),
});
const group = s.object({
  id: s.string,
  /** Who is started again with a member that ends: itself, all, or those that were started after it. */
  strategy: s.oneOf('one-for-one', 'all-for-one', 'rest-for-one'),
  /** More restarts than this within that time: the group above starts it again as a whole; without one all is given up. */
  restarts: s.size,
  withinMs: s.size,
  /** The group above. */
  parent: s.optional(s.string),
});
const node = s.object({
  id: s.string,
  group: s.nullable(s.string),
  state: s.oneOf('waiting', 'starting', 'up', 'pausing', 'stopping', 'ended', 'failed'),
  /** 0 when it does not run. */
  pid: s.int,
  restarts: s.size,
  /** Bytes that it holds in memory; null when it does not run. */
  memory: s.nullable(s.size),
  /** Seconds since the epoch; null when unknown. */
  startedAt: s.nullable(s.int),
  adopted: s.boolean,
  /** Whether its last run was in this boot of the host. */
  thisBoot: s.boolean,
  tags: s.record(s.string),
  /** Which children it waits for, why it was given up and what it printed last, how it ended; empty otherwise. */
  note: s.string,
});
const byId = s.object({ id: s.string });

export const processesContract = contract({
  name: 'processes',
  methods: {
    process: {
      start: method('Start a child; answers once it is running.', spec, info),
      list: method('Every child that runs, and those that ended and were not forgotten.', s.object({}), s.list(info)),
      stat: method('One child.', byId, info),
      stop: method(
        'Send TERM, and KILL after the timeout; answers when it is gone. An unknown or ended one is no error.',
        s.object({ id: s.string, timeoutMs: s.size }),
        s.nothing,
      ),
      kill: method('Send KILL and wait until it is gone. An unknown or ended one is no error.', byId, s.nothing),
      ready: method(
        'The child has come up: should it end now, it is started again soon. An unknown one is no error.',
        byId,
        s.nothing,
      ),
      forget: method('Drop the memory of an ended child.', byId, s.nothing),
    },
    group: {
      define: method('Make a group or change it; its members stay.', group, s.nothing),
      list: method('Every group.', s.object({}), s.list(group)),
      remove: method('Drop a group without members. An unknown one is no error.', byId, s.nothing),
    },
    supervisor: {
      tree: method(
        'Every child with what the supervisor makes of it, in order of starting.',
        s.object({}),
        s.list(node),
      ),
      info: method(
        'Who the supervisor is.',
        s.object({}),
        s.object({ pid: s.int, version: s.string, startedAt: s.int }),
      ),
      shutdown: method(
        'End the supervisor. `children` says whether its children are stopped too.',
        s.object({ children: s.boolean }),
        s.nothing,
      ),
    },
  },
  event: s.object({ event: s.oneOf('started', 'exited', 'failed'), process: info }),
});
export type Processes = Api<typeof processesContract>;
export type ProcessSpec = Shape<typeof spec>;
export type ProcessInfo = Shape<typeof info>;
export type ProcessGroup = Shape<typeof group>;
export type ProcessNode = Shape<typeof node>;

export const processErrors = errorsOf({
  Already_running: 'a process with the id {id} is running already (pid {pid})',
  Does_not_exist: 'no process has the id {id}',
  Group_unknown: 'no group has the id {id}; define it first',
  Group_impossible: 'the group {id} cannot be: {reason}',
  Failed_to_start: '{command} did not start: {reason}',
});
