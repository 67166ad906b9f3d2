/** The default network, the interfaces of the host, and every network made again on the host at a start. */
import { bestEffort } from '../../base/best-effort.ts';
import { isKind } from '../../contracts/contract.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { ensureNetwork, freeBridge, type Kind, kindKey, subnetKey } from '../handlers/network-spec.ts';
import { syncPifs } from '../pifs.ts';
import { type Home, once } from './parts.ts';

const roleKey = 'guesthouse-role';

export async function seedNetworks(home: Home): Promise<void> {
  const { db, log } = home;
  // the first network of a host is the one that guests can use at once
  await once(home, 'guest-network', () => makeDefault(home));
  await syncPifs(home);
  for (const ref of [...db.refs('network')])
    await bestEffort('a network could not be made; guests on it will not start', log, () => ensureNetwork(home, ref));
}

/** With addresses and a way out where this host can do that, else the hypervisor's own. */
async function makeDefault(home: Home): Promise<void> {
  const { db, network, host, log } = home;
  const there = [...db.rows('network')].find(([, n]) => n.other_config[roleKey] === 'default')?.[0];
  const kinds = await network.network.capabilities({});
  const nat = kinds.find((k) => k.kind === 'nat');
  if (nat && !nat.possible) log.info('the default network is of the kind user', { reason: nat.reason });
  const first: Kind = nat?.possible ? 'nat' : 'user';
  const taken = new Set((await network.interface.list({})).map((i) => i.name));
  const ref = there ?? makeRecord(home, first, freeBridge(db, host, taken));
  await db.durable();
  try {
    await ensureNetwork(home, ref);
  } catch (error) {
    if (first !== 'nat') throw error;
    log.warn('the network with addresses of its own could not be made; guests get the kind user', {
      error: String(error),
      foreign: isKind(error, 'Foreign'),
    });
    const { [subnetKey]: _, ...other_config } = db.get('network', ref).other_config;
    db.set('network', ref, { other_config: { ...other_config, [kindKey]: 'user' } });
    await ensureNetwork(home, ref);
  }
}

function makeRecord({ db }: Home, kind: Kind, bridge: string): Ref<'network'> {
  return db.create('network', {
    name_label: 'Guest network',
    name_description: 'Guests get an address, and reach the outside through this host',
    bridge,
    managed: true,
    MTU: 1500,
    other_config: { [kindKey]: kind, [roleKey]: 'default', automatic: 'true' },
  });
}
