/** Commands on VMs. */

import { readXl } from '../../wire/xl-config.ts';
import { parseXl } from '../../wire/xl-syntax.ts';
import { type Metadata, metadataT, type Vm, type VmState } from '../xenopsd/types.ts';
import { UsageError } from './arguments.ts';
import { metadataOf, metadataText } from './from-xl.ts';
import { tableText } from './table.ts';
import { xlText } from './to-xl.ts';
import { type Command, finish, secondsOf, show, type World } from './world.ts';

type Entry = readonly [Vm, VmState];

/** Reads a file and registers what it describes; answers the uuid. Nothing is registered when anything is wrong. */
async function addFile(w: World, file: string): Promise<string> {
  const reading = readXl(file, w.readFile(file));
  const metadata = metadataOf(reading, w.ids, w.zoneS);
  const id = await w.client.call('VM.import_metadata', { metadata: metadataText(metadata) });
  for (const warning of reading.warnings) w.err(`${warning}\n`);
  return id;
}
async function startVm(w: World, id: string, paused: boolean): Promise<void> {
  await finish(w, await w.client.call('VM.start', { id, paused }));
  if (!paused) await finish(w, await w.client.call('VM.unpause', { id }));
}
const told = (w: World, id: string) => show(w, { id }, () => '');

const columns = (now: number) => [
  { head: 'Name', width: 45, cell: ([vm]: Entry) => vm.name },
  { head: 'ID', right: true, cell: ([, state]: Entry) => state.domids.join() || '-' },
  { head: 'Mem', right: true, cell: ([vm, state]: Entry) => mib(state.memory_actual || vm.memory_dynamic_max) },
  { head: 'VCPUs', right: true, cell: ([vm]: Entry) => String(vm.vcpus) },
  { head: 'State', cell: ([, state]: Entry) => state.power_state },
  { head: 'Time(s)', right: true, cell: ([, state]: Entry) => ranFor(state, now) },
];
const mib = (bytes: number) => String(Math.round(bytes / 2 ** 20));
function ranFor({ power_state, last_start_time }: VmState, now: number): string {
  const live = power_state === 'Running' || power_state === 'Paused';
  return live && last_start_time > 0 ? Math.max(0, now - last_start_time).toFixed(0) : '-';
}

