import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from './config-file.ts';

const parse = (text: string) => parseConfig('f.conf', text, (id) => `/log/${id}.out`);

test('groups and children with all that can be said of them', () => {
  const text = `
# What this host runs.
[group all]
[group storage]
  strategy = rest-for-one
  restarts = 3 in 1.5 min
  parent = all

[child switch]
command = /bin/switch --path "/run/a b" \\"x --empty ""
group = storage
ready = socket /run/s.sock
ready-within = 500 ms

[child web]
command = /bin/web
environment = A=1 "B=two words"
directory = /
uid = 7
gid = 8
log = /var/log/web.out
restart = transient
tries = 3
after = switch
ready = line now ready
stop-signal = SIGINT
stop-within = 2 s
memory = 1.5 MiB
cpus = 0.5
processes = 10
namespaces = network mount
log-size = 1 KiB
log-keep = 3
`;
  assert.deepEqual(parse(text), {
    groups: [
      { id: 'all', strategy: 'one-for-one', restarts: 5, withinMs: 60_000 },
      { id: 'storage', strategy: 'rest-for-one', restarts: 3, withinMs: 90_000, parent: 'all' },
    ],
    children: [
      {
        id: 'switch',
        command: ['/bin/switch', '--path', '/run/a b', '"x', '--empty', ''],
        log: '/log/switch.out',
        restart: 'permanent',
        group: 'storage',
        ready: { kind: 'socket', path: '/run/s.sock' },
        readyMs: 500,
      },
      {
        id: 'web',
        command: ['/bin/web'],
        env: { A: '1', B: 'two words' },
        cwd: '/',
        uid: 7,
        gid: 8,
        log: '/var/log/web.out',
        restart: 'transient',
        tries: 3,
        after: ['switch'],
        ready: { kind: 'line', text: 'now ready' },
        stopSignal: 'SIGINT',
        stopMs: 2000,
        limits: { memory: 1_572_864, cpus: 0.5, processes: 10 },
        namespaces: ['network', 'mount'],
        logSize: 1024,
        logKeep: 3,
      },
    ],
  });
});

test('a mistake is told with its place', () => {
  const child = '[child a]\ncommand = /bin/a\n';
  const cases: readonly (readonly [string, string])[] = [
    ['command = /bin/a', '1:1: line: it stands before the first'],
    ['[daemon a]', '1:1: line: [group NAME], [child NAME] or KEY = VALUE is expected'],
    ['[child a]', '1:8: child: it has no command'],
    ['[child a]\n  command = bin/a', '2:13: command: bin/a is no absolute path'],
    [`${child}command = /bin/b`, '3:1: command: it is there already'],
    [`${child}command =`, '3:1: command: it is there already'],
    [`${child}tries =`, '3:8: tries: a value is expected'],
    [`${child}${child}`, '3:8: child: there is a child a already'],
    [`${child}  nice = 5`, '3:3: nice: there is no such key; there are command, environment'],
    [`${child}toString = 5`, '3:1: toString: there is no such key'],
    [`${child}restart = always`, '3:11: restart: always is none of permanent, transient, temporary'],
    [`${child}tries = 0`, '3:9: tries: 0 is no whole number of 1 or more'],
    [`${child}ready = socket run`, '3:16: ready: run is no absolute path'],
    [`${child}ready = socket`, '3:15: ready:  is no absolute path'],
    [`${child}ready = soon`, '3:9: ready: soon is none of'],
    [`${child}stop-within = 5`, '3:15: stop-within: 5 is no number with one of the units ms, s, min, h'],
    [`${child}environment = A=1 B`, '3:19: environment: B is not of the form NAME=VALUE'],
    [`${child}environment = A=1 "B`, '3:19: environment: a quotation mark or backslash is not closed'],
    [`${child}group = g`, '3:9: group: there is no group g'],
    [`${child}after = b`, '3:9: after: there is no child b'],
    [`${child}after = a`, '3:9: after: a waits for a itself'],
    [`${child}after = b\n[child b]\ncommand = /b\nafter = a`, '3:9: after: b waits for a itself'],
    [`${child}cpus = 0`, '3:8: cpus: 0 is no number of 0.01 or more'],
    [`${child}memory = 5`, '3:10: memory: 5 is no number with one of the units B, KiB'],
    [`${child}namespaces = mount user`, '3:20: namespaces: user is none of mount'],
    ['[group g]\nparent = g', '2:10: parent: there is no group g above this one'],
    ['[group g]\n[group g]', '2:8: group: there is a group g already'],
    ['[group g]\nrestarts = often', '2:12: restarts: often is not of the form 5 in 60 s'],
    ['[group g]\nrestarts = 5 in 60', '2:17: restarts: 60 is no number with one of the units'],
    ['[group g]\nstrategy = some', '2:12: strategy: some is none of one-for-one'],
    ['#'.repeat(1_100_000), '1:1: file: it is longer than'],
  ];
  for (const [text, expected] of cases)
    assert.throws(
      () => parse(text),
      (e: Error) => e.name === 'ConfigError' && e.message.startsWith(`f.conf:${expected}`),
      expected,
    );
});
