import assert from 'node:assert/strict';
import test from 'node:test';
import { complaint, endOfEvent, endOfLog, endOfStatus } from './ends.ts';

const shutdown = (reason: string) => endOfEvent({ event: 'SHUTDOWN', data: { guest: true, reason } })?.reason;

test('events tell why a guest ended', () => {
  assert.equal(shutdown('guest-shutdown'), 'poweroff');
  assert.equal(shutdown('guest-reset'), 'reboot');
  assert.equal(shutdown('guest-panic'), 'crash');
  assert.equal(shutdown('host-signal'), 'killed');
  assert.equal(endOfEvent({ event: 'GUEST_PANICKED', data: { action: 'pause' } })?.reason, 'crash');
  assert.equal(endOfEvent({ event: 'GUEST_PANICKED', data: { action: 'run' } }), undefined);
  assert.equal(endOfEvent({ event: 'STOP', data: {} }), undefined);
});
test('the last line of the log counts', () => {
  assert.equal(endOfLog('nothing'), undefined);
  const log = 'qemu_system_shutdown_request reason=6\nother\nqemu_system_shutdown_request reason=7\n';
  assert.equal(endOfLog(log)?.reason, 'reboot');
});
test('a reset shows only in the run state', () => {
  const log = 'runstate_set current_run_state 9 (running) new_state 10 (shutdown)\n';
  assert.equal(endOfLog(log)?.reason, 'reboot');
  assert.equal(endOfLog(`qemu_system_shutdown_request reason=6\n${log}`)?.reason, 'poweroff');
});
test('run states', () => {
  assert.equal(endOfStatus('running', ''), undefined);
  assert.equal(endOfStatus('shutdown', 'qemu_system_shutdown_request reason=7')?.reason, 'reboot');
  assert.equal(endOfStatus('shutdown', '')?.reason, 'poweroff');
  assert.equal(endOfStatus('guest-panicked', '')?.reason, 'crash');
});
test('of a log only the last complaint counts', () => {
  const log = `old words
31596@1795245313.858633:runstate_set current_run_state 6 (prelaunch) new_state 9 (running)
2026-11-21T07:15:00.000000Z qemu-system-x86_64: initrd is too large
2026-11-21T07:16:00.000000Z qemu-system-x86_64: initrd is too large
`;
  assert.equal(complaint(log), 'qemu-system-x86_64: initrd is too large');
  assert.equal(complaint(''), '');
});
