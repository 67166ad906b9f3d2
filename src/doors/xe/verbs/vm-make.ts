/** Making and removing VMs: create, install, clone, copy, snapshot, uninstall. */
import { nullRef, type Ref } from '../../../datamodel/dsl.ts';
import { XeError } from '../arguments.ts';
import { recordArgument } from '../call.ts';
import type { Item } from '../cells.ts';
import { byUuid, itemByUuid, itemsOf, optionalRef, select, thePool } from '../select.ts';
import type { Verb } from '../verbs.ts';
import type { Work } from '../work.ts';
import { cloudInitFiles, setCloudInit } from './cloud-init.ts';

const vmRef = (s: string) => s as Ref<'VM'>;

/** A VM with nothing: the least that the API wants to know. */
const create: Verb = async (work, command) => {
  const mib256 = 256 * 1024 * 1024;
  const given = await recordArgument(work.reader, command, work.request.params, 'VM');
  const args = {
    ...given,
    memory_static_max: mib256,
    memory_dynamic_max: mib256,
    memory_dynamic_min: mib256,
    memory_static_min: 16 * 1024 * 1024,
    VCPUs_max: 1,
    VCPUs_at_startup: 1,
    actions_after_shutdown: 'destroy',
    actions_after_reboot: 'restart',
    actions_after_crash: 'restart',
  };
  await work.printUuid('VM', String(await work.run('VM.create', { args })));
};

/** The template that `template=` (uuid or name) or `template-uuid=` names. */
async function theTemplate(work: Work): Promise<Item> {
  const { params } = work.request;
  const uuid = params.get('template-uuid');
  if (uuid !== undefined) return itemByUuid(work.reader, 'VM', uuid);
  const wanted = params.get('template') ?? params.get('template-name-label') ?? params.get('template-name');
  if (wanted === undefined) throw new XeError('Missing parameter: template=', [['parameter', 'template']]);
  const templates = (await itemsOf(work.reader, 'VM')).filter(({ rec }) => rec.is_a_template === true);
  const found = templates.filter(({ rec }) => rec.uuid === wanted || rec.name_label === wanted);
  if (found[0] && found.length === 1) return found[0];
  if (found.length > 1)
    throw new XeError(`${found.length} templates have the name ${JSON.stringify(wanted)}; use template-uuid=`);
  const names = templates.filter(({ rec }) => rec.is_a_snapshot !== true).map(({ rec }) => String(rec.name_label));
  throw new XeError(`There is no template ${JSON.stringify(wanted)}; there are: ${names.sort().join(', ')}`);
}

/** The SR for the disks that the template asks for, when one was named. */
async function namedSr(work: Work): Promise<string | undefined> {
  const { params } = work.request;
  const uuid = params.get('sr-uuid');
  if (uuid !== undefined) return byUuid(work.reader, 'SR', uuid);
  const name = params.get('sr-name-label');
  if (name === undefined) return undefined;
  const refs = (await work.client.SR.get_by_name_label({ label: name })) as readonly string[];
  if (refs[0] === undefined || refs.length > 1)
    throw new XeError(`${refs.length} storage repositories have the name ${JSON.stringify(name)}; use sr-uuid=`);
  return refs[0];
}

const install: Verb = async (work) => {
  const { params } = work.request;
  const newName = params.need('new-name-label');
  const template = await theTemplate(work);
  const sr = await namedSr(work);
  const cloudInit = await cloudInitFiles(work);
  const description = params.get('new-name-description');
  const vm = vmRef(String(await work.run('VM.clone', { vm: template.ref, new_name: newName })));
  try {
    if (description !== undefined) await work.client.VM.set_name_description({ self: vm, value: description });
    if (sr !== undefined) await placeDisks(work, vm, sr);
    await setCloudInit(work, vm, cloudInit);
    const bios = params.get('copy-bios-strings-from');
    if (bios !== undefined)
      await work.client.VM.copy_bios_strings({ vm, host: (await byUuid(work.reader, 'host', bios)) as Ref<'host'> });
    await work.run('VM.provision', { vm });
  } catch (error) {
    // a half-made VM is of no use to anyone, and its name would be taken for a good one
    await work.client.VM.destroy({ self: vm }).catch((e: unknown) =>
      work.log.warn('the VM of a failed vm-install stays', { vm, error: String(e) }),
    );
    throw error;
  }
  await work.printUuid('VM', vm);
};

