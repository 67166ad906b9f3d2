/** Drives, interfaces, PCI devices and screens as xenvm's configuration writes them. All throw `Mistake`. */

import { Mistake, type Part, parseBoolean, parseInteger, partsOf } from './xenvm-syntax.ts';
import { type DeviceNumber, parseDeviceNumber } from './xl-device-number.ts';

export interface XenvmDisk {
  /** '': an empty CD drive. */
  readonly path: string;
  readonly kind: (typeof diskKinds)[number];
  /** As it is written: `hda`, `sda1`, `/dev/xvdb`, `51712`. */
  readonly device: string;
  readonly number: DeviceNumber;
  readonly write: boolean;
  readonly cdrom: boolean;
  /** '' for none. */
  readonly snapshot: string;
  readonly options: ReadonlyMap<string, string>;
}
const diskKinds = ['phy', 'file', 'qcow', 'vhd', 'aio', 'vdi'] as const;
const snapshots = [
  ...['temporary', 'temporary-encrypted', 'coalesce', 'scripted', 'scripted-author', 'scripted-no-snapshot'],
];
const choice = <T extends string>(part: Part, what: string, known: readonly T[]): T => {
  const found = known.find((k) => k === part.text);
  if (found === undefined)
    throw new Mistake(part.offset, `the ${what} is "${part.text}"; it may be ${known.join(', ')}`);
  return found;
};
const diskForm = 'PATH:TYPE:DEVICE:MODE:KIND, such as /dev/vg/root:phy:hda:w:disk';

