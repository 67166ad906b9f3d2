/** A guest's interfaces: netback's ends, put on their bridges by the toolstack itself. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { bestEffort } from '../../../base/best-effort.ts';
import { type VifSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { VifAttachment } from '../../backend.ts';
import { backendOf } from './backend-domain.ts';
import type { Domain } from './domain.ts';
import { refuseLate } from './drive.ts';
import type { Nic } from './record.ts';
import {
  awaitBackend,
  backendPath,
  cut,
  type DeviceAddress,
  deviceNodes,
  isOffered,
  offer,
  withdraw,
} from './xenbus.ts';

const run = promisify(execFile);
const ip = '/sbin/ip';

/** Noted, and not put there: a toolstack was killed in between. */
export const isHalfMadeNic = async (domain: Domain, nic: Nic): Promise<boolean> =>
  nic.tap === undefined && !(await isOffered(domain.needs, addressOf(domain, nic)));
const addressOf = (domain: Domain, nic: Nic): DeviceAddress => ({
  front: 'vif',
  back: 'vif',
  domid: domain.domid,
  backendDomid: nic.backendDomid,
  device: nic.device,
});
const find = (domain: Domain, id: string): Nic | undefined => domain.record.nics.find((n) => n.spec.id === id);
/** The interface of dom0 that is the other end of the guest's. */
export const interfaceName = (domid: number, device: number): string => `vif${domid}.${device}`;

export async function attachNic(domain: Domain, { spec, port }: VifAttachment): Promise<void> {
  if (find(domain, spec.id)) return;
  if (port.kind === 'user')
    throw xenopsErrors.make('Network_error', {
      reason: `the network ${spec.bridge} is QEMU's own user network, which guests of Xen cannot be on: use a bridge`,
    });
  if (domain.record.spec.domainType === 'hvm') return addToMachine(domain, spec, port.ifname);
  const backendDomid = await backendOf(domain, spec.id);
  if (backendDomid === 0 && !existsSync(`/sys/class/net/${spec.bridge}/bridge`))
    throw xenopsErrors.make('Network_error', { reason: `there is no bridge ${spec.bridge}` });
  const nic: Nic = { spec, device: spec.position, backendDomid, bridge: spec.bridge };
  if (domain.record.nics.some((n) => n.device === nic.device))
    throw xenopsErrors.make('Already_exists', { what: 'interface at position', id: nic.device });
  await domain.update((now) => ({ nics: [...now.nics, nic] }));
  try {
    await plug(domain, nic);
  } catch (error) {
    await bestEffort('an interface that could not be plugged', domain.needs.log, () => removeNic(domain, nic));
    throw error;
  }
  domain.changed();
}
/** The machine of an HVM guest is put together before it starts; its interfaces are taps, which the network has made. */
async function addToMachine(domain: Domain, spec: VifSpec, tap: string): Promise<void> {
  refuseLate(domain, 'plugging interfaces into a running HVM guest');
  const nic: Nic = { spec, device: spec.position, backendDomid: 0, bridge: spec.bridge, tap };
  await domain.update((now) => ({ nics: [...now.nics, nic] }));
  domain.changed();
}
/** Without `force`, the guest is asked. */
export async function detachNic(domain: Domain, id: string, force: boolean): Promise<void> {
  const nic = find(domain, id);
  if (!nic) return;
  const { needs } = domain;
  refuseLate(domain, 'taking interfaces out of a running HVM guest');
  const address = addressOf(domain, nic);
  if (nic.tap !== undefined) return forgetNic(domain, nic);
  if (force || domain.power(domain.info()) !== 'running') await cut(needs, address, needs.patience.teardownMs);
  else await withdraw(needs, address, id, needs.patience.unplugMs);
  await forgetNic(domain, nic);
  domain.changed();
}
/** Takes an interface away from a domain that is gone, or did not get it. */
export async function removeNic(domain: Domain, nic: Nic): Promise<void> {
  if (nic.tap !== undefined) return forgetNic(domain, nic);
  await cut(domain.needs, addressOf(domain, nic), domain.needs.patience.teardownMs);
  await forgetNic(domain, nic);
}
const forgetNic = (domain: Domain, { spec }: Nic) =>
  domain.update((now) => ({ nics: now.nics.filter((n) => n.spec.id !== spec.id) }));

async function plug(domain: Domain, nic: Nic): Promise<void> {
  const { needs } = domain;
  const address = addressOf(domain, nic);
  await offer(needs, address, deviceNodes(address, frontOf(nic.spec), backOf(nic)));
  await awaitBackend(needs, address, needs.patience.backendMs, 'the kernel (module xen-netback)');
  if (nic.backendDomid !== 0) return;
  const name = interfaceName(domain.domid, nic.device);
  await awaitInterface(domain, name);
  await joinBridge(name, nic.spec);
  // What a hotplug script would say: netback connects only then.
  await needs.store.write(`${backendPath(address)}/hotplug-status`, 'connected');
}
const frontOf = ({ position, mac, mtu }: VifSpec) => ({
  handle: String(position),
  mac,
  ...(mtu === undefined ? {} : { mtu: String(mtu) }),
});
/** The rate as netback takes it: bytes in every 50 ms. */
const windowUs = 50_000;
const backOf = ({ spec: { position, mac, bridge, rateKib }, backendDomid }: Nic) => ({
  handle: String(position),
  mac,
  bridge,
  type: 'vif',
  // In dom0 the toolstack does what scripts would; a driver domain has its own, by the usual name.
  script: backendDomid === 0 ? '' : '/etc/xen/scripts/vif-bridge',
  ...(rateKib ? { rate: `${Math.max(1, Math.floor((rateKib * 1024 * windowUs) / 1e6))},${windowUs}` } : {}),
});
/** netback says that it waits for the guest a moment before its interface is there. */
async function awaitInterface({ needs }: Domain, name: string): Promise<void> {
  const lookMs = 20;
  for (let waited = 0; !existsSync(`/sys/class/net/${name}`); waited += lookMs) {
    if (waited >= needs.patience.backendMs)
      throw xenopsErrors.make('Network_error', { reason: `the kernel (module xen-netback) did not make ${name}` });
    await needs.clock.sleep(lookMs);
  }
}
async function joinBridge(name: string, { bridge, mtu, carrier }: VifSpec): Promise<void> {
  const tool = (...args: string[]) =>
    run(ip, ['link', 'set', 'dev', name, ...args]).catch((cause: Error & { stderr?: string }) => {
      const reason = `${name} on ${bridge}: ${cause.stderr?.trim() || cause.message}`;
      throw xenopsErrors.make('Network_error', { reason }, { cause });
    });
  // Nobody but the guest speaks through it.
  await tool('address', 'fe:ff:ff:ff:ff:ff');
  if (mtu !== undefined) await tool('mtu', String(mtu));
  // A cable that is out: the guest's frames go nowhere.
  if (carrier !== false) await tool('master', bridge);
  await tool('up');
}
