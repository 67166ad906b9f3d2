/** The two ends of a Xen device in our own store: what the toolstack does when a guest or a driver does not play along. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import type { Store } from '../../src/contracts/xenstore.ts';
import {
  awaitBackend,
  backendPath,
  cut,
  type DeviceAddress,
  deviceNodes,
  frontendPath,
  offer,
  state,
  withdraw,
} from '../../src/xenops/backends/xen/xenbus.ts';
import { Core } from '../../src/xenstore/core.ts';
import { openStore } from '../../src/xenstore/open-store.ts';

// What another domain serves: no kernel of this machine has a say.
const device: DeviceAddress = { front: 'vbd', back: 'vbd', domid: 9, backendDomid: 3, device: 51712 };
const [front, back] = [frontendPath(device), backendPath(device)];

async function ground(): Promise<{ store: Store; clock: typeof systemClock }> {
  const store = await openStore(new Core({ log: silentLog, clock: systemClock, later: setImmediate }));
  await offer({ store, clock: systemClock }, device, deviceNodes(device, { 'device-type': 'disk' }, { mode: 'w' }));
  return { store, clock: systemClock };
}
/** A driver that answers a state of the other end with one of its own. */
async function driver(store: Store, mine: string, theirs: string, answers: Readonly<Record<string, string>>) {
  return store.watch(`${theirs}/state`, () => {
    void store.find(`${theirs}/state`).then(async (seen) => {
      const next = seen === undefined ? undefined : answers[seen];
      if (next !== undefined && (await store.find(`${mine}/state`)) !== undefined)
        await store.write(`${mine}/state`, next);
    });
  });
}
const connected = async (store: Store) => {
  await store.write(`${back}/state`, state.connected);
  await store.write(`${front}/state`, state.connected);
};

test('each end belongs to its own domain, and the other may read it', async () => {
  const { store } = await ground();
  const rights = async (path: string) => (await store.permissions(path)).map((p) => `${p.access}${p.domid}`);
  assert.deepEqual(await rights(front), ['n9', 'r3']);
  assert.deepEqual(await rights(back), ['n3', 'r9']);
  assert.equal(await store.read(`${front}/backend`), back);
  assert.equal(await store.read(`${back}/frontend`), front);
});

test('a device that was offered is not offered anew', async () => {
  const g = await ground();
  await connected(g.store);
  await offer(g, device, deviceNodes(device, {}, {}));
  assert.equal(await g.store.read(`${back}/state`), state.connected);
});

test('a driver that does not answer, or says why not, is named', async () => {
  const g = await ground();
  const refused = (pattern: RegExp) => (e: unknown) => isKind(e, 'Internal_error') && pattern.test(e.message);
  await assert.rejects(awaitBackend(g, device, 20, 'blkback'), refused(/blkback in domain 3 .* did not answer within/));
  await g.store.write('/local/domain/3/error/backend/vbd/9/51712/error', '19 creating vbd structure');
  await g.store.write(`${back}/state`, state.closing);
  await assert.rejects(awaitBackend(g, device, 20, 'blkback'), refused(/19 creating vbd structure/));
});

test('a guest that lets go loses the device, and nothing is left', async () => {
  const g = await ground();
  await connected(g.store);
  await driver(g.store, front, back, { [state.closing]: state.closed });
  await driver(g.store, back, front, { [state.closed]: state.closed });
  await withdraw(g, device, 'disk', 5_000);
  assert.equal(await g.store.find(front), undefined);
  assert.equal(await g.store.find('/local/domain/3/backend/vbd/9'), undefined);
});

test('a guest that keeps a device goes on with it, and loses it by force', async () => {
  const g = await ground();
  await connected(g.store);
  await assert.rejects(withdraw(g, device, 'disk', 20), (e) => isKind(e, 'Device_detach_rejected'));
  assert.equal(await g.store.read(`${back}/state`), state.connected);
  assert.equal(await g.store.read(`${back}/online`), '1');
  await cut(g, device, 20);
  assert.equal(await g.store.find(front), undefined);
  assert.equal(await g.store.find(back), undefined);
});

test('a guest that never came is not waited for', async () => {
  const g = await ground();
  await g.store.write(`${back}/state`, state.waiting);
  await driver(g.store, back, front, {});
  const before = Date.now();
  await withdraw(g, device, 'disk', 50);
  assert.ok(Date.now() - before < 5_000);
  assert.equal(await g.store.find(front), undefined);
});

test('taking away what is not there is no error', async () => {
  const g = await ground();
  for (let i = 0; i < 2; i++) await cut(g, device, 20);
});
