/**
 * A device of a guest, in the store: an end for the guest's driver, an end for the driver that serves it (in dom0, or in a
 * driver domain), and the state that each says it is in.
 *
 *     toolstack        serving end (backend)             guest's end (frontend)
 *
 *     offer ─────────▶ 1 initialising                    1 initialising
 *                      2 waiting       (it has opened what it serves)
 *                                                        3 initialised
 *                      4 connected ◀───────────────────▶ 4 connected
 *     withdraw ──5───▶ 5 closing ──────────────────────▶ 5 closing    (or it stays: Device_detach_rejected)
 *                      6 closed  ◀────────────────────── 6 closed
 *     both ends go ◀── gone
 *
 *     withdraw by force: the guest's end is taken away; the serving end sees that, closes, and goes.
 *
 * Only the guest's end is the guest's to write, and nothing there is believed but its state.
 */
import { existsSync } from 'node:fs';
import type { Clock } from '../../../base/clock.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Store } from '../../../contracts/xenstore.ts';
import { awaitNode } from './await-node.ts';
import { domainPath, type StoreNode, writeNodes } from './store-layout.ts';

export interface DeviceAddress {
  /** As the guest's driver is called, and as the serving one is. */
  readonly front: 'vbd' | 'vif';
  readonly back: 'vbd' | 'qdisk' | 'vif';
  readonly domid: number;
  readonly backendDomid: number;
  readonly device: number;
}
export const state = { initialising: '1', waiting: '2', initialised: '3', connected: '4', closing: '5', closed: '6' };

interface Needs {
  readonly store: Store;
  readonly clock: Clock;
}
export const frontendPath = (a: DeviceAddress): string => `${domainPath(a.domid)}/device/${a.front}/${a.device}`;
export const backendPath = (a: DeviceAddress): string =>
  `${domainPath(a.backendDomid)}/backend/${a.back}/${a.domid}/${a.device}`;
/** The serving kernel driver's own view; absent for what QEMU or another domain serves. */
const kernelPath = (a: DeviceAddress): string => `/sys/bus/xen-backend/devices/${a.back}-${a.domid}-${a.device}`;

/** Both ends of a device: `front` and `back` are what is special to its kind. */
export function deviceNodes(
  a: DeviceAddress,
  front: Readonly<Record<string, string>>,
  back: Readonly<Record<string, string>>,
): StoreNode[] {
  const [f, b] = [frontendPath(a), backendPath(a)];
  const below = (path: string, values: Readonly<Record<string, string>>) =>
    Object.entries(values).map(([name, value]) => ({ path: `${path}/${name}`, value }));
  const rights = (owner: number, reader: number) =>
    [
      { domid: owner, access: 'n' },
      { domid: reader, access: 'r' },
    ] as const;
  return [
    { path: f, permissions: rights(a.domid, a.backendDomid) },
    { path: b, permissions: rights(a.backendDomid, a.domid) },
    ...below(b, { frontend: f, 'frontend-id': String(a.domid), online: '1', ...back, state: state.initialising }),
    // The guest's end last: its driver looks as soon as it is there.
    ...below(f, { backend: b, 'backend-id': String(a.backendDomid), ...front, state: state.initialising }),
  ];
}
/** Puts both ends there, unless they are. */
export async function offer(needs: Needs, a: DeviceAddress, nodes: readonly StoreNode[]): Promise<void> {
  await needs.store.transaction(async (inside) => {
    if ((await inside.find(`${frontendPath(a)}/backend`)) === undefined) await writeNodes(inside, nodes);
  });
}
/** Whether both ends were put there: they are, or neither is. */
export const isOffered = async (needs: Pick<Needs, 'store'>, a: DeviceAddress): Promise<boolean> =>
  (await needs.store.find(`${frontendPath(a)}/backend`)) !== undefined;
/** Waits until the serving end is ready for the guest. Internal_error names what it said. */
export async function awaitBackend(needs: Needs, a: DeviceAddress, ms: number, driver: string): Promise<void> {
  const ready = (value: string | undefined) => value !== undefined && value !== state.initialising;
  const { value, fits } = await awaitNode(needs, `${backendPath(a)}/state`, ready, ms);
  if (fits && value !== state.closing && value !== state.closed) return;
  const error = await needs.store.find(
    `${domainPath(a.backendDomid)}/error/backend/${a.back}/${a.domid}/${a.device}/error`,
  );
  const why = error ?? (fits ? 'it closed at once' : `it did not answer within ${ms / 1000} s`);
  const reason = `${driver} in domain ${a.backendDomid} does not serve device ${a.device} of domain ${a.domid}: ${why}`;
  throw xenopsErrors.make('Internal_error', { reason });
}

/** Asks the guest to let go. Device_detach_rejected when it does not within `ms`; it then keeps the device. */
export async function withdraw(needs: Needs, a: DeviceAddress, id: string, ms: number): Promise<void> {
  const { store } = needs;
  const [f, b] = [frontendPath(a), backendPath(a)];
  const front = await store.find(`${f}/state`);
  const idle = front === undefined || front === state.initialising || front === state.closed;
  if (!idle) {
    await store.transaction(async (inside) => {
      await inside.write(`${b}/online`, '0');
      await inside.write(`${b}/state`, state.closing);
    });
    const { fits } = await awaitNode(needs, `${b}/state`, (v) => v === undefined || v === state.closed, ms);
    if (!fits) {
      await store.transaction(async (inside) => {
        await inside.write(`${b}/online`, '1');
        await inside.write(`${b}/state`, state.connected);
      });
      const reason = `it did not let go within ${ms / 1000} s`;
      throw xenopsErrors.make('Device_detach_rejected', { id, reason });
    }
  }
  await cut(needs, a, ms);
}
/** Takes the guest's end away, waits until the serving end has let go of what it serves, and takes that away too. */
export async function cut(needs: Needs, a: DeviceAddress, ms: number): Promise<void> {
  const { store } = needs;
  const [f, b] = [frontendPath(a), backendPath(a)];
  if ((await store.find(`${b}/state`)) !== undefined) {
    await store.transaction(async (inside) => {
      if ((await inside.find(`${b}/state`)) === undefined) return;
      await inside.write(`${b}/online`, '0');
      if ((await inside.find(`${b}/state`)) !== state.closed) await inside.write(`${b}/state`, state.closing);
      await inside.rm(f);
    });
    if (a.backendDomid === 0 && a.back !== 'qdisk') await awaitKernel(needs, a, ms);
    else await awaitNode(needs, `${b}/state`, (v) => v === undefined || v === state.closed, ms);
  }
  await store.transaction(async (inside) => {
    await inside.rm(f);
    await removeWithParent(inside, b);
    await removeWithParent(inside, `${domainPath(a.backendDomid)}/error/backend/${a.back}/${a.domid}/${a.device}`);
  });
}
/** The kernel tells nobody but its own tree of files when a serving end is gone. */
async function awaitKernel({ clock }: Needs, a: DeviceAddress, ms: number): Promise<void> {
  const lookMs = 20;
  for (let waited = 0; existsSync(kernelPath(a)) && waited < ms; waited += lookMs) await clock.sleep(lookMs);
}
/** Removes a node, and the folder of its domain when that is empty then. */
async function removeWithParent(inside: Parameters<Parameters<Store['transaction']>[0]>[0], path: string) {
  const parent = path.slice(0, path.lastIndexOf('/'));
  if ((await inside.find(parent)) === undefined) return;
  await inside.rm(path);
  if ((await inside.directory(parent)).length === 0) await inside.rm(parent);
}