/** `path:type:device:mode:kind[:snapshot][:key=value …]`; five fields are enough. */
export function parseXenvmDisk(value: string): XenvmDisk {
  const [path, kind, device, mode, type, ...rest] = partsOf(value, ':');
  if (!path || !kind || !device || !mode || !type) throw new Mistake(0, `"${value}" is not ${diskForm}`);
  const cdrom = choice(type, 'kind', ['disk', 'cdrom']) === 'cdrom';
  const phystype = choice(kind, 'type', diskKinds);
  const number = virtualDevice(device.text);
  if (!number) throw new Mistake(device.offset, `"${device.text}" is no drive: hda, sdb1, xvdc or a device number`);
  if (path.text === '' && !cdrom) throw new Mistake(0, 'the path is missing; only a CD drive may be empty');
  if (path.text !== '' && phystype !== 'vdi' && !path.text.startsWith('/'))
    throw new Mistake(0, `"${path.text}" is no absolute path`);
  const write = choice(mode, 'mode', ['r', 'w']) === 'w';
  const first = rest[0]?.text.includes('=') === false ? rest.shift() : undefined;
  const snapshot = first && !['', 'none'].includes(first.text) ? choice(first, 'snapshot', snapshots) : '';
  const pairs = rest.map(({ text }) => text.split('=', 2)).filter((pair) => pair.length === 2);
  const options = new Map(pairs as [string, string][]);
  return { path: path.text, kind: phystype, device: device.text, number, write, cdrom, snapshot, options };
}
/** Major numbers of the IDE drives, two on each. */
const ideMajors = [3, 22, 33, 34, 56, 57, 88, 89, 90, 91];
/** Names, or 256 × major + minor. */
function virtualDevice(text: string): DeviceNumber | undefined {
  const name = text.replace(/^\/dev\//, '');
  if (!/^[0-9]+$/.test(name)) {
    const found = parseDeviceNumber(name);
    return found && ['hd', 'sd', 'xvd'].includes(found.bus) ? found : undefined;
  }
  const n = parseInteger(name) ?? -1;
  const [major, minor] = [Math.floor(n / 256), n % 256];
  const ide = ideMajors.indexOf(major);
  if (ide >= 0 && minor < 128) return { bus: 'hd', disk: 2 * ide + Math.floor(minor / 64), partition: minor % 64 };
  const bus = major === 8 ? 'sd' : major === 202 ? 'xvd' : undefined;
  return bus && { bus, disk: Math.floor(minor / 16), partition: minor % 16 };
}

export interface XenvmNic {
  /** −1: the lowest that is free. */
  readonly id: number;
  readonly bridge: string;
  readonly network: string;
  readonly mac: string;
  readonly model: string;
  readonly wireless: boolean;
  readonly backendDomid: number;
}
/** `key=value,…`, or nothing; keys that are not known say nothing. */
export function parseXenvmNic(value: string): XenvmNic {
  const pairs = new Map<string, Part>();
  for (const part of partsOf(value, ',')) {
    const equals = part.text.indexOf('=');
    if (equals < 0 && part.text.trim() === '') continue;
    if (equals < 0) throw new Mistake(part.offset, `"${part.text}" has no "="; an interface is key=value,key=value`);
    const key = part.text.slice(0, equals).trim();
    pairs.set(key, { text: part.text.slice(equals + 1).trim(), offset: part.offset + equals + 1 });
  }
  const text = (key: string) => pairs.get(key)?.text ?? '';
  const number = (key: string, otherwise: number, least: number, most: number) => {
    const part = pairs.get(key);
    const n = part ? parseInteger(part.text) : otherwise;
    if (part && (n === undefined || n < least || n > most))
      throw new Mistake(part.offset, `${key}: "${part.text}" is no number from ${least} to ${most}`);
    return n ?? otherwise;
  };
  const wireless = pairs.get('wireless');
  if (wireless && parseBoolean(wireless.text) === undefined)
    throw new Mistake(wireless.offset, `wireless: "${wireless.text}" is neither true nor false`);
  const mac = pairs.get('mac');
  if (mac && mac.text !== '' && !/^([0-9a-f]{2}(:[0-9a-f]{2}){5}|random|vm)$/i.test(mac.text))
    throw new Mistake(mac.offset, `mac: "${mac.text}" is no address such as 00:16:3e:00:00:01, nor random, nor vm`);
  if (mac && Number.parseInt(mac.text.slice(0, 2), 16) & 1)
    throw new Mistake(mac.offset, `mac: "${mac.text}" is an address of a group; its first number must be even`);
  const bridge = pairs.get('bridge');
  if (bridge && !/^[^\s/]{0,15}$/.test(bridge.text))
    throw new Mistake(
      bridge.offset,
      `bridge: "${bridge.text}" is no name of an interface: at most 15 characters, no "/"`,
    );
  return {
    id: number('id', -1, -1, 31),
    ...{ bridge: text('bridge'), network: text('network'), mac: text('mac').toLowerCase(), model: text('model') },
    wireless: parseBoolean(wireless?.text ?? '') ?? false,
    backendDomid: number('backend-domid', 0, 0, 32751),
  };
}

export interface XenvmPci {
  readonly id: number;
  readonly bind: boolean;
  /** `0000:03:10.1` */
  readonly address: string;
  readonly options: ReadonlyMap<string, string>;
}
const pciOptions = ['msitranslate', 'power_mgmt', 'guest_slot', 'vdevfn'];
/** `ID[,bind],DOM:BUS:SLOT.FUNC[,key=value …]` */
export function parseXenvmPci(value: string): XenvmPci {
  const [id, ...rest] = partsOf(value, ',');
  const bind = rest[0]?.text === 'bind' ? rest.shift() !== undefined : false;
  const address = rest.shift();
  if (!id || !/^[0-9]{1,3}$/.test(id.text) || !address)
    throw new Mistake(0, `"${value}" is not ID[,bind],DOM:BUS:SLOT.FUNC, such as 0,bind,0000:00:19.0`);
  if (!/^[0-9a-f]{1,4}:[0-9a-f]{1,2}:[01]?[0-9a-f]\.[0-7]$/i.test(address.text))
    throw new Mistake(address.offset, `"${address.text}" is no address such as 0000:00:19.0`);
  const options = new Map<string, string>();
  for (const { text, offset } of rest) {
    const [key = '', given] = text.split('=', 2);
    if (!pciOptions.includes(key) || given === undefined || parseInteger(given) === undefined)
      throw new Mistake(offset, `"${text}" is none of ${pciOptions.map((o) => `${o}=NUMBER`).join(', ')}`);
    options.set(key, given);
  }
  return { id: Number(id.text), bind, address: address.text, options };
}

export interface XenvmDisplay {
  readonly kind: 'none' | 'vnc' | 'sdl' | 'intel';
  readonly keymap: string | undefined;
  readonly port: number;
}
/** `none`, `sdl[:x]`, `intel[:x]`, `vnc[:use-port-unused,keymap=…,port=…]` */
export function parseXenvmDisplay(value: string): XenvmDisplay {
  const [proto, ...rest] = partsOf(value, ':');
  const kind = choice(proto ?? { text: '', offset: 0 }, 'display', ['none', 'vnc', 'sdl', 'intel']);
  let keymap: string | undefined;
  let port = 0;
  for (const { text, offset } of kind === 'vnc' ? rest.flatMap((r) => partsOf(r.text, ',', r.offset)) : []) {
    const [key, given = ''] = text.split('=', 2);
    if (key === 'keymap' && /^[a-z]{2}(-[a-z]{2})?$/i.test(given)) keymap = given;
    else if (key === 'port' && /^[0-9]{1,5}$/.test(given) && Number(given) < 65536) port = Number(given);
    else if (text !== 'use-port-unused' && text !== '')
      throw new Mistake(offset, `"${text}" is none of use-port-unused, keymap=LANGUAGE, port=NUMBER`);
  }
  return { kind, keymap, port };
}
