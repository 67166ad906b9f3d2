/** Methods on VMs: each is a call of the domain manager; those that take time answer the number of a task. */
import type { VmEntry } from '../../../contracts/xenops.ts';
import { mediaOf, vbdOf, vbdSpecOf, vifOf, vifSpecOf } from '../device.ts';
import { unimplemented } from '../errors.ts';
import { notesOf, otherDevices } from '../other-devices.ts';
import { type CallContext, type DoorParts, task } from '../parts.ts';
import { noGpu, noPci, noUsb } from '../refusals.ts';
import type { HandlersOf } from '../table.ts';
import { type Metadata, metadataT, type Vm } from '../types.ts';
import { type describe, specOf, stateOf, vmNote, vmOf } from '../vm.ts';

export async function entryOf({ parts }: CallContext, id: string): Promise<VmEntry> {
  return parts.xenops.vm.stat({ id });
}
export async function findEntry({ parts }: CallContext, id: string): Promise<VmEntry | undefined> {
  return (await parts.xenops.vm.list({})).find(({ spec }) => spec.id === id);
}
/** What an entry looks like here. */
export function seen(parts: DoorParts, entry: VmEntry) {
  return [vmOf(entry.spec), stateOf(entry, parts.screenPort?.(entry.spec.id))] as const;
}

export const vmHandlers: HandlersOf<'VM'> = {
  'VM.add': async (c, { vm }) => {
    const known = (await findEntry(c, vm.id))?.spec;
    return c.parts.xenops.vm.add(specOf(vm, known));
  },
  'VM.remove': async (c, { id }) => {
    await c.parts.xenops.vm.remove({ id });
    return null;
  },
  'VM.generate_state_string': (_, { vm }) => JSON.stringify({ memory: vm.memory_dynamic_max, vcpus: vm.vcpus }),
  'VM.migrate': (c, { id, xenops_url: url, compress, verify_dest: verifyDestination, vdi_map: vdiMap }) => {
    const { migrate } = c.parts;
    return task(c, 'VM.migrate', async (call) => {
      if (!migrate) throw unimplemented('VM.migrate');
      await migrate({ id, url, compress, verifyDestination, vdiMap }, call);
    });
  },
  'VM.create': (c, { id }) =>
    task(c, 'VM.create', async (call) => {
      await refuseOthers(c, (await entryOf(c, id)).spec);
      await c.parts.xenops.vm.create({ id }, call);
    }),
  'VM.build': (c, { id }) => task(c, 'VM.build', (call) => c.parts.xenops.vm.build({ id }, call)),
  // A guest's emulator is made with it: only what is not built yet is built.
  'VM.create_device_model': (c, { id }) =>
    task(c, 'VM.create_device_model', (call) => c.parts.xenops.vm.build({ id }, call)),
  'VM.destroy': (c, { id }) =>
    task(c, 'VM.destroy', async (call) => {
      const { state } = await c.parts.xenops.vm.stat({ id });
      if (state.power !== 'Halted') await c.parts.xenops.vm.shutdown({ id, timeoutS: null }, call);
    }),
  'VM.pause': (c, { id }) => task(c, 'VM.pause', (call) => c.parts.xenops.vm.pause({ id }, call)),
  'VM.unpause': (c, { id }) => task(c, 'VM.unpause', (call) => c.parts.xenops.vm.unpause({ id }, call)),
  'VM.request_rdp': (c, { id, enabled }) =>
    task(c, 'VM.request_rdp', (call) => c.parts.xenops.vm.requestRdp({ id, enabled }, call)),
  'VM.run_script': (c, { id, script }) =>
    task(c, 'VM.run_script', async (call) => {
      const { status, out, err } = await c.parts.xenops.vm.runScript({ id, script }, call);
      return { rc: status, stdout: out, stderr: err };
    }),
  'VM.set_xsdata': (c, { id, xsdata }) =>
    task(c, 'VM.set_xsdata', () => change(c, id, (vm) => ({ ...vm, xsdata }), { xenstoreData: xsdata })),
  'VM.set_vcpus': (c, { id, vcpus }) =>
    task(c, 'VM.set_vcpus', async (call) => {
      const { spec, state } = await entryOf(c, id);
      if (state.power === 'Running' || state.power === 'Paused')
        return c.parts.xenops.vm.setVcpus({ id, count: vcpus }, call);
      return c.parts.xenops.vm.update({ id, vcpus: { ...spec.vcpus, current: vcpus } });
    }),
  'VM.set_shadow_multiplier': (c, { id, multiplier }) =>
    task(c, 'VM.set_shadow_multiplier', (call) => c.parts.xenops.vm.setShadowMultiplier({ id, multiplier }, call)),
  'VM.set_memory_dynamic_range': (c, { id, minimum, maximum }) =>
    task(c, 'VM.set_memory_dynamic_range', async (call) => {
      const { spec, state } = await entryOf(c, id);
      await c.parts.xenops.vm.update({ id, memory: { ...spec.memory, dynamicMin: minimum, dynamicMax: maximum } });
      if (state.power === 'Running') await c.parts.xenops.vm.setMemoryTarget({ id, bytes: maximum }, call);
    }),
  'VM.stat': async (c, { id }) => seen(c.parts, await entryOf(c, id)),
  'VM.exists': async (c, { id }) => (await findEntry(c, id)) !== undefined,
  'VM.list': async (c) => (await c.parts.xenops.vm.list({})).map((entry) => seen(c.parts, entry)),
  'VM.delay': (c, { id, delay }) =>
    task(c, 'VM.delay', async (call) => {
      await c.parts.xenops.barrier.wait({ vm: id });
      await c.parts.clock.sleep(delay * 1000, call.signal);
    }),
  'VM.start': (c, { id }) =>
    task(c, 'VM.start', async (call) => {
      const { spec, state } = await entryOf(c, id);
      if (state.power === 'Running') return;
      await refuseOthers(c, spec);
      await c.parts.xenops.vm.start({ id, paused: true }, call);
    }),
  'VM.shutdown': (c, { id, delay }) =>
    task(c, 'VM.shutdown', (call) => c.parts.xenops.vm.shutdown({ id, timeoutS: delay }, call)),
  'VM.reboot': (c, { id, delay }) =>
    task(c, 'VM.reboot', (call) => c.parts.xenops.vm.reboot({ id, timeoutS: delay }, call)),
  'VM.suspend': (c, { id, suspend_vdi: disk }) =>
    task(c, 'VM.suspend', async (call) => c.parts.xenops.vm.suspend({ id, image: mediaOf(disk, undefined) }, call)),
  'VM.resume': (c, { id }) => task(c, 'VM.resume', (call) => c.parts.xenops.vm.resume({ id, paused: true }, call)),
  // The second half of a checkpoint: the guest that was suspended goes on at once; its image is left to the caller.
  'VM.fast_resume': (c, { id }) =>
    task(c, 'VM.fast_resume', (call) => c.parts.xenops.vm.resume({ id, paused: false }, call)),
  'VM.s3suspend': (c, { id }) => task(c, 'VM.s3suspend', (call) => c.parts.xenops.vm.sleep({ id }, call)),
  'VM.s3resume': (c, { id }) => task(c, 'VM.s3resume', (call) => c.parts.xenops.vm.wake({ id }, call)),
  'VM.export_metadata': async (c, { id }) => {
    const { spec } = await entryOf(c, id);
    return JSON.stringify(metadataT.encode(metadataOf(spec)));
  },
  'VM.import_metadata': (c, { metadata }) => importMetadata(c, metadata),
  'VM.import_metadata_async': (c, { metadata }) => task(c, 'VM.import_metadata', () => importMetadata(c, metadata)),
};

