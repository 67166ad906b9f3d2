/** Commands on drives, interfaces, PCI devices, tasks and changes. */

import type { XlReading } from '../../wire/xl-config.ts';
import { parseXlDisk } from '../../wire/xl-disk.ts';
import { refuserOf } from '../../wire/xl-elements.ts';
import { XlError, type XlString } from '../../wire/xl-syntax.ts';
import { parseXlVif } from '../../wire/xl-vif.ts';
import { numberName } from '../xenopsd/device.ts';
import type { DynamicId } from '../xenopsd/types.ts';
import { vbdOf, vifOf } from './from-xl.ts';
import { tableText } from './table.ts';
import { type Command, deviceId, finish, show, type World } from './world.ts';

const done = (w: World, id: readonly [string, string]) => show(w, { id }, () => '');

export const deviceCommands: Readonly<Record<string, Command>> = {
  async 'vbd-list'(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    const rows = await w.client.call('VBD.list', { id });
    type Row = (typeof rows)[number];
    show(w, rows, () =>
      tableText<Row>(
        [
          { head: 'Name', cell: ([vbd]) => vbd.id[1] },
          { head: 'Device', cell: ([vbd]) => (vbd.position ? numberName(vbd.position) : '-') },
          { head: 'Type', cell: ([vbd]) => vbd.ty },
          { head: 'Mode', cell: ([vbd]) => vbd.mode },
          { head: 'Plugged', cell: ([, state]) => String(state.plugged) },
          { head: 'Backend', cell: ([vbd]) => vbd.backend?.[1] ?? '(empty)' },
        ],
        rows,
      ),
    );
  },
  async 'vbd-add'(w, [vm = '', spec = '']) {
    const [{ id }] = await w.client.find(vm);
    const { source, reading } = argument('disk', spec);
    const vbd = vbdOf(reading, id, { ...parseXlDisk(spec, refuserOf(place, 'disk', source)), at: source.at });
    done(w, await w.client.call('VBD.add', { vbd }));
  },
  'vbd-remove': async (w, [device = '']) => {
    const id = await deviceId(w, device);
    await w.client.call('VBD.remove', { id });
    done(w, id);
  },
  'vbd-plug': async (w, [device = '']) => {
    const id = await deviceId(w, device);
    await finish(w, await w.client.call('VBD.plug', { id }));
    done(w, id);
  },
  'vbd-unplug': async (w, [device = ''], options) => {
    const id = await deviceId(w, device);
    await finish(w, await w.client.call('VBD.unplug', { id, force: options.has('force') }));
    done(w, id);
  },
  'vbd-insert': insert,
  'cd-insert': insert,
  'vbd-eject': eject,
  'cd-eject': eject,
  async 'vif-list'(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    const rows = await w.client.call('VIF.list', { id });
    type Row = (typeof rows)[number];
    show(w, rows, () =>
      tableText<Row>(
        [
          { head: 'Name', cell: ([vif]) => vif.id[1] },
          { head: 'MAC', cell: ([vif]) => vif.mac },
          { head: 'MTU', right: true, cell: ([vif]) => String(vif.mtu) },
          { head: 'Plugged', cell: ([, state]) => String(state.plugged) },
          { head: 'Bridge', cell: ([{ backend }]) => (backend[0] === 'Local' ? backend[1] : backend[0]) },
        ],
        rows,
      ),
    );
  },
  async 'vif-add'(w, [vm = '', spec = '']) {
    const [{ id }] = await w.client.find(vm);
    const taken = new Set((await w.client.call('VIF.list', { id })).map(([vif]) => vif.position));
    let free = 0;
    while (taken.has(free)) free++;
    const { source, reading } = argument('vif', spec);
    const parsed = { ...parseXlVif(source, refuserOf(place, 'vif', source)), at: source.at };
    done(w, await w.client.call('VIF.add', { vif: vifOf(reading, id, parsed, free, w.ids) }));
  },
  'vif-remove': async (w, [device = '']) => {
    const id = await deviceId(w, device);
    await w.client.call('VIF.remove', { id });
    done(w, id);
  },
  'vif-plug': async (w, [device = '']) => {
    const id = await deviceId(w, device);
    await finish(w, await w.client.call('VIF.plug', { id }));
    done(w, id);
  },
  'vif-unplug': async (w, [device = ''], options) => {
    const id = await deviceId(w, device);
    await finish(w, await w.client.call('VIF.unplug', { id, force: options.has('force') }));
    done(w, id);
  },
  'vif-move': async (w, [device = '', bridge = '']) => {
    const id = await deviceId(w, device);
    await finish(w, await w.client.call('VIF.move', { id, network: ['Local', bridge] }));
    done(w, id);
  },
  async 'pci-list'(w, [vm = '']) {
    const [{ id }] = await w.client.find(vm);
    const rows = await w.client.call('PCI.list', { id });
    const hex = (n: number, width: number) => n.toString(16).padStart(width, '0');
    type Row = (typeof rows)[number];
    show(w, rows, () =>
      tableText<Row>(
        [
          { head: 'Name', cell: ([pci]) => pci.id[1] },
          {
            head: 'Address',
            cell: ([{ address: a }]) => `${hex(a.domain, 4)}:${hex(a.bus, 2)}:${hex(a.dev, 2)}.${a.fn}`,
          },
          { head: 'Plugged', cell: ([, state]) => String(state.plugged) },
        ],
        rows,
      ),
    );
  },
  'pci-remove': async (w, [device = '']) => {
    const id = await deviceId(w, device);
    await w.client.call('PCI.remove', { id });
    done(w, id);
  },
  async diagnostics(w) {
    w.out(`${await w.client.call('get_diagnostics', {})}\n`);
  },
  async tasks(w) {
    const tasks = await w.client.call('Task.list', {});
    const state = (t: (typeof tasks)[number]) => (typeof t.state === 'string' ? t.state : t.state[0]);
    show(w, tasks, () =>
      tableText(
        [
          { head: 'Task', right: true, cell: (t) => t.id },
          { head: 'Operation', cell: (t) => Object.keys(t.subtasks).join() },
          { head: 'State', cell: state },
          { head: 'From', cell: (t) => t.dbg },
        ],
        tasks,
      ),
    );
  },
  async 'task-cancel'(w, [id = '']) {
    await w.client.call('Task.cancel', { id });
    show(w, { id }, () => '');
  },
  events,
  'events-watch': events,
};

