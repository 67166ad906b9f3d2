/** Disks: create, resize, clone, import and export; VMs to and from files. */
import type { Ref } from '../../../datamodel/dsl.ts';
import { XeError } from '../arguments.ts';
import { recordArgument } from '../call.ts';
import type { Item } from '../cells.ts';
import { columns } from '../family.ts';
import { vbd as vbdRecord, vdi as vdiRecord } from '../records/storage.ts';
import { vm as vmRecord } from '../records/vm.ts';
import { byUuid, itemByUuid, optionalRef, select } from '../select.ts';
import { transfer } from '../transfer.ts';
import { wholeNumber } from '../values.ts';
import type { Verb } from '../verbs.ts';
import type { Work } from '../work.ts';

const create: Verb = async (work, command) => {
  const { params } = work.request;
  const tags = [...(params.get('tags') ?? '').split(','), ...Object.keys(params.map('tags'))].filter((t) => t !== '');
  const known = { ...command, optional: command.optional.filter((o) => o !== 'tags:') };
  const given = await recordArgument(work.reader, known, params, 'VDI');
  const args = { type: 'user', ...given, ...(tags.length > 0 ? { tags } : {}) };
  await work.printUuid('VDI', String(await work.run('VDI.create', { args })));
};

const resize: Verb = async (work) => {
  const { params } = work.request;
  const vdi = await byUuid(work.reader, 'VDI', params.need('uuid'));
  const size = wholeNumber('disk-size', params.need('disk-size'));
  await work.run(params.flag('online') ? 'VDI.resize_online' : 'VDI.resize', { vdi, size });
};

const clone: Verb = async (work) => {
  const { params } = work.request;
  const vdi = await byUuid(work.reader, 'VDI', params.need('uuid'));
  const made = String(await work.run('VDI.clone', { vdi })) as Ref<'VDI'>;
  const name = params.get('new-name-label');
  const description = params.get('new-name-description');
  if (name !== undefined) await work.client.VDI.set_name_label({ self: made, value: name });
  if (description !== undefined) await work.client.VDI.set_name_description({ self: made, value: description });
  await work.printUuid('VDI', made);
};

function formatOf(work: Work): string {
  const format = work.request.params.get('format') ?? 'raw';
  if (['raw', 'vhd', 'qcow2', 'vmdk', 'tar'].includes(format)) return format;
  throw new XeError(`format is ${JSON.stringify(format)}; it must be raw, vhd, qcow2, vmdk or tar`, [
    ['parameter', 'format'],
  ]);
}
const importDisk: Verb = async (work) => {
  const { params } = work.request;
  const vdi = await byUuid(work.reader, 'VDI', params.need('uuid'));
  await transfer(work, 'httpPut', params.need('filename'), '/import_raw_vdi', { vdi, format: formatOf(work) });
};
const exportDisk: Verb = async (work) => {
  const { params } = work.request;
  const vdi = await byUuid(work.reader, 'VDI', params.need('uuid'));
  const base = params.get('base');
  const query = { vdi, format: formatOf(work), ...(base ? { base: await byUuid(work.reader, 'VDI', base) } : {}) };
  await transfer(work, 'httpGet', params.need('filename'), '/export_raw_vdi', query);
};

// ---- whole VMs ------------------------------------------------------------

async function exportVm(work: Work, vm: Item): Promise<void> {
  const { params } = work.request;
  const query: Record<string, string> = { uuid: String(vm.rec.uuid) };
  const compress = params.get('compress');
  if (compress) query.use_compression = compress;
  const format = params.get('format');
  if (format) query.format = format;
  const version = params.get('ovf-version');
  if (version) query.ovf_version = version;
  if (params.has('preserve-power-state')) query.preserve_power_state = String(params.flag('preserve-power-state'));
  if (params.has('include-snapshots')) query.export_snapshots = String(params.flag('include-snapshots'));
  const excluded = params.get('excluded-device-types');
  if (excluded) query.excluded_device_types = excluded;
  const path = params.flag('metadata') ? '/export_metadata' : '/export';
  await transfer(work, 'httpGet', params.need('filename'), path, query);
  work.print('Export succeeded');
}
const exportSelected: Verb = async (work, command) => {
  const own = [...command.required, ...command.optional];
  const [vm] = await select(work.reader, 'VM', work.request, own);
  if (vm) await exportVm(work, vm);
};
const exportNamed =
  (name: string): Verb =>
  async (work) =>
    exportVm(work, await itemByUuid(work.reader, 'VM', work.request.params.need(name)));