export const lifeCommands: Readonly<Record<string, Command>> = {
  async list(w) {
    const all = await w.client.call('VM.list', {});
    const rows = all.map(([vm, state]) => ({
      id: vm.id,
      name: vm.name,
      power_state: state.power_state,
      domids: state.domids,
      memory: state.memory_actual || vm.memory_dynamic_max,
      vcpus: vm.vcpus,
      last_start_time: state.last_start_time,
    }));
    show(w, rows, () => tableText(columns(w.now()), all));
  },
  async add(w, [file = '']) {
    const id = await addFile(w, file);
    show(w, { id }, () => `${id}\n`);
  },
  async create(w, [file = ''], options) {
    const id = await addFile(w, file);
    show(w, { id }, () => `${id}\n`);
    await startVm(w, id, false);
    if (options.has('console')) await openConsole(w, id);
  },
  async remove(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    await w.client.call('VM.remove', { id });
    told(w, id);
  },
  async start(w, [vm = ''], options) {
    const [{ id }] = await w.client.find(vm);
    await startVm(w, id, options.has('paused'));
    told(w, id);
    if (options.has('console')) await openConsole(w, id);
  },
  async shutdown(w, [vm = ''], options) {
    const [{ id }] = await w.client.find(vm);
    await finish(w, await w.client.call('VM.shutdown', { id, delay: secondsOf(options, 'timeout') }));
    told(w, id);
  },
  async reboot(w, [vm = ''], options) {
    const [{ id }] = await w.client.find(vm);
    await finish(w, await w.client.call('VM.reboot', { id, delay: secondsOf(options, 'timeout') }));
    told(w, id);
  },
  async suspend(w, [vm = ''], options) {
    const [{ id }] = await w.client.find(vm);
    await finish(w, await w.client.call('VM.suspend', { id, suspend_vdi: imageOf(options) }));
    told(w, id);
  },
  async resume(w, [vm = ''], options) {
    const [{ id }] = await w.client.find(vm);
    await finish(w, await w.client.call('VM.resume', { id, suspend_vdi: imageOf(options) }));
    await finish(w, await w.client.call('VM.unpause', { id }));
    told(w, id);
  },
  'fast-resume': (w, [vm = '']) => simple(w, vm, 'VM.fast_resume'),
  pause: (w, [vm = '']) => simple(w, vm, 'VM.pause'),
  unpause: (w, [vm = '']) => simple(w, vm, 'VM.unpause'),
  async migrate(w, [vm = '', url = ''], options) {
    const [{ id }] = await w.client.find(vm);
    const maps = { vdi_map: {}, vif_map: {}, pci_map: {} };
    const compress = options.has('compress');
    const request = { id, ...maps, xenops_url: url, compress, verify_dest: false, localhost_migration: false };
    await finish(w, await w.client.call('VM.migrate', request));
    told(w, id);
  },
  import: importVm,
  'import-metadata': (w, [file = '']) => importVm(w, [], new Map([['filename', file]])),
  export: exportVm,
  'export-metadata': (w, [vm = '', file = ''], options) =>
    exportVm(w, [vm], new Map([...options, ...(file === '' ? [] : ([['filename', file]] as const))])),
  async 'vm-stat'(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    const [record, state] = await w.client.call('VM.stat', { id });
    w.out(`${JSON.stringify({ vm: record, state }, null, w.json ? 0 : 2)}\n`);
  },
  async console(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    await openConsole(w, id);
  },
  async 'console-list'(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    const [, { consoles }] = await w.client.call('VM.stat', { id });
    show(w, consoles, () =>
      tableText(
        [
          { head: 'Protocol', cell: (c) => c.protocol },
          { head: 'Port', cell: (c) => (c.port === 0 ? '' : String(c.port)) },
          { head: 'Path', cell: (c) => c.path },
        ],
        consoles,
      ),
    );
  },
};

async function simple(w: World, vm: string, method: 'VM.pause' | 'VM.unpause' | 'VM.fast_resume'): Promise<void> {
  const [{ id }] = await w.client.find(vm);
  await finish(w, await w.client.call(method, { id }));
  told(w, id);
}
function imageOf(options: ReadonlyMap<string, string>): readonly ['Local' | 'VDI', string] {
  const device = options.get('block-device') ?? '';
  if (device.startsWith('sm:')) return ['VDI', device.slice(3)];
  if (!device.startsWith('/')) throw new UsageError(`--block-device: "${device}" is no absolute path`);
  return ['Local', device];
}
/** Settings of xl or the records as JSON, told apart by the first character. */
async function importVm(w: World, _: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
  const file = options.get('filename') ?? '';
  const text = w.readFile(file);
  if (!text.trimStart().startsWith('{')) {
    parseXl(file, text);
    const id = await addFile(w, file);
    return show(w, { id }, () => `${id}\n`);
  }
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: it is no JSON: ${(error as Error).message}`);
  }
  const metadata = metadataT.decode(given, file);
  const id = await w.client.call('VM.import_metadata', { metadata: metadataText(metadata) });
  show(w, { id }, () => `${id}\n`);
}
async function exportVm(w: World, [vm = '']: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
  const [{ id }] = await w.client.find(vm);
  const text = await w.client.call('VM.export_metadata', { id });
  const metadata: Metadata = metadataT.decode(JSON.parse(text), 'metadata');
  const shown = options.has('xm') ? xlText(metadata) : `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
  const file = options.get('filename');
  if (file === undefined || file === '-') w.out(shown);
  else w.writeFile(file, shown);
}
async function openConsole(w: World, id: string): Promise<void> {
  const [, { consoles }] = await w.client.call('VM.stat', { id });
  const text = consoles.find(({ protocol }) => protocol === 'Vt100');
  if (!text) throw new Error('the VM has no text console now; console-list shows what there is');
  await w.attach(text.path);
}
