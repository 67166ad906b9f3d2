/** What QEMU's guest agent answers → the report of a guest. Pure; answers of any shape are read, what is not understood is left out. */
import type { GuestReport } from '../../../contracts/guest.ts';
import { bounded, bytesOf } from '../../guest-report.ts';

/** The answers to the commands of these names; undefined where there was none. */
export interface AgentAnswers {
  readonly info?: unknown;
  readonly osInfo?: unknown;
  readonly hostName?: unknown;
  readonly interfaces?: unknown;
  readonly filesystems?: unknown;
  /** The balloon driver's, in bytes. */
  readonly memory?: { readonly total: number; readonly free: number } | null;
}

export function reportOf(answers: AgentAnswers): GuestReport {
  const info = object(answers.info);
  return bounded({
    agent: 'qemu',
    version: text(info['version']),
    hostName: text(object(answers.hostName)['host-name']),
    os: osOf(object(answers.osInfo)),
    addresses: addressesOf(list(answers.interfaces)),
    memory: answers.memory ?? null,
    disks: list(answers.filesystems).map(diskOf),
    can: abilities(list(info['supported_commands']).map(object)),
  });
}
/** As Xen's agents say it: `distro` in one word, `uname` the kernel's release, `name` for people. */
function osOf(os: Readonly<Record<string, unknown>>): GuestReport['os'] {
  const [major = '', minor = ''] = text(os['version-id']).split('.');
  return {
    name: text(os['pretty-name']) || text(os['name']),
    uname: text(os['kernel-release']),
    distro: text(os['id']),
    major,
    minor,
  };
}
function addressesOf(interfaces: readonly unknown[]): GuestReport['addresses'] {
  const found: Record<string, string[]> = {};
  for (const each of interfaces.slice(0, 1000).map(object)) {
    const mac = text(each['hardware-address']).toLowerCase();
    if (mac === '' || mac === '00:00:00:00:00:00') continue;
    const addresses = list(each['ip-addresses'])
      .slice(0, 100)
      .map((a) => text(object(a)['ip-address']));
    // A bridge in the guest has the address of its port.
    const known = Object.hasOwn(found, mac) ? found[mac] : [];
    found[mac] = [...(known ?? []), ...addresses];
  }
  return found;
}
function diskOf(each: unknown): GuestReport['disks'][number] {
  const fs = object(each);
  return {
    mount: text(fs['mountpoint']),
    device: text(fs['name']),
    type: text(fs['type']),
    total: bytesOf(fs['total-bytes']),
    used: bytesOf(fs['used-bytes']),
  };
}
const commands = {
  shutdown: ['guest-shutdown'],
  freeze: ['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw'],
  vcpus: ['guest-get-vcpus', 'guest-set-vcpus'],
} as const;
function abilities(known: readonly Readonly<Record<string, unknown>>[]): GuestReport['can'] {
  const on = new Set(known.filter((c) => c['enabled'] === true).map((c) => c['name']));
  const names = Object.keys(commands) as (keyof typeof commands)[];
  return names.filter((name) => commands[name].every((command) => on.has(command)));
}

const object = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
