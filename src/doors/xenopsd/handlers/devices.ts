/** Methods on drives, interfaces and other devices. */
import type { VifSpec } from '../../../contracts/xenops.ts';
import {
  bridgeOf,
  findVbd,
  findVif,
  lockOf,
  mediaOf,
  noAgent,
  noProxy,
  noVlan,
  vbdOf,
  vbdSpecOf,
  vbdStateOf,
  vifOf,
  vifSpecOf,
  vifStateOf,
} from '../device.ts';
import { DoorError, unimplemented } from '../errors.ts';
import { addOther, listOther, removeOther, statOther } from '../other-devices.ts';
import { type CallContext, task } from '../parts.ts';
import { noUsb } from '../refusals.ts';
import type { HandlersOf } from '../table.ts';
import { entryOf } from './vm.ts';

type Id = readonly [string, string];
const vbdOfId = async (c: CallContext, [vm, name]: Id) => {
  const entry = await entryOf(c, vm);
  return { vm, entry, vbd: findVbd(entry.spec, name) };
};
const vifOfId = async (c: CallContext, [vm, name]: Id) => {
  const entry = await entryOf(c, vm);
  return { vm, entry, vif: findVif(entry.spec, name) };
};

export const vbdHandlers: HandlersOf<'VBD'> = {
  'VBD.add': async (c, { vbd }) => {
    const { spec } = await entryOf(c, vbd.id[0]);
    await c.parts.xenops.vbd.add({ vm: spec.id, vbd: vbdSpecOf(vbd, spec) });
    return vbd.id;
  },
  'VBD.plug': (c, { id }) =>
    task(c, 'VBD.plug', async (call) => {
      const { vm, vbd } = await vbdOfId(c, id);
      await c.parts.xenops.vbd.plug({ vm, id: vbd.id }, call);
    }),
  'VBD.unplug': (c, { id, force }) =>
    task(c, 'VBD.unplug', async (call) => {
      const { vm, vbd } = await vbdOfId(c, id);
      await c.parts.xenops.vbd.unplug({ vm, id: vbd.id, force }, call);
    }),
  'VBD.eject': (c, { id }) =>
    task(c, 'VBD.eject', async (call) => {
      const { vm, vbd } = await vbdOfId(c, id);
      await c.parts.xenops.vbd.eject({ vm, id: vbd.id }, call);
    }),
  'VBD.insert': (c, { id, disk }) =>
    task(c, 'VBD.insert', async (call) => {
      const { vm, vbd } = await vbdOfId(c, id);
      await c.parts.xenops.vbd.insert({ vm, id: vbd.id, media: mediaOf(disk, undefined) }, call);
    }),
  'VBD.stat': async (c, { id }) => {
    const { vm, entry, vbd } = await vbdOfId(c, id);
    return [vbdOf(vm, vbd), vbdStateOf(entry, vbd)];
  },
  'VBD.list': async (c, { id }) => {
    const entry = await entryOf(c, id);
    return entry.spec.vbds.map((vbd) => [vbdOf(id, vbd), vbdStateOf(entry, vbd)] as const);
  },
  'VBD.remove': async (c, { id }) => {
    const { vm, vbd } = await vbdOfId(c, id);
    await c.parts.xenops.vbd.remove({ vm, id: vbd.id });
    return null;
  },
};

