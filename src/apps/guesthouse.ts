/** The command `guesthouse`: reads what was asked for and hands it to the file that does it. */
import { Command, InvalidArgumentError } from 'commander';
import { boxCommand } from './box.ts';
import { defaultData } from './places.ts';
import { Refusal } from './refusal.ts';
import type { Terminal } from './up.ts';
import { version } from './version.ts';

/** Whoever read along has gone, as `head` does: no reason to end. */
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
const terminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  say: (line) => void process.stderr.write(`${line}\n`),
};
const dataHelp = 'folder of the host’s state';

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('it is a number of seconds, 0 or more.');
  return value;
}

function folder(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('it is empty; name the folder of the host.');
  return text;
}

function commands(): Command {
  const program = new Command('guesthouse')
    .description('A virtualisation toolstack: creates virtual machines, runs them and looks after them')
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(try 'guesthouse help')")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'guesthouse: ')) });
  program
    .command('up')
    .description('run the host in the foreground; Ctrl-C ends the toolstack and leaves guests running')
    .option('--data <dir>', dataHelp, folder, defaultData())
    .option('--listen <address>', 'plain HTTP, for this machine only', '127.0.0.1:8080')
    .option('--listen-tls <address>', 'HTTPS with a certificate of its own; none turns it off', '0.0.0.0:8443')
    .option('--hypervisor <kind>', 'auto, xen, qemu or simulator', 'auto')
    .option('--store <address>', 'where the database is: sqlite', 'sqlite')
    .option('--password-file <file>', "file whose first line becomes root's password")
    .option('--demo', 'boot a first guest and wait until it is up', false)
    .option('--separate', 'one process for each daemon; a host stays as it was made', false)
    .action(async (o) => {
      const { up } = await import('./up.ts');
      process.exitCode = await up(o, terminal);
    });
  program
    .command('down')
    .description('shut guests down and end the toolstack; leaves nothing running')
    .option('--data <dir>', dataHelp, folder, defaultData())
    .option('--timeout <seconds>', 'time for each guest before it is forced', seconds, 20)
    .action(async (o) => {
      const { down } = await import('./down.ts');
      process.exitCode = await down({ data: o.data, timeoutS: o.timeout }, terminal);
    });
  program
    .command('status')
    .description('what runs; exit status 0 when the host is ready, 3 when not')
    .option('--data <dir>', dataHelp, folder, defaultData())
    .option('--json', 'for programs', false)
    .action(async (o) => {
      const { status } = await import('./status.ts');
      process.exitCode = await status(o, terminal);
    });
  program
    .command('ps')
    .description('the tree of processes: states, restarts, memory; exit status 1 when one was given up')
    .option('--data <dir>', dataHelp, folder, defaultData())
    .option('--json', 'for programs', false)
    .action(async (o) => {
      const { ps } = await import('./ps.ts');
      process.exitCode = await ps(o, terminal);
    });
  program
    .command('bugreport')
    .description('pack logs, records without secrets and versions for a report')
    .option('--data <dir>', dataHelp, folder, defaultData())
    .option('-o, --output <file>', 'a .tar.gz; named after the time by default')
    .action(async (o) => {
      const { bugreport } = await import('./bugreport.ts');
      process.exitCode = await bugreport(o, terminal);
    });
  program
    .command('db')
    .description('export, import or check the database')
    .argument('[args...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (args: string[]) => {
      const { dbCommand } = await import('./guesthouse-db.ts');
      const [out, err] = [process.stdout, process.stderr];
      process.exitCode = await dbCommand(args, { out: (t) => void out.write(t), err: (t) => void err.write(t) });
    });
  program.addCommand(boxCommand({ terminal, folder, defaultData: defaultData() }));
  return program;
}

try {
  await commands().parseAsync();
} catch (error) {
  const { code, address } = error as NodeJS.ErrnoException & { address?: string };
  if (error instanceof Refusal) terminal.say(`guesthouse: ${error.message}`);
  else if (code === 'EACCES' && address)
    terminal.say(`guesthouse: ${address}: only root and the user who started the host may use it`);
  else terminal.say(`guesthouse: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  process.exitCode = 1;
}
