/** Disks, CD drives and network interfaces of VMs. */
import { nullRef } from '../../../datamodel/dsl.ts';
import { XeError } from '../arguments.ts';
import type { Item } from '../cells.ts';
import type { Command } from '../commands.ts';
import { columns } from '../family.ts';
import type { RecordKind } from '../record.ts';
import { vif as vifRecord } from '../records/network.ts';
import { crashdump, vbd as vbdRecord, vdi as vdiRecord } from '../records/storage.ts';
import { byUuid, itemByUuid, itemsOf, select, thePool } from '../select.ts';
import { wholeNumber } from '../values.ts';
import type { Verb } from '../verbs.ts';
import type { Work } from '../work.ts';

const own = (command: Command) => [...command.required, ...command.optional];
const vmsOf = (work: Work, command: Command) => select(work.reader, 'VM', work.request, own(command));
const running = (vm: Item) => vm.rec.power_state === 'Running' || vm.rec.power_state === 'Paused';

async function behind(work: Work, cls: string, refs: unknown): Promise<Item[]> {
  const found: Item[] = [];
  for (const ref of refs as readonly string[]) {
    const rec = await work.reader.get(cls, ref);
    if (rec) found.push({ ref, rec });
  }
  return found;
}
const byDevice = (a: Item, b: Item) =>
  String(a.rec.userdevice ?? a.rec.device).localeCompare(String(b.rec.userdevice ?? b.rec.device), 'en', {
    numeric: true,
  });
const drivesOf = async (work: Work, vm: Item, cd: boolean): Promise<Item[]> =>
  (await behind(work, 'VBD', vm.rec.VBDs)).filter(({ rec }) => (rec.type === 'CD') === cd).sort(byDevice);

// ---- lists --------------------------------------------------------------

const chosen = (work: Work, record: RecordKind, param: string, usual: string) =>
  columns({ record, columns: usual.split(' ') }, work.request.params.get(param));

/** Each drive as two records: the VBD, and the VDI in it. */
async function printDrives(work: Work, vms: readonly Item[], cd: boolean): Promise<void> {
  const vbdRows = chosen(work, vbdRecord, 'vbd-params', `uuid vm-name-label userdevice${cd ? ' empty' : ''}`);
  const vdiRows = chosen(work, vdiRecord, 'vdi-params', 'uuid name-label sr-name-label virtual-size');
  const titled = !work.request.minimal && !work.request.json;
  for (const vm of vms) {
    const drives = await drivesOf(work, vm, cd);
    for (const [n, drive] of drives.entries()) {
      const disks = await behind(work, 'VDI', [drive.rec.VDI]);
      const what = cd ? 'CD' : 'Disk';
      if (titled) work.print(`${what} ${n} VBD:`);
      await work.printRecords(vbdRecord, [drive], vbdRows, false);
      if (titled && disks.length > 0) work.print(`${what} ${n} VDI:`);
      if (disks.length > 0) await work.printRecords(vdiRecord, disks, vdiRows, false);
    }
  }
}
const diskList: Verb = async (work, command) => printDrives(work, await vmsOf(work, command), false);
const cdDrives: Verb = async (work, command) => printDrives(work, await vmsOf(work, command), true);
const snapshotDisks: Verb = async (work) => {
  const uuid = work.request.params.get('snapshot-uuid') ?? work.request.params.need('uuid');
  await printDrives(work, [await itemByUuid(work.reader, 'VM', uuid)], false);
};

const vifList: Verb = async (work, command) => {
  const rows = chosen(work, vifRecord, 'params', 'uuid vm-name-label device MAC network-uuid network-name-label');
  for (const vm of await vmsOf(work, command))
    await work.printRecords(vifRecord, (await behind(work, 'VIF', vm.rec.VIFs)).sort(byDevice), rows, false);
};
const crashdumps: Verb = async (work, command) => {
  const rows = chosen(work, crashdump, 'params', 'uuid vm-uuid vdi-uuid');
  for (const vm of await vmsOf(work, command))
    await work.printRecords(crashdump, await behind(work, 'crashdump', vm.rec.crash_dumps), rows, false);
};

/** The discs of every SR with ISO images. */
async function discs(work: Work): Promise<Item[]> {
  const srs = new Set(
    (await itemsOf(work.reader, 'SR')).filter(({ rec }) => rec.content_type === 'iso').map((i) => i.ref),
  );
  return (await itemsOf(work.reader, 'VDI')).filter(({ rec }) => srs.has(String(rec.SR)));
}
const cdList: Verb = async (work) =>
  work.printRecords(vdiRecord, await discs(work), chosen(work, vdiRecord, 'params', 'name-label uuid'), false);

