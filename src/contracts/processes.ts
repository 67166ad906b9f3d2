/** The supervisor: the parent of every child process. Children outlive whoever asked for them, and the supervisor too. */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { type Shape, s } from './schema.ts';

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
  /** Started again when it ends unasked, with pauses that grow unless it has said `ready` or run for a while. */
  restart: s.optional(s.boolean),
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
    supervisor: {
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
  event: s.object({ event: s.oneOf('started', 'exited'), process: info }),
});
export type Processes = Api<typeof processesContract>;
export type ProcessSpec = Shape<typeof spec>;
export type ProcessInfo = Shape<typeof info>;

export const processErrors = errorsOf({
  Already_running: 'a process with the id {id} is running already (pid {pid})',
  Does_not_exist: 'no process has the id {id}',
  Failed_to_start: '{command} did not start: {reason}',
});
