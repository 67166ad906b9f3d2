/** `guesthouse box …`: a whole Xen host in a QEMU. Reads what was asked for and hands it to the file that does it. */
import { Command } from 'commander';
import { BoxProblem } from '../box/problem.ts';
import { Refusal } from './refusal.ts';
import type { Terminal } from './up.ts';

/** What every sub-command needs of the command line's frame. */
export interface BoxFrame {
  readonly terminal: Terminal;
  readonly folder: (text: string) => string;
  readonly defaultData: string;
}

export function boxCommand({ terminal, folder, defaultData }: BoxFrame): Command {
  const box = new Command('box')
    .description('a whole Xen host inside of QEMU, with this toolstack in it')
    .enablePositionalOptions();
  const verb = (name: string, description: string) =>
    box.command(name).description(description).option('--data <dir>', 'folder of the box', folder, defaultData);
  const cache = ['--cache <dir>', 'folder of what boxes are made from; build/box of the program by default'] as const;

  verb('build', 'make what a box is made from, as far as it is missing')
    .option(...cache)
    .action((o) => told(async () => (await import('./box-build.ts')).boxBuild(o, terminal)));
  verb('up', 'run the box in the foreground; Ctrl-C saves it and ends it')
    .option('--listen <address>', 'where the host in the box answers XenAPI, for this machine only', '127.0.0.1:8080')
    .option('--password-file <file>', "file whose first line becomes root's password")
    .option('--fresh', 'as it was when it was new: without what was created since', false)
    .option('--memory <MiB>', 'memory of the box', '4096')
    .option('--acceleration <kind>', 'tcg, or kvm where Xen runs on it', 'tcg')
    .option('--hypervisor <kind>', 'xen, or simulator to try the box without guests', 'xen')
    .option('--xenstored <whose>', 'own, or debian for comparisons', 'own')
    .option(...cache)
    .action((o) => told(async () => (await import('./box-up.ts')).boxUp(o, terminal)));
  verb('ssh', 'a shell in the running box').action((o) =>
    told(async () => (await import('./box-exec.ts')).boxExec({ data: o.data, command: [], terminal: true })),
  );
  verb('exec', 'a command in the running box: its output, its exit status')
    .argument('<command...>')
    .passThroughOptions()
    .action((command: string[], o) =>
      told(async () => (await import('./box-exec.ts')).boxExec({ data: o.data, command, terminal: false })),
    );
  verb(
    'push',
    'put the program as it is here into the running box and start it again there; gone when the box is',
  ).action((o) => told(async () => (await import('./box-exec.ts')).boxPush(o, terminal)));
  verb('snapshot', 'save the running box, to which the next up comes back').action((o) =>
    told(async () => (await import('./box-down.ts')).boxSnapshot(o, terminal)),
  );
  verb('down', 'save the running box and end it')
    .option('--discard', 'do not save: the next up comes back to what was saved before', false)
    .action((o) => told(async () => (await import('./box-down.ts')).boxDown(o, terminal)));
  return box;
}

/** What a box cannot do is said in one line, like any refusal. */
async function told(f: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await f();
  } catch (error) {
    throw error instanceof BoxProblem ? new Refusal(error.message) : error;
  }
}
