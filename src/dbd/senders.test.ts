import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BusConnection, BusSignal } from '../bus/connection.ts';
import { BusError, busErrors, type OutgoingCall } from '../bus/interface.ts';
import type { Store } from '../contracts/xenstore.ts';
import { Senders } from './senders.ts';

const uuid = '11111111-2222-3333-4444-555555555551';
const noOwner = () => new BusError(busErrors.noOwner, 'nobody');

/** A bus with connections and their processes; brokers know some of them. */
function bed(o: { knowsDomains?: boolean; xenstore?: Record<string, string> } = {}) {
  const pids = new Map([
    [':1.1', 10],
    [':1.2', 20],
    [':1.3', 30],
  ]);
  const brokers = new Map<string, (name: string) => readonly unknown[]>();
  const asked: string[] = [];
  let signal: (s: BusSignal) => void = () => undefined;
  const bus = {
    follow: async (_: string, listener: typeof signal) => {
      signal = listener;
    },
    async bus(member: string, _?: string, name?: string) {
      asked.push(member);
      if (member === 'GetConnectionDOMID') {
        if (!o.knowsDomains) throw new BusError(busErrors.unknownMethod, 'no such method');
        return [name === ':1.1' ? 0 : 7];
      }
      if (member === 'ListQueuedOwners') {
        if (brokers.size === 0) throw noOwner();
        return [[...brokers.keys()]];
      }
      const pid = pids.get(name ?? '');
      if (pid === undefined) throw noOwner();
      return [pid];
    },
    call: async ({ destination, args }: OutgoingCall) => brokers.get(destination)?.(String(args?.[0])),
  } as unknown as BusConnection;
  const store = { find: async (path: string) => o.xenstore?.[path] } as unknown as Store;
  const changed = (name: string, before: string, now: string) =>
    signal({
      sender: 'org.freedesktop.DBus',
      path: '/',
      interface: '',
      member: 'NameOwnerChanged',
      args: [name, before, now],
    });
  return { senders: Senders.follow(bus, o.xenstore && store), pids, brokers, asked, changed };
}
const denied = { errorName: busErrors.accessDenied };

describe('who calls the database', () => {
  test('without brokers everybody is of the host; asked once, until it hangs up', async () => {
    const b = bed();
    const senders = await b.senders;
    assert.deepEqual(await senders.of(':1.1'), { domid: 0, uuid: null });
    const before = b.asked.length;
    await senders.of(':1.1');
    assert.equal(b.asked.length, before);
    b.changed(':1.1', ':1.1', '');
    b.pids.delete(':1.1');
    await assert.rejects(senders.of(':1.1'), denied);
  });
  test('a broker knows its guests; all brokers are asked', async () => {
    const b = bed();
    b.brokers.set(':1.2', () => {
      throw noOwner();
    });
    b.brokers.set(':1.3', (name) => {
      if (name === ':1.9') return [5, uuid, false];
      throw noOwner();
    });
    const senders = await b.senders;
    assert.deepEqual(await senders.of(':1.9'), { domid: 5, uuid });
    assert.deepEqual(await senders.of(':1.1'), { domid: 0, uuid: null });
  });
  test('a broker that fails, or does not know a connection of its own process: nobody is taken for the host', async () => {
    const b = bed();
    b.brokers.set(':1.2', () => {
      throw new BusError(busErrors.noReply, 'silent');
    });
    const senders = await b.senders;
    await assert.rejects(senders.of(':1.1'), denied);
    b.brokers.clear();
    // A connection that the broker's process left behind.
    b.pids.set(':1.8', 20);
    await assert.rejects(senders.of(':1.8'), denied);
    assert.deepEqual(await senders.of(':1.1'), { domid: 0, uuid: null });
  });
  test('a bus that knows domains is believed; xenstore tells the uuid', async () => {
    const xenstore = { '/local/domain/7/vm': '/vm/x', '/vm/x/uuid': uuid.toUpperCase() };
    const b = bed({ knowsDomains: true, xenstore });
    const senders = await b.senders;
    assert.deepEqual(await senders.of(':1.1'), { domid: 0, uuid: null });
    assert.deepEqual(await senders.of(':1.2'), { domid: 7, uuid });
  });
});
