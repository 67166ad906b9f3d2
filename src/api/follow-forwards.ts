/** Port forwards of interfaces follow their `other_config` while the house runs; a start checks them again and refuses bad ones. */
import type { Log } from '../base/log.ts';
import type { Network } from '../contracts/network.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db } from '../db/db.ts';
import { applyForwards, forwardsKey } from './handlers/vif-forwards.ts';

interface Parts {
  readonly db: Db;
  readonly network: Network;
  readonly log: Log;
}

/** The answer stops it. */
export function startForwards(parts: Parts): () => void {
  const { db, log } = parts;
  const known = new Map<string, string>();
  const look = (vif: Ref<'VIF'>) => {
    const wanted = db.find('VIF', vif)?.other_config[forwardsKey] ?? '';
    if ((known.get(vif) ?? '') === wanted) return;
    known.set(vif, wanted);
    applyForwards(parts, vif).catch((error: unknown) =>
      log.warn('port forwards were not applied', { vif, wanted, error: String(error) }),
    );
  };
  for (const vif of db.refs('VIF')) look(vif);
  return db.watch((events) => {
    for (const e of events) {
      if (e.cls !== 'VIF') continue;
      if (e.op === 'del') known.delete(e.ref);
      else look(e.ref as Ref<'VIF'>);
    }
  });
}
