/** A supervisor without persistence: children die with the test. Only what tests of other rooms need. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { type Processes, type ProcessInfo, type ProcessSpec, processErrors } from '../../src/contracts/processes.ts';

export function plainProcesses(): Processes & { end(): Promise<void> } {
  const children = new Map<string, { spec: ProcessSpec; child: ChildProcess; ended: Promise<void> }>();
  const find = (id: string) => {
    const found = children.get(id);
    if (!found) throw processErrors.make('Does_not_exist', { id });
    return found;
  };
  const info = (id: string): ProcessInfo => {
    const { spec, child } = find(id);
    const running = child.exitCode === null && child.signalCode === null;
    return {
      id,
      pid: child.pid ?? 0,
      startTime: '',
      command: spec.command,
      tags: spec.tags ?? {},
      running,
      exitCode: child.exitCode,
      exitSignal: child.signalCode,
      adopted: false,
    };
  };
  const kill = async (id: string, signal: 'SIGTERM' | 'SIGKILL') => {
    const found = children.get(id);
    found?.child.kill(signal);
    await found?.ended;
  };
  return {
    process: {
      async start(spec) {
        const before = children.get(spec.id);
        if (before && info(spec.id).running) throw processErrors.make('Already_running', { id: spec.id, pid: 0 });
        const [command = '', ...args] = spec.command;
        const log = openSync(spec.log, 'a');
        const child = spawn(command, args, { stdio: ['ignore', log, log] });
        const ended = new Promise<void>((resolve) => {
          child.once('close', () => resolve()).once('error', () => resolve());
        });
        children.set(spec.id, { spec, child, ended });
        return info(spec.id);
      },
      list: async () => [...children.keys()].map(info),
      stat: async ({ id }) => info(id),
      stop: ({ id }) => kill(id, 'SIGTERM'),
      kill: ({ id }) => kill(id, 'SIGKILL'),
      ready: async () => undefined,
      forget: async ({ id }) => {
        find(id);
        children.delete(id);
      },
    },
    group: {
      define: async () => undefined,
      list: async () => [],
      remove: async () => undefined,
    },
    supervisor: {
      tree: async () => [],
      info: async () => ({ pid: process.pid, version: 'test', startedAt: 0 }),
      shutdown: async () => undefined,
    },
    watch: () => () => undefined,
    async end() {
      for (const id of children.keys()) await kill(id, 'SIGKILL');
    },
  };
}
