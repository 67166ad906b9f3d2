/** The command line: a command, what it works on, and its options, by one table that the help is made of too. */

export class UsageError extends Error {
  override readonly name = 'UsageError';
}
export interface Usage {
  /** Names of what it works on; `[X]` may be left out. */
  readonly args: readonly string[];
  /** Option → what its value is; '' for one without. */
  readonly options?: Readonly<Record<string, string>>;
  readonly does: string;
}
export interface Invocation {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}
const common: Readonly<Record<string, string>> = {
  socket: 'PATH',
  queue: 'NAME',
  'switch-path': 'PATH',
  debug: '',
  verbose: '',
  json: '',
  help: '',
};
const short: Readonly<Record<string, string>> = { '-v': '--verbose', '-h': '--help' };

/** Throws `UsageError`. Without a command: `help`. */
export function readArguments(usages: Readonly<Record<string, Usage>>, argv: readonly string[]): Invocation {
  const words: string[] = [];
  const options = new Map<string, string>();
  const values = Object.assign({}, common, ...Object.values(usages).map((u) => u.options ?? {})) as Record<
    string,
    string
  >;
  for (let i = 0; i < argv.length; i++) {
    const word = short[argv[i] ?? ''] ?? argv[i] ?? '';
    if (!word.startsWith('--') || word === '--') {
      if (word !== '--') words.push(word);
      continue;
    }
    const [, name = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (!Object.hasOwn(values, name)) throw new UsageError(`there is no option --${name}`);
    if (values[name] === '') {
      if (value !== undefined) throw new UsageError(`--${name} takes no value`);
      options.set(name, '');
    } else {
      const given = value ?? argv[++i];
      if (given === undefined) throw new UsageError(`--${name}: ${values[name]} is missing`);
      options.set(name, given);
    }
  }
  const [command = 'help', ...args] = words;
  if (command === 'help' || options.has('help'))
    return { command: 'help', args: command === 'help' ? args : [command], options };
  const usage = Object.hasOwn(usages, command) ? usages[command] : undefined;
  if (!usage) throw new UsageError(`there is no command "${command}"`);
  for (const name of options.keys())
    if (!Object.hasOwn(common, name) && !Object.hasOwn(usage.options ?? {}, name))
      throw new UsageError(`${command} has no option --${name}`);
  const least = usage.args.filter((a) => !a.startsWith('[')).length;
  if (args.length < least) throw new UsageError(`${command}: ${usage.args[args.length]} is missing`);
  if (args.length > usage.args.length) throw new UsageError(`${command}: "${args[usage.args.length]}" is one too many`);
  return { command, args, options };
}

export function helpText(usages: Readonly<Record<string, Usage>>, command: string | undefined): string {
  const usage = command !== undefined && Object.hasOwn(usages, command) ? usages[command] : undefined;
  if (usage) return `usage: xenops-cli ${lineOf(command ?? '', usage)}\n${usage.does}\n`;
  const rows = Object.entries(usages).map(([name, u]) => [lineOf(name, u), u.does] as const);
  const list = rows.map(([line, does]) => `  ${line.padEnd(46)} ${does}\n`).join('');
  return `usage: xenops-cli [--socket PATH | --queue NAME] [--json] [-v] [--debug] COMMAND …
Adds VMs to xenopsd, and starts, stops and changes them. VM is a uuid or a name, DEVICE is VM.NAME (myvm.hda, myvm.0).
${list}`;
}
function lineOf(name: string, { args, options = {} }: Usage): string {
  const flags = Object.entries(options).map(([o, value]) => (value === '' ? `[--${o}]` : `[--${o} ${value}]`));
  return [name, ...args, ...flags].join(' ');
}
