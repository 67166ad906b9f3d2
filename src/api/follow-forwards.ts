/**
 * Port forwards of interfaces follow their `other_config` while the house runs, and go with the interface; a start checks them again
 * and refuses bad ones.
 */
import type { Log } from '../base/log.ts';
import type { Network } from '../contracts/network.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db } from '../db/db.ts';
import { applyForwards, wantedForwards } from './handlers/vif-forwards.ts';

interface Parts {
  readonly db: Db;
  readonly network: Network;
  readonly log: Log;
}
interface Known {
  readonly vm: string;
  readonly device: string;
  readonly wanted: string;
}

/** Clears what is left of interfaces that went while nobody looked, makes what the records want, and follows them. The answer stops it. */
export async function startForwards(parts: Parts): Promise<() => void> {
  const { db, network, log } = parts;
  const known = new Map<string, Known>();
  const look = async (vif: Ref<'VIF'>) => {
    const wanted = wantedForwards(db, vif);
    if ((known.get(vif)?.wanted ?? '') === wanted) return;
    const { uuid: device, VM } = db.get('VIF', vif);
    known.set(vif, { vm: db.get('VM', VM).uuid, device, wanted });
    await applyForwards(parts, vif).catch((error: unknown) =>
      log.warn('port forwards were not applied', { vif, wanted, error: String(error) }),
    );
  };
  const clear = ({ vm, device }: Pick<Known, 'vm' | 'device'>) =>
    network.forward
      .set({ vm, device, forwards: [] })
      .catch((error: unknown) => log.warn('port forwards were not cleared', { vm, device, error: String(error) }));
  const forget = async (vif: string) => {
    const gone = known.get(vif);
    known.delete(vif);
    if (gone && gone.wanted !== '') await clear(gone);
  };
  for (const { vm, device } of await network.forward.list({})) {
    const vif = db.findByUuid('VIF', device);
    if (!vif || wantedForwards(db, vif) === '') await clear({ vm, device });
  }
  for (const vif of db.refs('VIF')) await look(vif);
  return db.watch((events) => {
    for (const e of events) {
      // a VM that becomes a template, or a template that becomes a VM
      if (e.cls === 'VM') for (const vif of db.find('VM', e.ref as Ref<'VM'>)?.VIFs ?? []) void look(vif);
      if (e.cls !== 'VIF') continue;
      if (e.op === 'del') void forget(e.ref);
      else void look(e.ref as Ref<'VIF'>);
    }
  });
}
