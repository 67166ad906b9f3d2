/** The operations on domains: introducing and releasing them, whose rights they have, features and quotas. */
import { domidSelf } from '../wire/xenstore.ts';
import type { Core } from './core.ts';
import type { Outcome } from './node-operations.ts';
import { isQuotaName } from './quotas.ts';
import { parseDomid, parseNumber, type Request } from './request.ts';
import { RingError } from './rings.ts';

/** The first number that no domain has. */
const firstReserved = 0x7ff0;

export function introduce(core: Core, r: Request): Outcome {
  const [domidText, gfnText = '', portText] = r.strings() ?? [];
  const domid = parseDomid(domidText);
  const port = parseNumber(portText);
  if (domid === undefined || !port || !/^\d{1,20}$/.test(gfnText)) return 'EINVAL';
  if (domid === 0 || domid >= firstReserved) return 'EINVAL';
  try {
    core.introduce(domid, BigInt(gfnText), port);
  } catch (error) {
    if (!(error instanceof RingError)) throw error;
    core.log.warn('a domain could not be introduced', { domid, port, error: error.message });
    return 'EINVAL';
  }
  return r.ok();
}

/** The only argument, when it is a domain's number. */
function onlyDomid(r: Request): number | undefined {
  const strings = r.strings();
  return strings?.length === 1 ? parseDomid(strings[0]) : undefined;
}

export function release(core: Core, r: Request): Outcome {
  const domid = onlyDomid(r);
  if (domid === undefined || domid === 0) return 'EINVAL';
  const domain = core.domains.find(domid);
  if (!domain?.introduced) return 'ENOENT';
  core.release(domain);
  return r.ok();
}

export function getDomainPath(_core: Core, r: Request): Outcome {
  const domid = onlyDomid(r);
  return domid === undefined ? 'EINVAL' : r.reply(`/local/domain/${domid}\0`);
}

export function isDomainIntroduced(core: Core, r: Request): Outcome {
  const domid = onlyDomid(r);
  if (domid === undefined) return 'EINVAL';
  const known = domid === domidSelf || domid === 0 || core.domains.find(domid)?.introduced === true;
  return r.reply(known ? 'T\0' : 'F\0');
}

export function resume(core: Core, r: Request): Outcome {
  const domid = onlyDomid(r);
  if (domid === undefined) return 'EINVAL';
  const domain = core.domains.find(domid);
  if (!domain?.introduced) return 'ENOENT';
  domain.shutDown = false;
  core.journal?.domain(domain);
  return r.ok();
}

export function setTarget(core: Core, r: Request): Outcome {
  const strings = r.strings();
  const [domid, target] = strings?.length === 2 ? strings.map(parseDomid) : [];
  if (domid === undefined || target === undefined) return 'EINVAL';
  const [domain, other] = [core.domains.find(domid), core.domains.find(target)];
  if (!domain?.introduced || !other?.introduced) return 'ENOENT';
  domain.target = other;
  core.journal?.domain(domain);
  return r.ok();
}

export function getFeature(core: Core, r: Request): Outcome {
  const strings = r.strings();
  if (strings === undefined || strings.length > 1) return 'EINVAL';
  const { domain } = r.connection;
  if (strings.length === 0) return r.reply(`${core.featuresOf(domain.domid)}\0`);
  if (!domain.privileged) return 'EACCES';
  const domid = parseDomid(strings[0]);
  if (domid === undefined) return 'EINVAL';
  const known = core.domains.find(domid) !== undefined || core.domains.features.has(domid);
  return known ? r.reply(`${core.featuresOf(domid)}\0`) : 'ENOENT';
}

export function setFeature(core: Core, r: Request): Outcome {
  const strings = r.strings();
  if (strings?.length !== 2) return 'EINVAL';
  const domid = parseDomid(strings[0]);
  const bits = parseNumber(strings[1]);
  if (domid === undefined || bits === undefined) return 'EINVAL';
  if (core.domains.find(domid)?.introduced || domid === 0) return 'EBUSY';
  if ((bits & ~core.features) !== 0) return 'EINVAL';
  core.domains.features.set(domid, bits);
  return r.ok();
}

/** `soft-<name>` is a soft limit. */
const split = (name: string) =>
  name.startsWith('soft-') ? { name: name.slice(5), soft: true } : { name, soft: false };

export function getQuota(core: Core, r: Request): Outcome {
  const strings = r.strings();
  if (strings === undefined || strings.length > 2) return 'EINVAL';
  const { hard, soft } = core.quotas;
  if (strings.length === 0) {
    const names = [...Object.keys(hard), ...Object.keys(soft).map((each) => `soft-${each}`)];
    return r.reply(`${names.join(' ')}\0`);
  }
  const asked = split(strings.at(-1) as string);
  if (!isQuotaName(asked.name)) return 'EINVAL';
  const general = asked.soft ? soft[asked.name] : hard[asked.name];
  if (general === undefined) return 'EINVAL';
  if (strings.length === 1) return r.reply(`${general}\0`);
  const domid = parseDomid(strings[0]);
  if (domid === undefined) return 'EINVAL';
  const domain = core.domains.find(domid);
  if (domain === undefined) return 'ENOENT';
  return r.reply(`${asked.soft ? general : (domain.own.get(asked.name) ?? general)}\0`);
}

export function setQuota(core: Core, r: Request): Outcome {
  const strings = r.strings();
  if (strings === undefined || strings.length < 2 || strings.length > 3) return 'EINVAL';
  const value = parseNumber(strings.at(-1));
  const asked = split(strings.at(-2) as string);
  if (value === undefined || !isQuotaName(asked.name)) return 'EINVAL';
  if (strings.length === 2) {
    if (asked.soft) core.quotas.soft[asked.name] = value;
    else core.quotas.hard[asked.name] = value;
    return r.ok();
  }
  const domid = parseDomid(strings[0]);
  if (domid === undefined || asked.soft) return 'EINVAL';
  const domain = core.domains.find(domid);
  if (domain === undefined) return 'ENOENT';
  domain.own.set(asked.name, value);
  core.journal?.domain(domain);
  return r.ok();
}
