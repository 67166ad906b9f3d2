/** Physical interfaces of the host as PIF records. The host's own configuration stays its own: they are unmanaged. */
import type { Network } from '../contracts/network.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db, Patch, Writer } from '../db/db.ts';
import { kindKey } from './handlers/network-spec.ts';
import { wireTime } from './wire-time.ts';

type Interface = Awaited<ReturnType<Network['interface']['list']>>[number];
export interface PifParts {
  readonly db: Db;
  readonly network: Network;
  readonly host: Ref<'host'>;
  readonly clock: { now(): number };
}

/** Makes PIFs (and their networks) of new interfaces and brings the others up to date; those that are gone show as down. */
export async function syncPifs(parts: PifParts): Promise<void> {
  const { db, host } = parts;
  const list = await parts.network.interface.list({});
  db.write((w) => {
    const there = new Map<string, Ref<'PIF'>>();
    for (const r of db.where('PIF', 'host', host)) {
      const pif = db.get('PIF', r);
      if (pif.physical) there.set(pif.device, r);
    }
    const seen = list.filter((i) => i.physical);
    const management = managementOf(list, seen, db.get('host', host).address);
    for (const i of seen) {
      const fields = fieldsOf(i, list, i.name === management);
      const ref = there.get(i.name);
      there.delete(i.name);
      if (ref) update(parts, w, ref, i, fields);
      else create(parts, w, i, fields);
    }
    for (const ref of there.values()) w.set('PIF', ref, { currently_attached: false, management: false });
  });
}

/** Addresses of an interface, or of the bridge that it is in. */
function addressesOf(i: Interface, list: readonly Interface[]): readonly string[] {
  const bridge = list.find((b) => b.name === i.bridge);
  return [...i.addresses, ...(bridge?.addresses ?? [])];
}
const bare = (address: string): string => address.split('/')[0] ?? '';

/** The interface with the host's address, else the first that has one. */
function managementOf(list: readonly Interface[], physical: readonly Interface[], address: string): string | undefined {
  const withAddress = physical.filter((i) => addressesOf(i, list).some((a) => !a.startsWith('fe80')));
  const exact = withAddress.find((i) => addressesOf(i, list).some((a) => bare(a) === address));
  return (exact ?? withAddress[0])?.name;
}

function netmask(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}

function fieldsOf(i: Interface, list: readonly Interface[], management: boolean): Patch<'PIF'> {
  const addresses = addressesOf(i, list);
  const v4 = addresses.find((a) => !a.includes(':'));
  const prefix = Number(v4?.split('/')[1] ?? '32');
  return {
    device: i.name,
    device_name: i.name,
    MAC: i.mac,
    MTU: i.mtu,
    currently_attached: i.up,
    IP: v4 ? bare(v4) : '',
    netmask: v4 ? netmask(prefix) : '',
    ip_configuration_mode: v4 ? 'Static' : 'None',
    IPv6: addresses.filter((a) => a.includes(':')),
    management,
  };
}

function create(parts: PifParts, w: Writer, i: Interface, fields: Patch<'PIF'>): void {
  w.create('PIF', {
    ...fields,
    host: parts.host,
    VLAN: -1,
    physical: true,
    managed: false,
    network: networkFor(parts, w, i),
    metrics: w.create('PIF_metrics', metricsOf(parts, i)),
  });
}

function update(parts: PifParts, w: Writer, ref: Ref<'PIF'>, i: Interface, fields: Patch<'PIF'>): void {
  const { db } = parts;
  const pif = db.get('PIF', ref);
  const network = db.find('network', pif.network);
  const moved = network === undefined || network.bridge !== (i.bridge ?? '');
  w.set('PIF', ref, { ...fields, ...(moved ? { network: networkFor(parts, w, i) } : {}) });
  w.set('PIF_metrics', pif.metrics, metricsOf(parts, i));
  // A network that only stood for this interface goes with its last use.
  if (moved && network && network.other_config[kindKey] === 'none' && network.VIFs.length === 0)
    w.destroy('network', pif.network);
}

const metricsOf = (parts: PifParts, i: Interface): Patch<'PIF_metrics'> => ({
  carrier: i.carrier,
  device_name: i.name,
  last_updated: wireTime(parts.clock.now()),
});

/** The network of the bridge that the interface is in; without a bridge one that guests cannot use. */
function networkFor({ db }: PifParts, w: Writer, i: Interface): Ref<'network'> {
  if (i.bridge !== null) {
    for (const [ref, n] of db.rows('network')) if (n.bridge === i.bridge) return ref;
    return w.create('network', {
      name_label: `Network of ${i.bridge}`,
      name_description: `The LAN behind ${i.name}`,
      bridge: i.bridge,
      managed: false,
      MTU: i.mtu,
      other_config: { [kindKey]: 'bridge', automatic: 'false' },
    });
  }
  return w.create('network', {
    name_label: `Network of ${i.name}`,
    name_description: `${i.name} is in no bridge of this host, so guests cannot use it; make a bridge and scan PIFs`,
    bridge: '',
    managed: false,
    MTU: i.mtu,
    other_config: { [kindKey]: 'none', automatic: 'false' },
  });
}
