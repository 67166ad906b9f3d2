/** A pretended domain as a hypervisor's is seen. */
import type { Observed } from '../../backend.ts';
import type { SimDomain } from './world.ts';

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
    discs,
  };
}
