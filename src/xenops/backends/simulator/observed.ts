/** A pretended domain as a hypervisor's is seen. */
import { hostLabel } from '../../../base/host-name.ts';
import type { GuestReport } from '../../../contracts/guest.ts';
import type { Observed } from '../../backend.ts';
import type { SimDomain } from './world.ts';

/** A guest with `platform:sim:agent` has an agent. */
export const hasAgent = (d: SimDomain): boolean => d.spec.platform['sim:agent'] === 'true';

function reportOf(d: SimDomain): GuestReport {
  const { vifs } = d.spec;
  return {
    agent: 'simulator',
    version: '1.0',
    hostName: hostLabel(d.spec.name, d.spec.id),
    os: { name: 'Simulated Linux 1.0', uname: '1.0', distro: 'simulated', major: '1', minor: '0' },
    addresses: Object.fromEntries(vifs.map((vif, i) => [vif.mac.toLowerCase(), [`192.0.2.${(i % 250) + 1}`]])),
    memory: { total: d.memoryTarget, free: Math.floor(d.memoryTarget / 2) },
    disks: [{ mount: '/', device: 'xvda1', type: 'ext4', total: 2 ** 30, used: 2 ** 29 }],
    can: ['shutdown', 'freeze', 'vcpus'],
  };
}

/** `serial`, `screen`: sockets of its consoles, where it has any. */
export function observed(d: SimDomain, serial: string | undefined, screen: string | undefined): Observed {
  const discs: Record<string, boolean> = {};
  for (const [id, drive] of d.vbds) if (drive.changed) discs[id] = drive.path !== null;
  return {
    vm: d.vm,
    domid: d.domid,
    power: d.power,
    ...(d.end ? { end: d.end } : {}),
    startedAt: d.startedAt,
    memoryTarget: d.memoryTarget,
    memoryActual: d.memoryTarget,
    vcpus: d.vcpus,
    accelerator: 'simulator',
    consoles:
      serial === undefined || screen === undefined
        ? []
        : [
            { protocol: 'vt100', socket: serial },
            { protocol: 'rfb', socket: screen },
          ],
    vbds: [...d.vbds.keys()],
    vifs: [...d.vifs.keys()],
    ...(d.power !== 'ended' && d.startedAt > 0 && hasAgent(d) ? { guest: reportOf(d) } : {}),
    discs,
  };
}
