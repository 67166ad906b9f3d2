/** Which domain serves a device: dom0, or a driver domain that the description names. */
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';

/** From `platform`: `backend:<device id>`, a domain number. Bad_spec when no such domain runs. */
export async function backendOf(domain: Domain, device: string): Promise<number> {
  const key = `backend:${device}`;
  const text = domain.record.spec.platform[key];
  if (text === undefined) return 0;
  const domid = Number(text);
  const found = /^\d{1,5}$/.test(text) ? domain.needs.xen.domains.find(domid) : undefined;
  if (found && !found.dying) return domid;
  throw xenopsErrors.make('Bad_spec', {
    key: `platform.${key}`,
    reason: `there is no domain ${text} that could serve`,
  });
}
