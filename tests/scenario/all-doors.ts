/**
 * One VM, all doors: a VM that any of them adds is listed, paused, stopped and started through every other, and each sees at once
 * what the others did. The doors are the commands that a user types; the same on every ground.
 */
import assert from 'node:assert/strict';

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}
export interface Bed {
  /** Runs a command of `bin/` on the host. */
  run(command: string, ...args: string[]): Promise<Ran>;
  /** Writes a file on the host; answers its path. */
  file(name: string, text: string): Promise<string>;
  /** A kernel that the ground boots. */
  readonly guest: { readonly kernel: string; readonly ramdisk: string; readonly cmdline: string };
  /** As xl files name it: what the ground runs a kernel as. */
  readonly type: 'pv' | 'pvh';
  readonly memoryMib: number;
}
type Seen = 'running' | 'paused' | 'halted';
interface Vm {
  readonly uuid: string;
  readonly name: string;
}
export interface Door {
  readonly name: string;
  /** Adds a VM and starts it; answers its uuid, '' when the door does not tell. */
  add(name: string): Promise<string>;
  see(vm: Vm): Promise<Seen>;
  pause(vm: Vm): Promise<void>;
  unpause(vm: Vm): Promise<void>;
  stop(vm: Vm): Promise<void>;
  /** Undefined: it cannot start what is halted, unless it made it. */
  start?(vm: Vm): Promise<void>;
  /** Takes part in the VM's life, and leaves it. */
  follow?(vm: Vm): Promise<void>;
  leave?(vm: Vm): Promise<void>;
}

const okOf =
  (bed: Bed) =>
  async (command: string, ...args: string[]) => {
    const { status, out, err } = await bed.run(command, ...args);
    assert.equal(status, 0, `${command} ${args.join(' ')}: ${err}`);
    return out;
  };
const seen = (text: string): Seen => {
  const words: Readonly<Record<string, Seen>> = {
    running: 'running',
    paused: 'paused',
    halted: 'halted',
    shutdown: 'halted',
  };
  const found = words[text.trim().toLowerCase()];
  assert.ok(found, `"${text}" is no state`);
  return found;
};

