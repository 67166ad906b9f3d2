/** `xe help`: made from the declarations. */
import { messageNamed } from '../../client/client.ts';
import { nearest, type Request, XeError } from './arguments.ts';
import { type Command, commands } from './commands.ts';
import { type FamilyVerb, familyCommand, verbsOf } from './family.ts';
import type { Family } from './record.ts';
import { families } from './records/index.ts';

/** Every command that `help --all` lists. */
export function allNames(): string[] {
  const generated = families.flatMap((f) => verbsOf(f).map((v) => `${f.prefix}-${v}`));
  return [...commands.filter((c) => !c.hidden).map((c) => c.name), ...generated].sort();
}

/** What a person may have meant. */
export function unknownCommand(name: string): XeError {
  const near = nearest(name, allNames());
  const hint = near.length > 0 ? `did you mean ${near.join(', ')}?` : "'xe help --all' lists them";
  return new XeError(`There is no command ${JSON.stringify(name)}; ${hint}`, [['command', name]]);
}

export function describe(command: Command): string {
  if (command.does) return command.does;
  return command.call ? messageNamed(command.call).doc : '';
}

const familyDoes: Readonly<Record<FamilyVerb, (what: string) => string>> = {
  list: (w) => `List every ${w} that fits the filters; params=all or params=A,B chooses what is shown.`,
  'param-list': (w) => `Print all fields of one ${w}.`,
  'param-get': (w) => `Print one field of a ${w}, or one key of a map with param-key=.`,
  'param-set': (w) => `Set fields of a ${w}: NAME=VALUE or MAP:KEY=VALUE.`,
  'param-add': (w) => `Add to a set (param-key=) or a map (KEY=VALUE) of a ${w}.`,
  'param-remove': (w) => `Remove a member or a key from a field of a ${w}.`,
  'param-clear': (w) => `Empty a field of a ${w}.`,
};
const familyNeeds: Readonly<Record<FamilyVerb, string>> = {
  list: '',
  'param-list': 'uuid',
  'param-get': 'uuid, param-name',
  'param-set': 'uuid',
  'param-add': 'uuid, param-name',
  'param-remove': 'uuid, param-name, param-key',
  'param-clear': 'uuid, param-name',
};

const page = (name: string, required: string, optional: string, does: string): string =>
  [
    `command name            : ${name}`,
    `        reqd params     : ${required}`,
    `        optional params : ${optional}`,
    `        description     : ${does}`,
  ].join('\n');

function familyPage(family: Family, verb: FamilyVerb): string {
  const fields = family.record.rows.filter((r) => !r.hidden).map((r) => r.name);
  const optional = verb === 'list' ? ['params', ...fields] : verb === 'param-get' ? ['param-key'] : [];
  return page(`${family.prefix}-${verb}`, familyNeeds[verb], optional.join(', '), familyDoes[verb](family.prefix));
}

const selectorText: Readonly<Record<string, string>> = {
  VM: '<vm-selectors>',
  host: '<host-selectors>',
  SR: '<sr-selectors>',
};
function commandPage(command: Command): string {
  const optional = [...command.optional, ...(command.select ? [selectorText[command.select] ?? ''] : [])];
  const state = command.absent ? ' Not available in this version.' : command.deprecated ? ' Deprecated.' : '';
  return page(command.name, command.required.join(', '), optional.join(', '), `${describe(command)}${state}`);
}

/** The page of one command. Throws `XeError` with suggestions. */
export function helpPage(name: string): string {
  const command = commands.find((c) => c.name === name);
  if (command) return commandPage(command);
  const generated = familyCommand(name);
  if (generated) return familyPage(generated.family, generated.verb);
  throw unknownCommand(name);
}

export function summary(version: string): string {
  const usage = [
    'Usage: xe COMMAND [NAME=VALUE …] [--FLAG …]',
    '',
    'Which host:  the local one, in $GUESTHOUSE_DATA or the default folder, without a password;',
    '             another:  -s HOST  -p PORT  -u USER  -pw PASSWORD | -pwf FILE',
    '                       --nossl | --fingerprint SHA256 | --insecure',
    'Output:      --minimal  values only, on one line      --json  for programs      --progress  of long work',
    'Selectors:   vm=NAME-OR-UUID, or any field: power-state=halted; --multiple for more than one',
    '',
    'More:        xe help --all      every command         xe help COMMAND      one command',
    '             xe completion bash|zsh|fish',
    '',
    `Guesthouse ${version}. Common commands:`,
  ];
  const common = commands.filter((c) => c.standard && !c.hidden && !c.absent).map((c) => c.name);
  const lists = families
    .filter((f) => ['vm', 'network', 'sr', 'template', 'host'].includes(f.prefix))
    .map((f) => `${f.prefix}-list`);
  return [...usage, wrapped([...common, ...lists].sort())].join('\n');
}

/** Names with commas, in lines of at most 78 characters. */
function wrapped(names: readonly string[]): string {
  const lines: string[] = [];
  let line = '   ';
  for (const name of names) {
    if (line.length + name.length + 2 > 78) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${name},`;
  }
  lines.push(line.replace(/,$/, ''));
  return lines.join('\n');
}

export interface HelpScreen {
  readonly request: Request;
  readonly version: string;
  print(text: string): void;
}

export function runHelp(work: HelpScreen): void {
  const { words, params, minimal } = work.request;
  if (words.length > 0) for (const word of words) work.print(`${helpPage(word)}\n`);
  else if (minimal) work.print(allNames().join(','));
  else if (params.flag('all')) for (const name of allNames()) work.print(name);
  else work.print(summary(work.version));
}
