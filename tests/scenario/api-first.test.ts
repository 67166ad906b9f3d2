import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiHouse, jsonrpc, type Loose, login, xmlrpc } from './api-house.ts';

for (const [name, call] of [
  ['XML-RPC', xmlrpc],
  ['JSON-RPC', jsonrpc],
] as const)
  test(`log in, list VMs, follow changes, log out, over ${name}`, async () => {
    await using h = await apiHouse();
    const session = await login(h.url);
    h.db.create('VM', { name_label: 'one' });
    const vms = await call(h.url, 'VM.get_all_records', session);
    assert.deepEqual(
      Object.values(vms).map((vm: Loose) => vm.name_label),
      ['one'],
    );
    const [ref] = Object.keys(vms) as [string];
    const first = await call(h.url, 'event.from', session, ['vm'], '', 1.5);
    assert.deepEqual(
      first.events.map((e: Loose) => [e.class, e.operation, e.ref, e.snapshot.name_label, e.timestamp]),
      [['vm', 'add', ref, 'one', '0.0']],
    );
    const waiting = call(h.url, 'event.from', session, ['VM'], first.token, 30.5);
    await call(h.url, 'VM.set_name_label', session, ref, 'two & <three>');
    const second = await waiting;
    assert.equal(second.events[0].operation, 'mod');
    assert.equal(second.events[0].snapshot.name_label, 'two & <three>');
    assert.equal(Number(second.valid_ref_counts.vm), 1);
    await call(h.url, 'session.logout', session);
    await assert.rejects(call(h.url, 'VM.get_all', session), { wire: ['SESSION_INVALID', session] });
  });
