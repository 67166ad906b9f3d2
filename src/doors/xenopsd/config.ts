/** `xenopsd.conf`: `key = value` lines, and the same keys on the command line; where both set a key, the file wins. */

import { parseSwitchAddress } from '../../wire/switch-address.ts';

/** A mistake in the settings: `FILE:LINE:COLUMN: key: why`, or the option's name. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
type Kind = 'text' | 'path' | 'boolean' | 'number' | 'switch';
/** What is done with a key: `used`; `fixed`: fine at its usual value alone; `heard`: what it tunes is not there. */
type Role = 'used' | 'fixed' | 'heard';
interface Key {
  readonly kind: Kind;
  readonly usual: string;
  readonly role: Role;
}
const key = (kind: Kind, usual: string, role: Role): Key => ({ kind, usual, role });

const general = {
  queue: key('text', 'org.xen.xapi.xenops.classic', 'used'),
  'sockets-path': key('path', '/var/lib/xcp', 'used'),
  persist: key('boolean', 'true', 'used'),
  'database-path': key('path', '/var/run/nonpersistent/xenopsd/classic', 'used'),
  /** Ours: which ground guests run on; `auto` is the simulator for a queue that ends so. */
  hypervisor: key('text', 'auto', 'used'),
  'worker-pool-size': key('number', '4', 'used'),
  'use-switch': key('boolean', 'false', 'used'),
  'switch-path': key('switch', '/var/run/message-switch/sock', 'used'),
  'search-path': key('text', '', 'used'),
  pidfile: key('path', '', 'used'),
  log: key('text', 'stderr:', 'used'),
  loglevel: key('text', 'info', 'used'),
  'test-open': key('number', '0', 'fixed'),
  'numa-placement': key('boolean', 'false', 'fixed'),
  'numa-best-effort-prio-mem-only': key('boolean', 'false', 'fixed'),
  'use-upstream-qemu': key('boolean', 'false', 'heard'),
  use_old_pci_add: key('boolean', 'false', 'heard'),
  run_hotplug_scripts: key('boolean', 'true', 'heard'),
  hotplug_timeout: key('number', '300', 'heard'),
  qemu_dm_ready_timeout: key('number', '300', 'heard'),
  'vgpu-ready-timeout': key('number', '30', 'heard'),
  'varstored-ready-timeout': key('number', '30', 'heard'),
  watch_queue_length: key('number', '1000', 'heard'),
  'default-vbd-backend-kind': key('text', 'vbd', 'heard'),
  'ca-140252-workaround': key('boolean', 'false', 'heard'),
  'xen-platform-pci-bar-uc': key('boolean', 'false', 'heard'),
  'additional-ballooning-timeout': key('number', '120', 'heard'),
  domain_shutdown_ack_timeout: key('number', '60', 'heard'),
  'vif-ready-for-igmp-query-timeout': key('number', '120', 'heard'),
  'action-after-qemu-crash': key('text', 'none', 'heard'),
  'feature-flags-path': key('path', '/etc/xenserver/features.d', 'heard'),
  'pvinpvh-xen-cmdline': key('text', '', 'heard'),
  'pci-quarantine': key('boolean', 'true', 'heard'),
  'vm-guest-agent-xenstore-quota-bytes': key('number', '26214400', 'heard'),
  'vm-guest-agent-xenstore-quota-warn-interval': key('number', '3600', 'heard'),
  'oxenstored-conf': key('path', '', 'heard'),
  'xenopsd-vbd-plug-unplug-legacy': key('boolean', 'true', 'heard'),
  'vm-suspend-timeout': key('number', '1200', 'heard'),
  'vm-suspend-ack-timeout': key('number', '30', 'heard'),
  'migration-compressor': key('text', 'stream', 'heard'),
  'migration-tls': key('text', 'stunnel', 'heard'),
  /** Ours: `ADDRESS:PORT` where guests of other hosts arrive; none when empty. */
  'migration-listen': key('text', '', 'used'),
  /** Ours: a file of the certificates, in PEM, of the hosts that guests may come from and go to. */
  'migration-trust': key('path', '', 'used'),
  /** Ours: without TLS; whoever reaches the port is believed. */
  'migration-plain': key('boolean', 'false', 'used'),
  /** Ours: seconds without a word from another host after which it is out of reach. */
  'migration-silence': key('number', '30', 'used'),
  'disable-logging-for': key('text', '', 'heard'),
  inventory: key('path', '/etc/xensource-inventory', 'heard'),
  timeslice: key('number', '0.05', 'heard'),
  'config-dir': key('path', '', 'used'),
} as const satisfies Readonly<Record<string, Key>>;
export type Setting = keyof typeof general;

