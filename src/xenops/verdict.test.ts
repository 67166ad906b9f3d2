import assert from 'node:assert/strict';
import test from 'node:test';
import type { Observed } from './backend.ts';
import type { Marked, Run } from './record.ts';
import { testSpec } from './testing/house.ts';
import { type How, verdict } from './verdict.ts';

const spec = testSpec(1);
const run: Run = { domid: 5, startedAt: 0, spec, boot: '' };
const image = { image: { kind: 'path' as const, path: '/image', format: 'raw' as const }, spec };
type Seen = Observed['power'] | 'new' | undefined;

function ask(operation: Marked | null, seen: Seen, how: How, o: { image?: boolean; run?: boolean } = {}): string {
  const record = { operation, run: o.run === false ? null : run, suspended: o.image ? image : null };
  const domain = seen && { domid: seen === 'new' ? 6 : 5, power: seen === 'new' ? ('running' as const) : seen };
  const v = verdict(record, domain, how);
  const more = v.do === 'adopt' ? [v.unpause && 'unpause', v.dropImage && 'drop image'].filter(Boolean) : [];
  return [v.do, ...more].join(', ');
}

test('without a domain on record, whatever is there goes', () => {
  for (const how of ['failed', 'found', 'late'] as const) {
    for (const seen of [undefined, 'paused', 'running', 'ended'] as const) {
      assert.equal(ask(null, seen, how, { run: false }), 'destroy');
    }
  }
});

test('what is done about each operation that was interrupted or failed', () => {
  const rows: [Marked | null, Seen, How, boolean, string][] = [
    [null, 'running', 'found', false, 'adopt'],
    [null, undefined, 'found', false, 'lost'],
    ['start', 'running', 'found', false, 'adopt'],
    ['start', 'paused', 'found', false, 'destroy'],
    ['start', undefined, 'found', false, 'destroy'],
    ['start', 'running', 'failed', false, 'destroy'],
    ['resume', 'paused', 'found', true, 'destroy'],
    ['resume', 'paused', 'found', false, 'adopt, unpause'],
    ['resumePaused', 'paused', 'found', false, 'adopt'],
    ['resume', 'paused', 'failed', false, 'adopt'],
    ['suspend', 'paused', 'found', false, 'adopt, unpause'],
    ['suspend', 'running', 'failed', false, 'adopt'],
    ['suspend', undefined, 'found', false, 'lost'],
    ['suspend', 'paused', 'found', true, 'destroy'],
    ['suspend', 'running', 'found', true, 'adopt, drop image'],
    ['reboot', 'running', 'failed', false, 'adopt'],
    ['reboot', 'new', 'failed', false, 'destroy'],
    ['reboot', 'new', 'found', false, 'adopt'],
    ['reboot', undefined, 'failed', false, 'destroy'],
    ['reboot', undefined, 'found', false, 'restart'],
    ['reboot', 'ended', 'found', false, 'restart'],
    ['shutdown', 'running', 'found', false, 'adopt'],
    ['shutdown', 'ended', 'found', false, 'destroy'],
    ['shutdown', undefined, 'failed', false, 'destroy'],
  ];
  for (const [operation, seen, how, suspended, todo] of rows) {
    assert.equal(ask(operation, seen, how, { image: suspended }), todo, `${operation} ${seen} ${how} ${suspended}`);
  }
});
