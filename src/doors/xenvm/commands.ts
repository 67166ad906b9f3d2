/** xenvm's commands, one row each: what each is given, and which calls of the domain manager it stands for. */

import { readXenvm } from '../../wire/xenvm-config.ts';
import { parseBoolean, parseInteger } from '../../wire/xenvm-syntax.ts';
import { describe } from './describe.ts';
import { deviceCommands } from './device-commands.ts';
import { getField, setField } from './fields.ts';
import { stateName, told, type World } from './world.ts';

export type Params = Readonly<Record<string, string>>;
/** Answers what is said in return; undefined: nothing. */
export type Run = (w: World, params: Params) => Promise<string | undefined> | Promise<void>;
export interface Row {
  /** Parameter → what it is: `!` must be given. */
  readonly takes?: Readonly<Record<string, string>>;
  /** The state that is told while it is carried out. */
  readonly during?: string;
  readonly does: string;
  readonly run: Run;
}
/** Seconds that a guest gets when it is asked to shut down. */
const patienceS = 1800;

/** A parameter of yes or no. An Error that names it. */
export function flag(params: Params, key: string, otherwise: boolean): boolean {
  const text = params[key];
  const value = text === undefined ? otherwise : parseBoolean(text);
  if (value === undefined) throw new Error(`${key}: "${text}" is neither true nor false`);
  return value;
}
const path = (params: Params, key: string): string => {
  const text = params[key] ?? '';
  if (!text.startsWith('/')) throw new Error(`${key}: "${text}" is no absolute path`);
  return text;
};
const stat = ({ xenops, id }: World) => xenops.vm.stat({ id });
const image = (file: string) => ({ kind: 'path', path: file, format: 'raw' }) as const;
const timeout = (params: Params) => (flag(params, 'forced', false) ? null : patienceS);
const notHere =
  (why: string): Run =>
  async () => {
    throw new Error(why);
  };

async function save(w: World, params: Params): Promise<void> {
  const file = path(params, 'file');
  flag(params, 'live', false); // the domain manager has one way to save
  w.createFile(file);
  try {
    await w.xenops.vm.suspend({ id: w.id, image: image(file) });
  } catch (error) {
    w.removeFile(file);
    throw error;
  }
}
export async function restore(w: World, file: string, o: { paused: boolean; remove: boolean }): Promise<void> {
  const { state } = await stat(w);
  const saved = state.suspendImage;
  if (saved !== null && !(saved.kind === 'path' && saved.path === file))
    throw new Error(`file: the VM was saved to ${saved.kind === 'path' ? saved.path : saved.vdi}, not to ${file}`);
  const halted = state.power === 'Halted';
  if (halted) await w.xenops.vm.takeSuspended({ id: w.id, image: image(file) });
  try {
    await w.xenops.vm.resume({ id: w.id, paused: o.paused });
  } catch (error) {
    // What could not be gone on from is no state of a VM that was off.
    if (halted) await w.xenops.vm.resetPower({ id: w.id });
    throw error;
  }
  if (o.remove) w.removeFile(file);
}
async function destroy(w: World): Promise<void> {
  // What was saved is given up too.
  if ((await stat(w)).state.power === 'Suspended') await w.xenops.vm.resetPower({ id: w.id });
  else await w.xenops.vm.shutdown({ id: w.id, timeoutS: null });
}
async function readConfig(w: World, { path: given }: Params): Promise<void> {
  const file = given ?? w.file;
  if (file === undefined) throw new Error('path: xenvm was started without a file; name one');
  const config = readXenvm(file, w.readFile(file));
  const uuid = config.text('uuid').toLowerCase();
  if (uuid !== '' && uuid !== w.id) throw config.refuse('uuid', `this is the xenvm of ${w.id}`);
  const { spec } = await stat(w);
  await w.xenops.vm.add(describe(config, w.id, w.ground, spec));
}

const forced = { forced: 'true: without asking the guest' };
const halt: Row = {
  takes: forced,
  during: 'shutdowning',
  does: 'ask the guest to shut down, and wait until it has',
  run: (w, params) => w.xenops.vm.shutdown({ id: w.id, timeoutS: timeout(params) }),
};
const reboot: Row = {
  takes: { ...forced, 'auto-start': 'false: leave it off' },
  during: 'rebooting',
  does: 'the same, and start again',
  async run(w, params) {
    const timeoutS = timeout(params);
    if (flag(params, 'auto-start', true)) await w.xenops.vm.reboot({ id: w.id, timeoutS });
    else await w.xenops.vm.shutdown({ id: w.id, timeoutS });
  },
};
const domid: Row = { does: 'the number of its domain, or -1', run: async (w) => String((await stat(w)).state.domid) };
const status: Row = { does: 'its state', run: async (w) => stateName((await stat(w)).state) };
const vnc: Row = {
  does: 'the port of its screen; nothing where screens are reached by the consoles of XenAPI',
  run: async () => '',
};