async function refuseOthers({ parts }: CallContext, spec: VmEntry['spec']): Promise<void> {
  const refusals = { pci: noPci, vgpu: noGpu, vusb: noUsb } as const;
  for (const kind of ['pci', 'vgpu', 'vusb'] as const)
    if (otherDevices(spec, kind).length > 0) throw refusals[kind]((await parts.xenops.host.stat({})).backend);
}
/** The record and what follows from it, together. */
async function change(
  c: CallContext,
  id: string,
  f: (vm: Vm) => Vm,
  parts: Partial<ReturnType<typeof describe>>,
): Promise<void> {
  const { spec } = await entryOf(c, id);
  const { notes } = specOf(f(vmOf(spec)), spec);
  await c.parts.xenops.vm.update({ id, ...parts, notes: { [vmNote]: notes?.[vmNote] ?? null } });
}

function metadataOf(spec: VmEntry['spec']): Metadata {
  return {
    vm: vmOf(spec),
    vbds: spec.vbds.filter((d) => d.media?.kind !== 'files').map((d) => vbdOf(spec.id, d)),
    vifs: spec.vifs.map((d) => vifOf(spec.id, d)),
    pcis: otherDevices(spec, 'pci'),
    vgpus: otherDevices(spec, 'vgpu'),
    vusbs: otherDevices(spec, 'vusb'),
    domains: null,
  };
}
/** All of it or nothing: the whole VM is added by one call. */
async function importMetadata(c: CallContext, text: string): Promise<string> {
  const given = metadataT.decode(JSON.parse(text), 'metadata');
  const known = (await findEntry(c, given.vm.id))?.spec;
  const bare = specOf(given.vm, known && { ...known, notes: {} });
  let spec: VmEntry['spec'] = { ...bare, vbds: [], vifs: [] };
  for (const vbd of given.vbds)
    spec = { ...spec, vbds: [...spec.vbds, vbdSpecOf({ ...vbd, id: [spec.id, vbd.id[1]] }, spec)] };
  for (const vif of given.vifs)
    spec = { ...spec, vifs: [...spec.vifs, vifSpecOf({ ...vif, id: [spec.id, vif.id[1]] }, spec)] };
  const notes = { ...spec.notes, ...notesOf(given) };
  return c.parts.xenops.vm.add({ ...spec, notes });
}