export const vifHandlers: HandlersOf<'VIF'> = {
  'VIF.add': async (c, { vif }) => {
    const { spec } = await entryOf(c, vif.id[0]);
    await c.parts.xenops.vif.add({ vm: spec.id, vif: vifSpecOf(vif, spec) });
    return vif.id;
  },
  'VIF.plug': (c, { id }) =>
    task(c, 'VIF.plug', async (call) => {
      const { vm, vif } = await vifOfId(c, id);
      await c.parts.xenops.vif.plug({ vm, id: vif.id }, call);
    }),
  'VIF.unplug': (c, { id, force }) =>
    task(c, 'VIF.unplug', async (call) => {
      const { vm, vif } = await vifOfId(c, id);
      await c.parts.xenops.vif.unplug({ vm, id: vif.id, force }, call);
    }),
  'VIF.move': (c, { id, network }) => replug(c, id, 'VIF.move', () => ({ bridge: bridgeOf(network) })),
  'VIF.stat': async (c, { id }) => {
    const { vm, entry, vif } = await vifOfId(c, id);
    return [vifOf(vm, vif), vifStateOf(entry, vif)];
  },
  'VIF.list': async (c, { id }) => {
    const entry = await entryOf(c, id);
    return entry.spec.vifs.map((vif) => [vifOf(id, vif), vifStateOf(entry, vif)] as const);
  },
  'VIF.remove': async (c, { id }) => {
    const { vm, vif } = await vifOfId(c, id);
    await c.parts.xenops.vif.remove({ vm, id: vif.id });
    return null;
  },
  'VIF.set_carrier': (c, { id, carrier }) => replug(c, id, 'VIF.set_carrier', () => ({ carrier })),
  'VIF.set_locking_mode': (c, { id, locking_mode }) =>
    task(c, 'VIF.set_locking_mode', async (call) => {
      const { vm, vif } = await vifOfId(c, id);
      await c.parts.xenops.vif.setLock({ vm, id: vif.id, lock: lockOf(locking_mode) ?? null }, call);
    }),
  'VIF.set_ipv4_configuration': (c, { id, ipv4_configuration }) =>
    onlyUsual(c, id, `VIF.set_ipv4_configuration ${noAgent}`, ipv4_configuration === 'Unspecified4'),
  'VIF.set_ipv6_configuration': (c, { id, ipv6_configuration }) =>
    onlyUsual(c, id, `VIF.set_ipv6_configuration ${noAgent}`, ipv6_configuration === 'Unspecified6'),
  'VIF.set_pvs_proxy': (c, { id, proxy }) => onlyUsual(c, id, `VIF.set_pvs_proxy ${noProxy}`, proxy === null),
  'VIF.set_trunks': (c, { id, trunks }) => onlyUsual(c, id, `VIF.set_trunks ${noVlan}`, trunks.length === 0),
};
/** Changes the description; an interface that is plugged is taken out and put in again. */
function replug(c: CallContext, id: Id, what: string, change: () => Partial<VifSpec>): string {
  return task(c, what, async (call) => {
    const { vm, entry, vif } = await vifOfId(c, id);
    const changed = { ...vif, ...change() };
    const plugged = entry.state.vifs[vif.id]?.plugged === true;
    if (plugged) await c.parts.xenops.vif.unplug({ vm, id: vif.id, force: true }, call);
    await c.parts.xenops.vif.add({ vm, vif: changed });
    if (plugged) await c.parts.xenops.vif.plug({ vm, id: vif.id }, call);
  });
}
function onlyUsual(c: CallContext, id: Id, what: string, usual: boolean): string {
  return task(c, what, async () => {
    await vifOfId(c, id);
    if (!usual) throw unimplemented(what);
  });
}

export const pciHandlers: HandlersOf<'PCI'> = {
  'PCI.add': (c, { pci }) => addOther(c, 'pci', pci),
  'PCI.remove': (c, { id }) => removeOther(c, 'pci', id),
  'PCI.stat': async (c, { id }) => [await statOther(c, 'pci', id), { plugged: false }],
  'PCI.list': async (c, { id }) => (await listOther(c, 'pci', id)).map((d) => [d, { plugged: false }] as const),
  // Nothing is ever put in quarantine here.
  'PCI.dequarantine': () => null,
};
export const vusbHandlers: HandlersOf<'VUSB'> = {
  'VUSB.add': (c, { vusb }) => addOther(c, 'vusb', vusb),
  'VUSB.plug': (c, { id }) => notYet(c, id, 'VUSB.plug'),
  'VUSB.unplug': (c, { id }) => notYet(c, id, 'VUSB.unplug'),
  'VUSB.stat': async (c, { id }) => [await statOther(c, 'vusb', id), { plugged: false }],
  'VUSB.list': async (c, { id }) => (await listOther(c, 'vusb', id)).map((d) => [d, { plugged: false }] as const),
  'VUSB.remove': (c, { id }) => removeOther(c, 'vusb', id),
};
function notYet(c: CallContext, id: Id, what: string): string {
  return task(c, what, async () => {
    await statOther(c, 'vusb', id);
    if (what === 'VUSB.unplug') throw new DoorError('Device_not_connected');
    throw noUsb((await c.parts.xenops.host.stat({})).backend);
  });
}
const idle = { active: false, plugged: false, emulator_pid: null };
export const vgpuHandlers: HandlersOf<'VGPU'> = {
  'VGPU.add': (c, { vgpu }) => addOther(c, 'vgpu', vgpu),
  'VGPU.stat': async (c, { id }) => [await statOther(c, 'vgpu', id), idle],
  'VGPU.list': async (c, { id }) => (await listOther(c, 'vgpu', id)).map((d) => [d, idle] as const),
  'VGPU.remove': (c, { id }) => removeOther(c, 'vgpu', id),
};
