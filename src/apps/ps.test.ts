import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessNode } from '../contracts/processes.ts';
import { treeLines } from './ps.ts';

const node = (id: string, more: Partial<ProcessNode>): ProcessNode => ({
  id,
  group: null,
  state: 'up',
  pid: 7,
  restarts: 0,
  memory: 2 ** 20,
  startedAt: 1000,
  adopted: false,
  thisBoot: true,
  tags: {},
  note: '',
  ...more,
});

test('the tree: groups with their members, last words below their child', () => {
  const lines = treeLines(
    {
      supervisor: { pid: 5, startedAt: 400, memory: 40 * 2 ** 20 },
      groups: [
        { id: 'disks', strategy: 'rest-for-one', restarts: 5, withinMs: 60_000 },
        { id: 'nbd', strategy: 'one-for-one', restarts: 1, withinMs: 500, parent: 'disks' },
      ],
      processes: [
        node('server', { group: 'nbd', restarts: 3, adopted: true }),
        node('broken', {
          group: 'disks',
          state: 'failed',
          pid: 0,
          memory: null,
          note: 'ended 3 times; its last words:\nno disk',
        }),
        node('house', {}),
      ],
    },
    1060,
  );
  assert.deepEqual(lines, [
    'NAME             STATE   PID  UP      RESTARTS  MEMORY',
    'forkexecd        up      5    11 min  -         40.0 MiB',
    '├─ [disks]                                                rest-for-one, at most 5 restarts in 60 s',
    '│  ├─ [nbd]                                               one-for-one, at most 1 restarts in 0.5 s',
    '│  │  └─ server  up      7    60 s    3         1.0 MiB   adopted',
    '│  └─ broken     failed  -    -       0         -         ended 3 times; its last words:',
    '                 | no disk',
    '└─ house         up      7    60 s    0         1.0 MiB',
  ]);
});
