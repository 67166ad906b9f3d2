import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../../contracts/contract.ts';
import { kernelLog, messageText } from './kernel-log.ts';

test("a kernel's message is written as dmesg does, without what follows its first line", () => {
  const record = '6,339,5140900,-;NET: Registered \\xe4\\x0a 10\n SUBSYSTEM=net\n';
  assert.equal(messageText(record), '[    5.140900] NET: Registered \u00e4\n 10\n');
});
test('without messages to read it is not possible, with the reason', () => {
  assert.throws(
    () => kernelLog('/nowhere/kmsg'),
    (e) => isKind(e, 'Unimplemented') && /ENOENT/.test(e.message),
  );
});
