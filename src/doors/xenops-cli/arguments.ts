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
  /** Options that cannot be left out. */
  readonly needs?: readonly string[];
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
  const absent = usage.needs?.find((name) => !options.get(name));
  if (absent !== undefined) throw new UsageError(`${command}: --${absent} ${usage.options?.[absent]} is missing`);
  if (args.length > usage.args.length) throw new UsageError(`${command}: "${args[usage.args.length]}" is one too many`);
  return { command, args, options };
}

const optionHelp: Readonly<Record<string, string>> = {
  console: 'stay at its text console; Ctrl-] leaves',
  paused: 'leave it paused',
  timeout: 'ask the guest, and fail when it has not ended after so many seconds',
  'block-device': 'an absolute path of a device or file, or sm:SR/VDI',
  compress: 'pack what is sent',
  'metadata-only': 'only the records: there is nothing else to it',
  filename: 'the file; - is the standard output (or input)',
  xm: 'as an xm/xl file',
  force: 'do not wait for the guest',
  now: 'show what there is, and end',
  socket: "xenopsd's socket; else that of the house, or /var/lib/xcp/xenopsd",
  queue: 'call over a message switch: this queue',
  'switch-path': "the switch's socket, or nats://HOST; else /var/run/message-switch/sock",
  json: 'print for programs',
  verbose: 'tell of every call (-v)',
  debug: 'tell where an error came from',
};
export function helpText(usages: Readonly<Record<string, Usage>>, command: string | undefined): string {
  const usage = command !== undefined && Object.hasOwn(usages, command) ? usages[command] : undefined;
  const optionsText = (options: Readonly<Record<string, string>>) =>
    columnsOf(
      Object.entries(options)
        .filter(([name]) => optionHelp[name] !== undefined)
        .map(([name, value]) => [value === '' ? `--${name}` : `--${name} ${value}`, optionHelp[name] ?? '']),
    );
  if (usage) {
    const all = optionsText({ ...usage.options, ...common });
    return `usage: xenops-cli ${lineOf(command ?? '', usage)}\n${usage.does}\n${all}`;
  }
  const list = columnsOf(Object.entries(usages).map(([name, u]) => [lineOf(name, u), u.does]));
  return `usage: xenops-cli [--socket PATH | --queue NAME] [--json] [-v] [--debug] COMMAND …
Adds VMs to xenopsd, and starts, stops and changes them. VM is a uuid or a name, DEVICE is VM.NAME (myvm.hda, myvm.0).
${list}Options of all commands:
${optionsText(common)}`;
}
function columnsOf(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
function lineOf(name: string, { args, options = {}, needs = [] }: Usage): string {
  const flags = Object.entries(options).map(([o, value]) => {
    const flag = value === '' ? `--${o}` : `--${o} ${value}`;
    return needs.includes(o) ? flag : `[${flag}]`;
  });
  return [name, ...args, ...flags].join(' ');
}
