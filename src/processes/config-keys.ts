/** The keys of the configuration file: each reads its value into a part of what it describes. Adding one: its row here. */
import type { ProcessGroup, ProcessSpec } from '../contracts/processes.ts';
import type { Setting } from './config-setting.ts';

export type Key<T> = (value: Setting) => Partial<T>;

const strategies = ['one-for-one', 'all-for-one', 'rest-for-one'] as const;
const policies = ['permanent', 'transient', 'temporary'] as const;
const namespaces = ['mount', 'network', 'ipc', 'uts', 'pid'] as const;
const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

export const groupKeys: Readonly<Record<string, Key<ProcessGroup>>> = {
  strategy: (v) => ({ strategy: v.oneOf(strategies) }),
  restarts: intensity,
  parent: (v) => ({ parent: v.text }),
};

export const childKeys: Readonly<Record<string, Key<ProcessSpec>>> = {
  command: (v) => {
    const words = v.words();
    words[0]?.path();
    return { command: words.map((word) => word.text) };
  },
  environment: (v) => ({ env: Object.fromEntries(v.words().map(variable)) }),
  directory: (v) => ({ cwd: v.path() }),
  uid: (v) => ({ uid: v.count(0, 2 ** 32 - 2) }),
  gid: (v) => ({ gid: v.count(0, 2 ** 32 - 2) }),
  log: (v) => ({ log: v.path() }),
  restart: (v) => ({ restart: v.oneOf(policies) }),
  tries: (v) => ({ tries: v.count(1) }),
  group: (v) => ({ group: v.text }),
  after: (v) => ({ after: v.words().map((word) => word.text) }),
  ready: (v) => ({ ready: readiness(v) }),
  'ready-within': (v) => ({ readyMs: v.time() }),
  'stop-signal': (v) => ({ stopSignal: v.oneOf(signals) }),
  'stop-within': (v) => ({ stopMs: v.time() }),
  namespaces: (v) => ({ namespaces: v.words().map((word) => word.oneOf(namespaces)) }),
  'log-size': (v) => ({ logSize: v.size() }),
  'log-keep': (v) => ({ logKeep: v.count(1, 100) }),
  'log-rate': (v) => ({ logRate: v.size() }),
};
/** Each limits a resource; together they are one member of the description. */
export const limitKeys: Readonly<Record<string, Key<NonNullable<ProcessSpec['limits']>>>> = {
  memory: (v) => ({ memory: v.size() }),
  cpus: (v) => ({ cpus: v.number(0.01) }),
  processes: (v) => ({ processes: v.count(1) }),
};

function intensity(v: Setting): Partial<ProcessGroup> {
  const [, often] = /^(\S+)\s+in\s+\S/.exec(v.text) ?? [];
  if (often === undefined) return v.fail(`${v.text} is not of the form 5 in 60 s`);
  const within = v.rest(v.text.search(/\sin\s/) + 3);
  const restarts = /^\d+$/.test(often) ? Number(often) : v.fail(`${often} is no whole number`);
  return { restarts, withinMs: within.time() };
}

function variable(word: Setting): readonly [string, string] {
  const at = word.text.indexOf('=');
  if (at < 1) return word.fail(`${word.text} is not of the form NAME=VALUE`);
  return [word.text.slice(0, at), word.text.slice(at + 1)];
}

function readiness(v: Setting): NonNullable<ProcessSpec['ready']> {
  const [kind = ''] = v.text.split(/\s/, 1);
  const rest = v.rest(kind.length);
  if (kind === 'socket') return { kind, path: rest.path() };
  if (kind === 'line' && rest.text !== '') return { kind, text: rest.text };
  if ((kind === 'running' || kind === 'said') && rest.text === '') return { kind };
  return v.fail(`${v.text} is none of running, said, socket PATH, line TEXT`);
}