function xenopsCli(bed: Bed): Door {
  const cli = okOf(bed);
  return {
    name: 'xenops-cli',
    async add(name) {
      const { kernel, ramdisk, cmdline } = bed.guest;
      const text = `name='${name}'\ntype='${bed.type}'\nkernel='${kernel}'\nramdisk='${ramdisk}'\ncmdline='${cmdline}'\nmemory=${bed.memoryMib}\n`;
      return (await cli('xenops-cli', 'create', await bed.file(`${name}.xl`, text))).trim();
    },
    async see({ uuid }) {
      const rows = JSON.parse(await cli('xenops-cli', '--json', 'list')) as { id: string; power_state: string }[];
      return seen(rows.find((r) => r.id === uuid)?.power_state ?? 'not listed');
    },
    pause: async ({ uuid }) => void (await cli('xenops-cli', 'pause', uuid)),
    unpause: async ({ uuid }) => void (await cli('xenops-cli', 'unpause', uuid)),
    stop: async ({ uuid }) => void (await cli('xenops-cli', 'shutdown', uuid)),
    start: async ({ uuid }) => void (await cli('xenops-cli', 'start', uuid)),
  };
}
function xenvm(bed: Bed): Door {
  const ok = okOf(bed);
  return {
    name: 'xenvm',
    async add(name) {
      const { kernel, ramdisk, cmdline } = bed.guest;
      const text = `name = ${name}\nhvm = false\nkernel = ${kernel}\ninitrd = ${ramdisk}\ncmdline = ${cmdline}\nmemory = ${bed.memoryMib}\n`;
      return (await ok('xenvm', await bed.file(`${name}.xenvm`, text))).trim();
    },
    see: async ({ uuid }) => seen(await ok('xenvm-cmd', uuid, 'status')),
    pause: async ({ uuid }) => void (await ok('xenvm-cmd', uuid, 'pause')),
    unpause: async ({ uuid }) => void (await ok('xenvm-cmd', uuid, 'unpause')),
    stop: async ({ uuid }) => void (await ok('xenvm-cmd', uuid, 'destroy')),
    start: async ({ uuid }) => void (await ok('xenvm-cmd', uuid, 'start')),
    async follow({ uuid }) {
      // The door that added it follows it already.
      const { status, out, err } = await bed.run('xenvm', '--uuid', uuid);
      assert.ok(status === 0 ? out.trim() === uuid : /another xenvm serves/.test(err), err);
    },
    leave: async ({ uuid }) => void (await ok('xenvm-cmd', uuid, 'quit')),
  };
}
function xen12(bed: Bed): Door {
  const ok = okOf(bed);
  const row = async ({ name }: Vm) => {
    const lines = (await ok('xc_dom_control', 'list')).split('\n').map((line) => line.trim().split(/ +/));
    return lines.find((cells) => cells[1] === name);
  };
  const control = async (verb: string, vm: Vm) => {
    const dom = (await row(vm))?.[0];
    assert.ok(dom, `xc_dom_control list has no ${vm.name}`);
    await ok('xc_dom_control', verb, dom);
  };
  return {
    name: 'Xen 1.2',
    async add(name) {
      const { kernel, ramdisk, cmdline } = bed.guest;
      const text = `image='${kernel}'\nramdisk='${ramdisk}'\nmem_size=${bed.memoryMib}\ndomain_name='${name}'\nvfr_ipaddr=[]\nvbd_list=[]\ncmdline_ip=''\ncmdline_root=''\ncmdline_extra='${cmdline}'\n`;
      await ok('xc_dom_create', '-f', await bed.file(`${name}.xc`, text));
      return '';
    },
    async see(vm) {
      const state = (await row(vm))?.[4];
      return state === undefined ? 'halted' : state.includes('s') ? 'paused' : 'running';
    },
    pause: (vm) => control('stop', vm),
    unpause: (vm) => control('start', vm),
    stop: (vm) => control('destroy', vm),
  };
}
function xapi(bed: Bed): Door {
  const xe = (...args: string[]) => okOf(bed)('xe', ...args);
  return {
    name: 'XenAPI',
    async add(name) {
      const uuid = (await xe('vm-install', 'template=Tiny Linux', `new-name-label=${name}`)).trim();
      await xe('vm-start', `uuid=${uuid}`);
      return uuid;
    },
    see: async ({ uuid }) => seen(await xe('vm-param-get', `uuid=${uuid}`, 'param-name=power-state')),
    pause: async ({ uuid }) => void (await xe('vm-pause', `uuid=${uuid}`)),
    unpause: async ({ uuid }) => void (await xe('vm-unpause', `uuid=${uuid}`)),
    stop: async ({ uuid }) => void (await xe('vm-shutdown', '--force', `uuid=${uuid}`)),
    start: async ({ uuid }) => void (await xe('vm-start', `uuid=${uuid}`)),
  };
}
/** Names of the doors that can add a VM. */
export const adders = ['xenops-cli', 'xenvm', 'Xen 1.2', 'XenAPI'] as const;
export const doorsOf = (bed: Bed): readonly Door[] => [xenopsCli(bed), xenvm(bed), xen12(bed), xapi(bed)];

/** The VM that `adder` makes passes through every door; nothing is left of it. */
export async function oneVm(bed: Bed, by: (typeof adders)[number]): Promise<void> {
  const doors = doorsOf(bed);
  const adder = doors.find((d) => d.name === by) as Door;
  const name = `by-${adder.name.replace(/[^a-z0-9]/gi, '')}`;
  const told = await adder.add(name);
  const uuid = (await okOf(bed)('xe', 'vm-list', `name-label=${name}`, '--minimal')).trim();
  assert.match(uuid, /^[0-9a-f-]{36}$/, `XenAPI has one record of ${name}`);
  if (told !== '') assert.equal(told, uuid, 'one VM has one uuid');
  const vm = { uuid, name };
  for (const door of doors) await door.follow?.(vm);
  const all = async (state: Seen, after: string) => {
    for (const [i, found] of (await Promise.all(doors.map((d) => d.see(vm)))).entries())
      assert.equal(found, state, `${doors[i]?.name} after ${after}`);
  };
  await all('running', `${adder.name} added it`);
  const others = doors.filter((d) => d.name !== adder.name);
  await others[0]?.pause(vm);
  await all('paused', `${others[0]?.name} paused it`);
  await others[1]?.unpause(vm);
  await all('running', `${others[1]?.name} let it go on`);
  for (const [i, door] of doors.entries()) {
    await door.stop(vm);
    await all('halted', `${door.name} stopped it`);
    const starter = [...doors.slice(i + 1), ...doors].find((d) => d.start);
    await starter?.start?.(vm);
  }
  await all('running', 'it was started again');
  for (const door of doors) await door.leave?.(vm);
  await okOf(bed)('xe', 'vm-shutdown', '--force', `uuid=${uuid}`);
  await okOf(bed)('xenops-cli', 'remove', uuid);
  assert.equal((await okOf(bed)('xe', 'vm-list', `uuid=${uuid}`, '--minimal')).trim(), '', 'nothing is left of it');
}