/** Names the SR in the disks that the template wants made: `other-config:disks`. */
async function placeDisks(work: Work, vm: Ref<'VM'>, sr: string): Promise<void> {
  const uuid = await work.client.SR.get_uuid({ self: sr as Ref<'SR'> });
  const config = await work.client.VM.get_other_config({ self: vm });
  if (!config.disks) return;
  const disks = config.disks.replaceAll(/<disk\b[^>]*>/g, (disk) =>
    /\bsr=/.test(disk)
      ? disk.replace(/\bsr=(["'])[^"']*\1/, `sr="${uuid}"`)
      : disk.replace('<disk', `<disk sr="${uuid}"`),
  );
  await work.client.VM.set_other_config({ self: vm, value: { ...config, disks } });
}

type Copy = (work: Work, vm: Item, newName: string) => Promise<unknown>;
const clone: Copy = (work, { ref: vm }, new_name) => work.run('VM.clone', { vm, new_name });
const snapshot: Copy = async (work, { ref: vm }, new_name) => {
  const uuids = (work.request.params.get('ignore-vdi-uuids') ?? '').split(',').filter((u) => u !== '');
  const ignore_vdis = await Promise.all(uuids.map((uuid) => byUuid(work.reader, 'VDI', uuid)));
  return work.run('VM.snapshot', { vm, new_name, ...(uuids.length > 0 ? { ignore_vdis } : {}) });
};
const quiesced: Copy = (work, { ref: vm }, new_name) => work.run('VM.snapshot_with_quiesce', { vm, new_name });
const checkpoint: Copy = (work, { ref: vm }, new_name) => work.run('VM.checkpoint', { vm, new_name });
const copy: Copy = async (work, { ref: vm }, new_name) => {
  const sr = await optionalRef(work.reader, 'SR', work.request.params.get('sr-uuid'));
  return work.run('VM.copy', { vm, new_name, sr });
};

async function copied(work: Work, items: readonly Item[], make: Copy): Promise<void> {
  const { params } = work.request;
  const name = params.need('new-name-label');
  const description = params.get('new-name-description');
  for (const item of items) {
    const made = vmRef(String(await make(work, item, name)));
    if (description !== undefined) await work.client.VM.set_name_description({ self: made, value: description });
    await work.printUuid('VM', made);
  }
}
/** Of VMs, or of a template named by uuid. */
const ofVms =
  (make: Copy): Verb =>
  async (work, command) => {
    const own = [...command.required, ...command.optional];
    const named = work.request.params.get('uuid');
    const items = named
      ? [await itemByUuid(work.reader, 'VM', named)]
      : await select(work.reader, 'VM', work.request, own);
    await copied(work, items, make);
  };
const snapshotUuid = (work: Work) => work.request.params.get('snapshot-uuid') ?? work.request.params.need('uuid');
const ofSnapshot =
  (make: Copy): Verb =>
  async (work) =>
    copied(work, [await itemByUuid(work.reader, 'VM', snapshotUuid(work))], make);

/** Destroys VMs with the disks that belong to them: those of VBDs marked `owner`, and suspend images. */
async function uninstallAll(work: Work, vms: readonly Item[]): Promise<void> {
  const disks: Doomed[] = [];
  for (const { rec } of vms) for (const disk of await ownedDisks(work, rec)) disks.push(disk);
  const names = vms.map(({ rec }) => `VM : ${rec.uuid} (${rec.name_label})`);
  const list = ['The following items are about to be destroyed', ...names, ...disks.map((d) => `VDI: ${d.text}`)];
  await work.confirm(list.join('\n'));
  for (const { ref, rec } of vms) {
    if (rec.power_state !== 'Halted') await work.run('VM.hard_shutdown', { vm: ref });
    await work.run('VM.destroy', { self: ref });
  }
  for (const { ref, withVm } of disks) if (!withVm) await work.run('VDI.destroy', { self: ref });
  work.print('All objects destroyed');
}

/** A disk that goes; the suspend image does so with its VM. */
interface Doomed {
  readonly ref: string;
  readonly text: string;
  readonly withVm: boolean;
}
async function ownedDisks(work: Work, vm: Item['rec']): Promise<readonly Doomed[]> {
  const found: Doomed[] = [];
  const add = async (ref: string, withVm = false) => {
    const vdi = await work.reader.get('VDI', ref);
    if (vdi) found.push({ ref, text: `${vdi.uuid} (${vdi.name_label})`, withVm });
  };
  for (const vbdRef of vm.VBDs as readonly string[]) {
    const vbd = await work.reader.get('VBD', vbdRef);
    if (!vbd || vbd.empty === true || vbd.type === 'CD') continue;
    if ('owner' in (vbd.other_config as object)) await add(String(vbd.VDI));
  }
  if (vm.suspend_VDI && vm.suspend_VDI !== nullRef) await add(String(vm.suspend_VDI), true);
  return found;
}

const uninstall: Verb = async (work, command) =>
  uninstallAll(work, await select(work.reader, 'VM', work.request, command.optional));
const uninstallNamed =
  (uuid: (work: Work) => string): Verb =>
  async (work) =>
    uninstallAll(work, [await itemByUuid(work.reader, 'VM', uuid(work))]);

const biosCustomized: Verb = async (work, command) => {
  for (const { rec } of await select(work.reader, 'VM', work.request, command.optional)) {
    const strings = Object.keys((rec.bios_strings ?? {}) as object);
    work.print(
      strings.length > 0
        ? 'The BIOS strings of this VM were set or copied from a host.'
        : 'The BIOS strings of this VM have not been set yet.',
    );
  }
};

const cpuFeatures = (info: unknown) => String((info as Readonly<Record<string, string>>).features ?? '');
const poolCpuFeatures: Verb = async (work) => work.print(cpuFeatures((await thePool(work.reader)).rec.cpu_info));
const hostCpuFeatures: Verb = async (work) => {
  const uuid = work.request.params.get('uuid');
  const host = uuid ? await byUuid(work.reader, 'host', uuid) : String((await thePool(work.reader)).rec.master);
  work.print(cpuFeatures((await work.reader.get('host', host))?.cpu_info ?? {}));
};

export const vmMake: Readonly<Record<string, Verb>> = {
  'vm-create': create,
  'vm-install': install,
  'vm-clone': ofVms(clone),
  'vm-copy': ofVms(copy),
  'vm-snapshot': ofVms(snapshot),
  'vm-snapshot-with-quiesce': ofVms(quiesced),
  'vm-checkpoint': ofVms(checkpoint),
  'snapshot-clone': ofSnapshot(clone),
  'snapshot-copy': ofSnapshot(copy),
  'vm-uninstall': uninstall,
  'snapshot-uninstall': uninstallNamed(snapshotUuid),
  'template-uninstall': uninstallNamed((work) => work.request.params.need('template-uuid')),
  'vm-is-bios-customized': biosCustomized,
  'pool-get-cpu-features': poolCpuFeatures,
  'host-get-cpu-features': hostCpuFeatures,
};