/** Paths of helpers that the reference calls; ours are found in PATH and `search-path`, and most are not needed at all. */
const resources: readonly string[] = [
  ...['chgrp', 'modprobe', 'rmmod', 'zstd', 'vbd-script', 'vif-script', 'xenguest', 'emu-manager', 'tune2fs', 'mount'],
  ...['umount', 'ionice', 'setup-vif-rules', 'setup-pvs-proxy-rules', 'ovs-vsctl', 'network-conf', 'hvmloader'],
  ...['qemu-system-i386', 'upstream-compat-qemu-dm-wrapper', 'pygrub', 'eliloader', 'pvinpvh-xen', 'swtpm-wrapper'],
  ...['convert-legacy-stream', 'cpu-info-file', 'verify-stream-v2', 'pci-flr-script', 'alternatives', 'vgpu'],
  ...['varstored', 'vncterm', 'gimtool', 'igmp-query-injector-script', 'xenopsd-tls-helper'],
];

export interface XenopsdConfig {
  readonly values: Readonly<Record<Setting, string>>;
  /** Helpers by name, where a path was given. */
  readonly paths: ReadonlyMap<string, string>;
  /** Sentences about settings that change nothing here. */
  readonly warnings: readonly string[];
}
interface Given {
  readonly value: string;
  /** `FILE:LINE:COLUMN` of the value, or the option. */
  readonly where: string;
}

/** `files` in the order in which they are read; the last one wins over all. Throws `ConfigError`. */
export function readConfig(
  options: ReadonlyMap<string, string>,
  files: readonly { readonly file: string; readonly text: string }[],
): XenopsdConfig {
  const given = new Map<string, Given>();
  for (const [name, value] of options) given.set(name, checked(name, { value, where: `--${name}` }, `--${name}`));
  for (const { file, text } of files) for (const [name, row] of linesOf(file, text)) given.set(name, row);
  const values = Object.entries(general).map(([name, { usual }]) => [name, given.get(name)?.value ?? usual]);
  return {
    values: Object.fromEntries(values) as Record<Setting, string>,
    paths: new Map([...given].filter(([name]) => resources.includes(name)).map(([name, row]) => [name, row.value])),
    warnings: [...given].flatMap(([name, row]) => warningOf(name, row)),
  };
}
function* linesOf(file: string, text: string): Generator<[string, Given]> {
  let number = 0;
  for (const line of text.split('\n')) {
    number++;
    const bare = line.replace(/(^|\s)#.*$/, '').trimEnd();
    if (bare.trim() === '') continue;
    const column = bare.length - bare.trimStart().length + 1;
    const [, name = '', gap = '', raw = ''] = /^\s*([^\s=]+)(\s*=\s*)(.*)$/.exec(bare) ?? [];
    const at = `${file}:${number}:${column}`;
    if (name === '') throw new ConfigError(`${at}: ${bare.trim().split(/\s/)[0]}: "key = value" is expected`);
    const value = raw.replace(/^(["'])(.*)\1$/, '$2');
    const where = `${file}:${number}:${column + name.length + gap.length}: ${name}`;
    yield [name, checked(name, { value, where }, `${at}: ${name}`)];
  }
}
function checked(name: string, given: Given, at: string): Given {
  if (resources.includes(name)) return given;
  const known: Key | undefined = Object.hasOwn(general, name) ? general[name as Setting] : undefined;
  if (!known) throw new ConfigError(`${at}: there is no such setting`);
  const { value, where } = given;
  const wrong = (why: string) => new ConfigError(`${where}: ${JSON.stringify(value)} ${why}`);
  if (known.kind === 'boolean' && value !== 'true' && value !== 'false') throw wrong('is neither true nor false');
  if (known.kind === 'number' && !/^[0-9]+(\.[0-9]+)?$/.test(value)) throw wrong('is no number');
  if (known.kind === 'path' && value !== '' && !value.startsWith('/')) throw wrong('is no absolute path');
  if (known.kind === 'switch') checkSwitch(value, wrong);
  if (known.role === 'fixed' && Number(value) !== 0 && value !== known.usual)
    throw wrong(`is not supported; leave it out, or write ${known.usual}`);
  return given;
}
/** An absolute path or another address. */
function checkSwitch(value: string, wrong: (why: string) => ConfigError): void {
  try {
    const parsed = parseSwitchAddress(value);
    if (parsed.kind === 'nats' || parsed.path.startsWith('/')) return;
  } catch (error) {
    throw wrong(`is no message switch: ${(error as Error).message}`);
  }
  throw wrong('is neither an absolute path nor nats://HOST');
}
function warningOf(name: string, { value, where }: Given): string[] {
  if (resources.includes(name)) return [];
  const { role, usual }: Key = general[name as Setting];
  return role === 'heard' && value !== usual ? [`${where}: it changes nothing here`] : [];
}

/** `-key value`, `--key value`, `--key=value`, and `-config FILE`. Throws `ConfigError`. */
export function readOptions(args: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(args[i] ?? '') ?? [];
    if (name === undefined) throw new ConfigError(`${args[i]}: is no option; see xenopsd --help`);
    const given = name === 'help' ? '' : (value ?? args[++i]);
    if (given === undefined) throw new ConfigError(`--${name}: its value is missing`);
    options.set(name, given);
  }
  return options;
}
/** The keys with their usual values, as a configuration file. */
export const usualConfig = (): string =>
  Object.entries(general)
    .map(([name, { usual, role }]) => `${role === 'heard' ? '# ' : ''}${name} = ${usual}\n`)
    .join('');