/** What a VM is to be like that is made around a bare disk. */
function aboutDisk({ request: { params } }: Work): Record<string, string> {
  const memory = params.get('memory');
  const given = {
    format: params.get('format'),
    name_label: params.get('new-name-label'),
    vcpus: params.get('vcpus'),
    firmware: params.get('firmware'),
    memory: memory === undefined ? undefined : String(wholeNumber('memory', memory)),
  };
  return Object.fromEntries(Object.entries(given).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}
const importVm: Verb = async (work) => {
  const { params, force } = work.request;
  if (params.has('type'))
    throw new XeError('Import from another host is not available in this version; give filename= or url=');
  const from = params.get('url');
  if (from !== undefined) {
    const sr = await optionalRef(work.reader, 'SR', params.get('sr-uuid'));
    const made = await work.run('VM.import', { url: from, sr, full_restore: params.flag('preserve'), force });
    for (const ref of made as readonly string[]) await work.printUuid('VM', ref);
    return;
  }
  const query = {
    sr_id: await optionalRef(work.reader, 'SR', params.get('sr-uuid')),
    restore: String(params.flag('preserve')),
    force: String(force),
    ...(params.has('dry-run') ? { dry_run: String(params.flag('dry-run')) } : {}),
    ...Object.fromEntries(Object.entries(params.map('vdi')).map(([id, vdi]) => [`vdi:${id}`, vdi])),
    ...aboutDisk(work),
  };
  const path = params.flag('metadata') ? '/import_metadata' : '/import';
  const result = await transfer(work, 'httpPut', params.need('filename'), path, query);
  for (const [ref] of result.matchAll(/OpaqueRef:[\w-]+/g)) await work.printUuid('VM', ref);
};

// ---- status ---------------------------------------------------------------

const vdiStatus: Verb = async (work) => {
  const disk = await itemByUuid(work.reader, 'VDI', work.request.params.need('uuid'));
  const rows = columns(
    { record: vdiRecord, columns: ['uuid', 'name-label', 'sr-uuid', 'virtual-size', 'missing'] },
    undefined,
  );
  await work.printRecords(vdiRecord, [disk], rows, false);
  await printVbds(work, disk.rec.VBDs as readonly string[], ['uuid', 'vm-uuid', 'vm-name-label', 'currently-attached']);
};
async function printVbds(work: Work, refs: readonly string[], names: readonly string[]): Promise<void> {
  const rows = columns({ record: vbdRecord, columns: names }, undefined);
  for (const ref of refs) {
    const rec = await work.reader.get('VBD', ref);
    if (rec) await work.printRecords(vbdRecord, [{ ref, rec }], rows, false);
  }
}
const vmStatus: Verb = async (work) => {
  const vm = await itemByUuid(work.reader, 'VM', work.request.params.need('uuid'));
  const names = ['uuid', 'name-label', 'power-state', 'possible-hosts', 'resident-on', 'dom-id'];
  await work.printRecords(vmRecord, [vm], columns({ record: vmRecord, columns: names }, undefined), true);
  await printVbds(work, vm.rec.VBDs as readonly string[], [
    'uuid',
    'vdi-uuid',
    'vdi-name-label',
    'userdevice',
    'currently-attached',
  ]);
};

export const disks: Readonly<Record<string, Verb>> = {
  'vdi-create': create,
  'vdi-resize': resize,
  'vdi-clone': clone,
  'vdi-import': importDisk,
  'vdi-export': exportDisk,
  'vm-export': exportSelected,
  'template-export': exportNamed('template-uuid'),
  'snapshot-export-to-template': exportNamed('snapshot-uuid'),
  'vm-import': importVm,
  'diagnostic-vdi-status': vdiStatus,
  'diagnostic-vm-status': vmStatus,
};
