import assert from 'node:assert/strict';
import test from 'node:test';
import { alertOf, type Before } from './vm-alerts.ts';
import { wireTime } from './wire-time.ts';

type State = Parameters<typeof alertOf>[1];
const running = { power: 'Running', domid: 4, startedAt: 1000, lastEnd: null } as unknown as State;
const before: Before = { power: 'Running', domid: 4, startTime: wireTime(1_000_000), lastEnd: null, operations: [] };
const end = (reason: string) => ({ reason, detail: 'it says why', at: 1001 }) as State['lastEnd'];
const name = (b: Partial<Before>, s: Partial<State>) => alertOf({ ...before, ...b }, { ...running, ...s })?.name;

test('what happened to a VM is told by its state before and after', () => {
  const halted = { power: 'Halted', domid: -1, startedAt: 0 } as const;
  assert.equal(name({ power: 'Halted', domid: -1 }, {}), 'VM_STARTED');
  assert.equal(name({ power: 'Suspended', domid: -1 }, {}), 'VM_RESUMED');
  assert.equal(name({}, { power: 'Suspended', domid: -1 }), 'VM_SUSPENDED');
  assert.equal(name({}, { power: 'Paused' }), 'VM_PAUSED');
  assert.equal(name({ power: 'Paused' }, {}), 'VM_UNPAUSED');
  assert.equal(name({}, { ...halted, lastEnd: end('poweroff') }), 'VM_SHUTDOWN');
  assert.equal(name({}, halted), 'VM_SHUTDOWN');
  for (const reason of ['crash', 'killed', 'hung'])
    assert.equal(name({}, { ...halted, lastEnd: end(reason) }), 'VM_CRASHED');
});
test('nothing happened: nothing is told', () => {
  assert.equal(name({}, {}), undefined);
  for (const operations of [['start'], ['checkpoint']]) {
    assert.equal(name({ power: 'Paused', operations }, {}), undefined);
    assert.equal(name({ operations }, { power: 'Paused' }), undefined);
  }
  assert.equal(name({ power: 'Paused', operations: ['unpause'] }, {}), 'VM_UNPAUSED');
  assert.equal(name({ power: 'Halted' }, { power: 'Halted', domid: -1 }), undefined);
  assert.equal(name({ power: 'Suspended' }, { power: 'Halted', domid: -1 }), undefined);
});
test('another domain is a reboot, a crash that was answered with a restart, or a move', () => {
  assert.equal(name({}, { domid: 5, startedAt: 1002, lastEnd: end('reboot') }), 'VM_REBOOTED');
  assert.equal(name({}, { domid: 5, startedAt: 1002, lastEnd: end('crash') }), 'VM_CRASHED');
  assert.equal(name({}, { domid: 5, lastEnd: end('reboot') }), 'VM_REBOOTED', 'within one second');
  assert.equal(name({}, { domid: 5 }), undefined);
  assert.equal(name({ lastEnd: end('reboot') }, { domid: 5, lastEnd: end('reboot') }), undefined);
  assert.equal(name({ lastEnd: undefined }, { domid: 5, lastEnd: end('reboot') }), undefined);
});
