/** The few objects that the door's tests know, and `xe` run against them. */
import { silentLog } from '../../base/log.ts';
import { connectOver, type XeDoor, xeDoor } from './door.ts';
import { type FakeHost, fakeHost } from './fake-host.ts';
import { type Answers, type Outcome, runXe } from './fake-server.ts';

export interface World {
  readonly host: FakeHost;
  readonly door: XeDoor;
  xe(line: readonly string[], answers?: Answers): Promise<Outcome>;
  uuidOf(cls: string, ref: string): string;
  /** Calls that were neither reads nor logins. */
  changes(): (readonly [string, ...unknown[]])[];
}
/** The uuid of the n-th object that was made. */
export const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

/** A host with an SR, a network, and VMs in several states; `web` is the ninth object. */
export function fakeWorld(): World {
  const host = fakeHost();
  const h = host.add('host', 'alpha', { hostname: 'alpha', address: '192.0.2.1', enabled: true });
  const iso = host.add('SR', 'ISOs', { type: 'iso', content_type: 'iso' });
  const sr = host.add('SR', 'Local', { type: 'file', content_type: 'user' });
  host.add('pool', 'pool', { master: h, default_SR: sr });
  host.rec('SR', sr).PBDs = [
    host.add('PBD', 'pbd', { host: h, SR: sr, currently_attached: true, device_config: { location: '/srv' } }),
  ];
  const net = host.add('network', 'inside', { bridge: 'xenbr0', MTU: 1500 });
  const metrics = host.add('VM_metrics', 'm', { memory_actual: 268435456, start_time: '20260102T03:04:05Z' });
  const guest = host.add('VM_guest_metrics', 'g', {
    networks: { '0/ip': '10.0.0.2' },
    os_version: { name: 'Debian, 13', distro: 'debian' },
  });
  const web = host.add('VM', 'web', {
    power_state: 'Running',
    metrics,
    guest_metrics: guest,
    resident_on: h,
    domid: 3,
    memory_static_max: 268435456,
    other_config: { folder: '/a', mac_seed: 'x' },
    tags: ['blue', 'front,end'],
    current_operations: { 'OpaqueRef:task': 'clean_reboot' },
    actions_after_shutdown: 'destroy',
    actions_after_reboot: 'restart',
    actions_after_crash: 'restart',
  });
  const vdi = host.add('VDI', 'root', { SR: sr, virtual_size: 1073741824, type: 'user', managed: true });
  host.add('VDI', 'debian.iso', { SR: iso, virtual_size: 4096, read_only: true });
  const vbd = host.add('VBD', 'vbd', {
    VM: web,
    VDI: vdi,
    userdevice: '0',
    device: 'xvda',
    type: 'Disk',
    mode: 'RW',
    other_config: { owner: '' },
    currently_attached: true,
  });
  const cd = host.add('VBD', 'cd', { VM: web, empty: true, userdevice: '3', device: 'xvdd', type: 'CD', mode: 'RO' });
  host.rec('VM', web).VBDs = [vbd, cd];
  host.rec('VDI', vdi).VBDs = [vbd];
  const vif = host.add('VIF', 'vif', { VM: web, network: net, device: '0', MAC: '52:54:00:aa:bb:cc', MTU: 1500 });
  host.rec('VM', web).VIFs = [vif];
  host.add('VM', 'db', { power_state: 'Halted' });
  host.add('VM', 'db', { power_state: 'Suspended' });
  host.add('VM', 'Control domain', { is_control_domain: true, power_state: 'Running' });
  host.add('VM', 'Tiny Linux', { is_a_template: true, is_default_template: true });
  const text = host.add('console', 'text', { VM: web, protocol: 'vt100', location: 'https://192.0.2.1/console' });
  host.rec('VM', web).consoles = [text];
  const door = xeDoor({
    connect: connectOver(host.transport, async () => 'OpaqueRef:session'),
    log: silentLog,
    version: '0.1.0',
  });
  return {
    host,
    door,
    xe: (line, answers) => runXe(door, line, answers),
    uuidOf: (cls, ref) => String(host.rec(cls, ref).uuid),
    changes: () => host.calls.filter(([m]) => m !== 'session.logout'),
  };
}
