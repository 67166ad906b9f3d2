/** One entry of `vif = [ … ]` and of `pci = [ … ]`. */
import { type Element, elementsOf, flagOf, pairsOf, type Refuse } from './xl-elements.ts';
import type { XlString } from './xl-syntax.ts';

export interface XlVif {
  /** Undefined: to be chosen. */
  readonly mac: string | undefined;
  readonly bridge: string;
  readonly type: 'ioemu' | 'vif' | undefined;
  readonly model: string | undefined;
  readonly mtu: number | undefined;
  /** Undefined: the lowest that is free. */
  readonly devid: number | undefined;
  /** Bytes per second, and over how many microseconds they are counted. */
  readonly rate: { readonly bytesPerSecond: number; readonly intervalUs: number } | undefined;
  /** Parameters that the fields above do not say, as written. */
  readonly others: ReadonlyMap<string, Element>;
}
const main = ['mac', 'bridge', 'type', 'model', 'mtu', 'devid', 'rate'];
const others = [
  ...['vifname', 'script', 'ip', 'backend', 'gatewaydev', 'netdev', 'vlan', 'accel'],
  ...['forwarddev', 'colo-forwarddev', 'trusted', 'untrusted'],
];
const macPattern = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;

export function parseXlVif(source: XlString, refuse: Refuse): XlVif {
  const flagged = elementsOf(source.text).filter((e) => e.key === '' && /^(un)?trusted$/.test(e.value));
  const bare = flagged.length === 0 ? source : withoutFlags(source);
  const pairs = pairsOf(bare, [...main, ...others], refuse);
  const rest = new Map([...pairs].filter(([key]) => others.includes(key)));
  for (const e of flagged) rest.set(e.value, { ...e, key: e.value, value: '1' });
  const mac = pairs.get('mac');
  if (mac && !macPattern.test(mac.value))
    throw refuse(mac.valueIndex, `mac: "${mac.value}" is not six pairs of digits`);
  const type = pairs.get('type');
  if (type && type.value !== 'ioemu' && type.value !== 'vif')
    throw refuse(type.valueIndex, `type: "${type.value}" is neither ioemu nor vif`);
  const bridge = pairs.get('bridge');
  if (bridge && !/^[^\s/]{1,15}$/.test(bridge.value))
    throw refuse(bridge.valueIndex, `bridge: "${bridge.value}" is no name of a bridge (1 to 15 characters)`);
  return {
    mac: mac?.value.toLowerCase().replaceAll('-', ':'),
    bridge: bridge?.value ?? 'xenbr0',
    type: type?.value as XlVif['type'],
    model: pairs.get('model')?.value,
    mtu: numberIn(pairs.get('mtu'), 68, 65_535, refuse),
    devid: numberIn(pairs.get('devid'), 0, 255, refuse),
    rate: rateOf(pairs.get('rate'), refuse),
    others: rest,
  };
}
/** The same string with blanks in the place of flags: nothing moves. */
function withoutFlags(source: XlString): XlString {
  const text = source.text.replace(/(^|,)(\s*(?:un)?trusted\s*)(?=,|$)/g, (_, comma: string, word: string) => {
    return comma + ' '.repeat(word.length);
  });
  return { ...source, text };
}
function numberIn(e: Element | undefined, least: number, most: number, refuse: Refuse): number | undefined {
  if (!e) return undefined;
  const value = /^[0-9]{1,9}$/.test(e.value) ? Number(e.value) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw refuse(e.valueIndex, `${e.key}: "${e.value}" is no number between ${least} and ${most}`);
}

const units: Readonly<Record<string, number>> = {
  ...{ GB: 1e9, MB: 1e6, KB: 1e3, B: 1 },
  ...{ Gb: 1e9 / 8, Mb: 1e6 / 8, Kb: 1e3 / 8, b: 1 / 8 },
};
const intervals: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 };
/** `10MB/s`, `1Gb/s@20ms`. */
function rateOf(e: Element | undefined, refuse: Refuse): XlVif['rate'] {
  if (!e) return undefined;
  const [, amount, unit = '', every = '50', span = 'ms'] =
    /^([0-9]{1,9})(GB|MB|KB|B|Gb|Mb|Kb|b)\/s(?:@([0-9]{1,9})(us|ms|s))?$/.exec(e.value) ?? [];
  const intervalUs = Number(every) * (intervals[span] ?? 1);
  if (amount === undefined || intervalUs === 0)
    throw refuse(e.valueIndex, `rate: "${e.value}" is no rate such as 10MB/s or 100Mb/s@50ms`);
  return { bytesPerSecond: Math.floor(Number(amount) * (units[unit] ?? 1)), intervalUs };
}

export interface XlPci {
  readonly domain: number;
  readonly bus: number;
  readonly device: number;
  /** `*`: all functions. */
  readonly fn: number | '*';
  readonly msitranslate: boolean | undefined;
  readonly powerManagement: boolean | undefined;
  readonly permissive: boolean | undefined;
  readonly others: ReadonlyMap<string, Element>;
}
const pciKeys = ['bdf', 'name', 'vslot', 'permissive', 'msitranslate', 'seize', 'power_mgmt', 'rdm_policy'];

export function parseXlPci(source: XlString, refuse: Refuse): XlPci {
  const [first] = elementsOf(source.text);
  const positional = first !== undefined && first.key === '' && first.value !== '' ? first : undefined;
  const blank = ' '.repeat(positional?.value.length ?? 0);
  const { index = 0 } = positional ?? {};
  const text = source.text.slice(0, index) + blank + source.text.slice(index + blank.length);
  const pairs = pairsOf({ ...source, text }, pciKeys, refuse);
  const address = positional ?? pairs.get('bdf');
  if (!address) throw refuse(0, 'the address is missing: [DDDD:]BB:SS.F');
  const [, domain = '0', bus, slot, fn, vslot] =
    /^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7]|\*)(?:@([0-9a-f]{1,2}))?$/i.exec(address.value) ??
    [];
  const device = Number.parseInt(slot ?? 'z', 16);
  if (bus === undefined || !(device < 32))
    throw refuse(address.valueIndex, `"${address.value}" is no address: [DDDD:]BB:SS.F`);
  const rest = new Map([...pairs].filter(([key]) => ['name', 'vslot', 'seize', 'rdm_policy'].includes(key)));
  if (vslot !== undefined) rest.set('vslot', { ...address, key: 'vslot', value: vslot });
  const flag = (key: string) => {
    const e = pairs.get(key);
    return e ? flagOf(e, false, refuse) : undefined;
  };
  return {
    domain: Number.parseInt(domain, 16),
    bus: Number.parseInt(bus, 16),
    device,
    fn: fn === '*' ? '*' : Number(fn),
    msitranslate: flag('msitranslate'),
    powerManagement: flag('power_mgmt'),
    permissive: flag('permissive'),
    others: rest,
  };
}