async function discNamed(work: Work): Promise<Item> {
  const name = work.request.params.need('cd-name');
  const all = await discs(work);
  const found = all.filter(({ rec }) => rec.name_label === name || rec.uuid === name);
  if (found[0] && found.length === 1) return found[0];
  if (found.length > 1) throw new XeError(`${found.length} discs have the name ${JSON.stringify(name)}; use the uuid`);
  const names = all.map(({ rec }) => String(rec.name_label)).sort();
  throw new XeError(`There is no disc ${JSON.stringify(name)}; there are: ${names.join(', ') || 'none'}`, [
    ['cd-name', name],
  ]);
}

// ---- changes ------------------------------------------------------------

interface Drive {
  readonly vm: string;
  readonly vdi: string;
  readonly device: string;
  readonly type: string;
  readonly mode: string;
  readonly bootable: boolean;
  readonly unpluggable?: boolean;
  readonly owner?: boolean;
}
async function createVbd(work: Work, drive: Drive): Promise<string> {
  const args = {
    VM: drive.vm,
    VDI: drive.vdi,
    userdevice: drive.device,
    bootable: drive.bootable,
    mode: drive.mode,
    type: drive.type,
    unpluggable: drive.unpluggable ?? true,
    empty: drive.vdi === nullRef,
    other_config: drive.owner ? { owner: '' } : {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  };
  return String(await work.run('VBD.create', { args }));
}

/** A drive that cannot be plugged into the running VM is not left behind as a surprise for its next start. */
async function plugNew(work: Work, vbd: string): Promise<void> {
  try {
    await work.run('VBD.plug', { self: vbd });
  } catch (error) {
    await work.run('VBD.destroy', { self: vbd });
    throw error;
  }
}

/** The device that was asked for; `autodetect` is the first free one. */
async function freeDevice(work: Work, method: string, vm: string, asked: string): Promise<string> {
  if (asked !== 'autodetect') return asked;
  const [first] = (await work.client.$.call(method, { vm })) as readonly string[];
  if (first === undefined) throw new XeError('The VM has no free device', [['device', asked]]);
  return first;
}

const vbdCreate: Verb = async (work) => {
  const { params } = work.request;
  const vm = await byUuid(work.reader, 'VM', params.need('vm-uuid'));
  const disk = params.get('vdi-uuid');
  const type = params.get('type') ?? 'Disk';
  if (disk === undefined && type.toLowerCase() !== 'cd')
    throw new XeError('Only a CD drive can be empty: give vdi-uuid=, or type=CD', [['type', type]]);
  const vbd = await createVbd(work, {
    vm,
    vdi: disk === undefined ? nullRef : await byUuid(work.reader, 'VDI', disk),
    device: await freeDevice(work, 'VM.get_allowed_VBD_devices', vm, params.need('device')),
    type: type.toLowerCase() === 'cd' ? 'CD' : type.toLowerCase() === 'disk' ? 'Disk' : type,
    mode: params.get('mode')?.toUpperCase() ?? (type.toLowerCase() === 'cd' ? 'RO' : 'RW'),
    bootable: params.flag('bootable'),
    unpluggable: params.flag('unpluggable', true),
  });
  await work.printUuid('VBD', vbd);
};

const vifCreate: Verb = async (work) => {
  const { params } = work.request;
  const vm = await byUuid(work.reader, 'VM', params.need('vm-uuid'));
  const mac = params.get('mac') ?? '';
  const args = {
    VM: vm,
    network: await byUuid(work.reader, 'network', params.need('network-uuid')),
    device: await freeDevice(work, 'VM.get_allowed_VIF_devices', vm, params.need('device')),
    MAC: mac === 'random' ? '' : mac,
    MTU: 1500,
    other_config: {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  };
  await work.printUuid('VIF', String(await work.run('VIF.create', { args })));
};

const diskAdd: Verb = async (work, command) => {
  const { params } = work.request;
  const size = wholeNumber('disk-size', params.need('disk-size'));
  const srUuid = params.get('sr-uuid');
  const sr = srUuid ? await byUuid(work.reader, 'SR', srUuid) : String((await thePool(work.reader)).rec.default_SR);
  if (sr === nullRef) throw new XeError('The pool has no default SR: give sr-uuid=', [['parameter', 'sr-uuid']]);
  for (const vm of await vmsOf(work, command)) {
    const device = await freeDevice(work, 'VM.get_allowed_VBD_devices', vm.ref, params.need('device'));
    const args = {
      SR: sr,
      name_label: `${vm.rec.name_label} ${device}`,
      name_description: '',
      virtual_size: size,
      type: 'user',
      sharable: false,
      read_only: false,
      other_config: {},
    };
    const vdi = String(await work.run('VDI.create', { args }));
    try {
      const vbd = await createVbd(work, {
        vm: vm.ref,
        vdi,
        device,
        type: 'Disk',
        mode: 'RW',
        bootable: false,
        owner: true,
      });
      if (running(vm)) await plugNew(work, vbd);
    } catch (error) {
      // without its VBD nobody would find the disk again
      if (!(await hasVbd(work, vdi))) await work.run('VDI.destroy', { self: vdi });
      throw error;
    }
    await work.printUuid('VDI', vdi);
  }
};
const hasVbd = async (work: Work, vdi: string) =>
  ((await work.client.$.call('VDI.get_VBDs', { self: vdi })) as readonly string[]).length > 0;

const diskRemove: Verb = async (work, command) => {
  const device = work.request.params.need('device');
  for (const vm of await vmsOf(work, command)) {
    const drives = await drivesOf(work, vm, false);
    const drive = drives.find(({ rec }) => rec.userdevice === device || rec.device === device);
    if (!drive) throw noDrive(vm, `disk at device ${JSON.stringify(device)}`, drives);
    if (drive.rec.currently_attached === true) await work.run('VBD.unplug', { self: drive.ref });
    await work.run('VBD.destroy', { self: drive.ref });
    await work.run('VDI.destroy', { self: drive.rec.VDI });
  }
};
function noDrive(vm: Item, what: string, there: readonly Item[]): XeError {
  const devices = there.map(({ rec }) => rec.userdevice).join(', ') || 'none';
  return new XeError(`${vm.rec.uuid} (${vm.rec.name_label}) has no ${what}; its devices of that kind: ${devices}`);
}

const cdAdd: Verb = async (work, command) => {
  const disc = await discNamed(work);
  for (const vm of await vmsOf(work, command)) {
    const device = await freeDevice(work, 'VM.get_allowed_VBD_devices', vm.ref, work.request.params.need('device'));
    const vbd = await createVbd(work, { vm: vm.ref, vdi: disc.ref, device, type: 'CD', mode: 'RO', bootable: true });
    if (running(vm)) await plugNew(work, vbd);
  }
};
const cdRemove: Verb = async (work, command) => {
  const disc = await discNamed(work);
  for (const vm of await vmsOf(work, command)) {
    const drives = await drivesOf(work, vm, true);
    const drive = drives.find(({ rec }) => rec.VDI === disc.ref);
    if (!drive) throw noDrive(vm, `CD drive with ${JSON.stringify(disc.rec.name_label)} in it`, drives);
    if (drive.rec.currently_attached === true) await work.run('VBD.unplug', { self: drive.ref });
    await work.run('VBD.destroy', { self: drive.ref });
  }
};
/** The one CD drive that is empty, or is not. */
async function theDrive(work: Work, vm: Item, empty: boolean): Promise<Item> {
  const drives = await drivesOf(work, vm, true);
  const fit = drives.filter(({ rec }) => (rec.empty === true) === empty);
  if (fit.length === 0 || !fit[0]) throw noDrive(vm, empty ? 'empty CD drive' : 'CD drive with a disc in it', drives);
  if (fit.length > 1)
    throw new XeError(
      `The VM has ${fit.length} such CD drives; use vbd-${empty ? 'insert' : 'eject'} with the uuid of one`,
    );
  return fit[0];
}
const cdEject: Verb = async (work, command) => {
  for (const vm of await vmsOf(work, command))
    await work.run('VBD.eject', { vbd: (await theDrive(work, vm, false)).ref });
};
const cdInsert: Verb = async (work, command) => {
  const disc = await discNamed(work);
  for (const vm of await vmsOf(work, command))
    await work.run('VBD.insert', { vbd: (await theDrive(work, vm, true)).ref, vdi: disc.ref });
};

export const vmDevices: Readonly<Record<string, Verb>> = {
  'vm-disk-list': diskList,
  'vm-cd-list': cdDrives,
  'snapshot-disk-list': snapshotDisks,
  'vm-vif-list': vifList,
  'vm-crashdump-list': crashdumps,
  'cd-list': cdList,
  'vbd-create': vbdCreate,
  'vif-create': vifCreate,
  'vm-disk-add': diskAdd,
  'vm-disk-remove': diskRemove,
  'vm-cd-add': cdAdd,
  'vm-cd-remove': cdRemove,
  'vm-cd-eject': cdEject,
  'vm-cd-insert': cdInsert,
};
