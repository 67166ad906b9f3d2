/** `xenops-cli`: commands by name, exit status 0; 1 when the operation failed, 2 for wrong usage. */
import { helpText, readArguments, type Usage, UsageError } from './arguments.ts';
import { deviceCommands } from './devices.ts';
import { lifeCommands } from './life.ts';
import type { Command, World } from './world.ts';

const vm = ['VM'];
const device = ['DEVICE'];
export const usages: Readonly<Record<string, Usage>> = {
  list: { args: [], does: 'the VMs that were added' },
  create: { args: ['FILE'], options: { console: '' }, does: 'add and start' },
  add: { args: ['FILE'], does: 'register what an xm/xl file describes; prints its uuid' },
  remove: { args: vm, does: 'forget a VM that is halted' },
  start: { args: vm, options: { paused: '', console: '' }, does: 'start it, with everything that was added to it' },
  shutdown: { args: vm, options: { timeout: 'S' }, does: 'ask the guest; without a timeout: at once' },
  reboot: { args: vm, options: { timeout: 'S' }, does: 'the same, and start again' },
  suspend: {
    args: vm,
    options: { 'block-device': 'PATH' },
    needs: ['block-device'],
    does: 'save its memory there and stop it',
  },
  resume: { args: vm, options: { 'block-device': 'PATH' }, needs: ['block-device'], does: 'go on from there' },
  'fast-resume': { args: vm, does: 'let a suspended guest go on, after its image was copied' },
  pause: { args: vm, does: 'stop its processors' },
  unpause: { args: vm, does: 'let them go on' },
  migrate: { args: ['VM', 'URL'], options: { compress: '' }, does: 'move it to another host while it runs' },
  import: {
    args: [],
    options: { 'metadata-only': '', filename: 'FILE' },
    needs: ['filename'],
    does: 'add what export wrote',
  },
  export: {
    args: vm,
    options: { 'metadata-only': '', filename: 'FILE', xm: '' },
    does: 'write its records, or with --xm an xm/xl file',
  },
  'import-metadata': { args: ['FILE'], does: 'the same as import' },
  'export-metadata': { args: ['VM', '[FILE]'], options: { xm: '' }, does: 'the same as export' },
  'vm-stat': { args: vm, does: 'its record and state' },
  console: { args: vm, does: 'its text console; Ctrl-] leaves' },
  'console-list': { args: vm, does: 'its consoles' },
  'vbd-list': { args: vm, does: 'its drives' },
  'vbd-add': { args: ['VM', 'SPEC'], does: 'add a drive, as in disk = [ … ]' },
  'vbd-remove': { args: device, does: 'take a drive out of the description' },
  'vbd-plug': { args: device, does: 'plug a drive into the running guest' },
  'vbd-unplug': { args: device, options: { force: '' }, does: 'unplug it' },
  'vbd-insert': { args: ['DEVICE', 'PATH'], does: 'put a disc into a CD drive' },
  'vbd-eject': { args: device, does: 'take it out' },
  'cd-insert': { args: ['DEVICE', 'PATH'], does: 'the same as vbd-insert' },
  'cd-eject': { args: device, does: 'the same as vbd-eject' },
  'vif-list': { args: vm, does: 'its interfaces' },
  'vif-add': { args: ['VM', 'SPEC'], does: 'add an interface, as in vif = [ … ]' },
  'vif-remove': { args: device, does: 'take an interface out of the description' },
  'vif-plug': { args: device, does: 'plug an interface' },
  'vif-unplug': { args: device, options: { force: '' }, does: 'unplug it' },
  'vif-move': { args: ['DEVICE', 'BRIDGE'], does: 'put it on another bridge' },
  'pci-list': { args: vm, does: 'its PCI devices' },
  'pci-remove': { args: device, does: 'take a PCI device out of the description' },
  diagnostics: { args: [], does: 'what xenopsd is doing' },
  events: { args: [], options: { now: '' }, does: 'follow changes' },
  'events-watch': { args: [], options: { now: '' }, does: 'the same as events' },
  tasks: { args: [], does: 'what runs and what has ended' },
  'task-cancel': { args: ['ID'], does: 'ask a task to stop' },
};
const commands: Readonly<Record<string, Command>> = { ...lifeCommands, ...deviceCommands };

export interface Terminal extends Omit<World, 'client' | 'json'> {
  /** Finds xenopsd by the options; an error that says where it was looked for. */
  readonly connect: (options: ReadonlyMap<string, string>) => World['client'];
  readonly close: () => Promise<void>;
}
/** Runs one command line; answers the exit status. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let verbose = false;
  try {
    const { command, args, options } = readArguments(usages, argv);
    verbose = options.has('debug');
    if (command === 'help') {
      terminal.out(helpText(usages, args[0]));
      return 0;
    }
    const client = terminal.connect(options);
    const told = options.has('verbose') ? tellingOf(client, terminal.err) : client;
    const world: World = { ...terminal, client: told, json: options.has('json') };
    await commands[command]?.(world, args, options);
    return 0;
  } catch (error) {
    const { message, stack } = error as Error;
    if (error instanceof UsageError) {
      terminal.err(`xenops-cli: ${message}; xenops-cli help shows what there is\n`);
      return 2;
    }
    const own = (error as Error).name === 'XlError' ? '' : 'xenops-cli: ';
    terminal.err(`${own}${verbose ? (stack ?? message) : message}\n`);
    return 1;
  } finally {
    await terminal.close();
  }
}
/** Tells of every call. */
function tellingOf(client: World['client'], err: (text: string) => void): World['client'] {
  return {
    ...client,
    call(method, params, signal) {
      err(`xenops-cli: ${method} ${JSON.stringify(params)}\n`);
      return client.call(method, params, signal);
    },
  };
}