async function insert(w: World, [device = '', path = '']: readonly string[]): Promise<void> {
  const id = await deviceId(w, device);
  if (!path.startsWith('/') && !path.startsWith('sm:')) throw new Error(`"${path}" is no absolute path`);
  const disk = path.startsWith('sm:') ? (['VDI', path.slice(3)] as const) : (['Local', path] as const);
  await finish(w, await w.client.call('VBD.insert', { id, disk }));
  done(w, id);
}
async function eject(w: World, [device = '']: readonly string[]): Promise<void> {
  const id = await deviceId(w, device);
  await finish(w, await w.client.call('VBD.eject', { id }));
  done(w, id);
}
/** Follows changes until it is interrupted; with `--now`, shows what there is and ends. */
async function events(w: World, _: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
  let last = 0;
  while (!w.interrupted.aborted) {
    const timeout = options.has('now') ? 0 : 30;
    const [, ids, next] = await w.client
      .call('UPDATES.get', { last_id: last, timeout }, w.interrupted)
      .catch((error: unknown) => {
        if (w.interrupted.aborted) return [[], [], last] as const;
        throw error;
      });
    last = next;
    for (const id of ids) show(w, id, () => `${eventText(id)}\n`);
    if (options.has('now')) return;
  }
}
const eventText = ([kind, id]: DynamicId): string => `${kind} ${typeof id === 'string' ? id : id.join('.')}`;

const place = 'argument';
/** A device given on the command line is read as an entry of a file; errors name its column. */
function argument(key: string, text: string): { source: XlString; reading: XlReading } {
  const at = { line: 1, column: 0 };
  const source: XlString = { kind: 'string', text, at };
  const refuse: XlReading['refuse'] = (_, why, where = at) => new XlError(place, where, key, why);
  // What it is checked against beside itself: nothing.
  return { source, reading: { refuse } as XlReading };
}