export const commands: Readonly<Record<string, Row>> = {
  help: { does: 'this list', run: async () => helpText() },
  start: {
    takes: { paused: 'true: its processors wait' },
    during: 'creating-domain',
    does: 'start it',
    run: (w, params) => w.xenops.vm.start({ id: w.id, paused: flag(params, 'paused', false) }),
  },
  pause: { does: 'stop its processors', run: (w) => w.xenops.vm.pause({ id: w.id }) },
  unpause: { does: 'let them go on', run: (w) => w.xenops.vm.unpause({ id: w.id }) },
  ...{ halt, shutdown: halt, reboot, restart: reboot },
  destroy: { does: 'end it at once', run: destroy },
  suspend: {
    takes: { file: '!where its memory goes', live: 'true: taken; the guest waits all the same' },
    during: 'suspending',
    does: 'save it and end its domain',
    run: save,
  },
  restore: {
    takes: { file: '!what suspend or checkpoint wrote', paused: 'true: it waits', delete: 'false: keep the file' },
    during: 'restoring',
    does: 'go on from there',
    run: (w, params) =>
      restore(w, path(params, 'file'), {
        paused: flag(params, 'paused', false),
        remove: flag(params, 'delete', true),
      }),
  },
  checkpoint: {
    takes: { file: '!where its memory goes' },
    during: 'suspending',
    does: 'save it and let it go on',
    async run(w, params) {
      await save(w, params);
      await w.xenops.vm.resume({ id: w.id, paused: false });
    },
  },
  s3suspend: {
    takes: { timeout: 'seconds; 30' },
    during: 'suspending',
    does: 'ask the guest to sleep (ACPI S3), and wait until it does',
    async run(w, { timeout: text = '30' }) {
      const seconds = parseInteger(text);
      if (seconds === undefined || seconds < 1) throw new Error(`timeout: "${text}" is no number of seconds`);
      const signal = AbortSignal.timeout(seconds * 1000);
      try {
        await w.xenops.vm.sleep({ id: w.id }, { signal });
      } catch (error) {
        throw signal.aborted ? new Error(`the guest did not go to sleep within ${seconds} s`, { cause: error }) : error;
      }
      w.notify(told.state, `vm:state:${stateName((await stat(w)).state)}`);
    },
  },
  s4suspend: {
    takes: { timeout: 'seconds' },
    does: 'let the guest hibernate',
    run: notHere('guests are not asked to hibernate here; suspend file=… saves one'),
  },
  quit: {
    does: 'end this xenvm; the VM is left as it is',
    async run(w) {
      w.quit();
    },
  },
  ...{ 'get-domid': domid, domid, 'get-status': status, status, 'get-vnc': vnc, vnc },
  'get-stubdomid': { does: 'always -1: there are no stub domains', run: async () => '-1' },
  'get-acpi-state': {
    does: '0 while it runs, 5 when it is off',
    run: async (w) => ((await stat(w)).state.domid < 0 ? '5' : '0'),
  },
  get: {
    takes: { field: '!a key of the configuration, or required-to-boot-kib' },
    does: 'the value of a field',
    run: async (w, { field = '' }) => getField((await stat(w)).spec, field),
  },
  set: {
    takes: { field: '!a key of the configuration', value: '!memory in KiB' },
    does: 'change a field, for the next start',
    async run(w, { field = '', value = '' }) {
      const { spec } = await stat(w);
      await w.xenops.vm.add(setField(spec, field, value, w.ground));
    },
  },
  'set-mem-target': {
    takes: { mb: '!MiB' },
    does: 'ask the guest to use so much memory',
    async run(w, { mb = '' }) {
      const mib = parseInteger(mb);
      if (mib === undefined || mib < 1) throw new Error(`mb: "${mb}" is no number of MiB`);
      await w.xenops.vm.setMemoryTarget({ id: w.id, bytes: mib * (1 << 20) });
    },
  },
  trigger: {
    takes: { params: '!s3resume' },
    does: 'wake a sleeping guest',
    async run(w, { params = '' }) {
      if (params !== 's3resume') throw new Error(`params: "${params}" is no trigger; s3resume is`);
      await w.xenops.vm.wake({ id: w.id });
    },
  },
  'read-config': {
    takes: { path: 'another file' },
    does: 'read the configuration again, for the next start',
    run: readConfig,
  },
  ...deviceCommands,
};
/** Checks the parameters, tells what it is about to do, and does it. An Error with the reason for whoever asked. */
export async function runCommand(w: World, name: string, params: Params): Promise<string | undefined> {
  const row = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!row) throw new UnknownCommand('unknown RPC');
  const takes = row.takes ?? {};
  for (const [key, what] of Object.entries(takes))
    if (what.startsWith('!') && params[key] === undefined) throw new Error(`${key}: it is missing: ${what.slice(1)}`);
  const extra = Object.keys(params).find((key) => !Object.hasOwn(takes, key));
  if (extra !== undefined) {
    const known = Object.keys(takes).join(', ') || 'nothing';
    throw new Error(`${extra}: ${name} does not take it; it takes ${known}`);
  }
  if (row.during !== undefined) w.notify(told.state, `vm:state:${row.during}`);
  try {
    return (await row.run(w, params)) ?? undefined;
  } catch (error) {
    w.notify(told.error, `error:${(error as Error).message}`);
    throw error;
  }
}
export class UnknownCommand extends Error {
  override readonly name = 'UnknownCommand';
}
function helpText(): string {
  const rows = Object.entries(commands).map(([name, { takes = {}, does }]) => {
    const args = Object.entries(takes).map(([key, what]) => (what.startsWith('!') ? `${key}=…` : `[${key}=…]`));
    return [[name, ...args].join(' '), does] as const;
  });
  return rows.map(([usage, does]) => `${usage.padEnd(50)} ${does}\n`).join('');
}
