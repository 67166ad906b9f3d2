/**
 * The supervisor's configuration: groups and children declared in a file of sections.
 *
 *     [group storage]                 [child switch]
 *     strategy = rest-for-one         command = /usr/bin/message-switch --path /run/switch.sock
 *     restarts = 5 in 60 s            group = storage
 *                                     ready = socket /run/switch.sock
 *
 * `#` begins a line of comment. Words with spaces stand in double quotes. A mistake is `FILE:LINE:COLUMN: key: why`.
 */
import type { ProcessGroup, ProcessSpec } from '../contracts/processes.ts';
import { childKeys, groupKeys, type Key, limitKeys } from './config-keys.ts';
import { ConfigError, Setting } from './config-setting.ts';

export interface Declared {
  /** Each below the one above it. */
  readonly groups: readonly ProcessGroup[];
  readonly children: readonly ProcessSpec[];
}
interface Section {
  readonly kind: 'group' | 'child';
  readonly name: Setting;
  readonly settings: Map<string, Setting>;
}

/** `logOf`: where a child's output goes that names no file. Throws `ConfigError`. */
export function parseConfig(file: string, text: string, logOf: (id: string) => string): Declared {
  const sections = readSections(file, text);
  const groups = new Map<string, ProcessGroup>();
  const children = new Map<string, ProcessSpec>();
  for (const section of sections) {
    const { name } = section;
    if (section.kind === 'group') {
      if (groups.has(name.text)) name.fail(`there is a group ${name.text} already`);
      const usual = { strategy: 'one-for-one', restarts: 5, withinMs: 60_000 } as const;
      groups.set(name.text, { id: name.text, ...usual, ...take(section, groupKeys) });
      const parent = section.settings.get('parent');
      if (parent && (parent.text === name.text || !groups.has(parent.text)))
        parent.fail(`there is no group ${parent.text} above this one`);
    } else {
      if (children.has(name.text)) name.fail(`there is a child ${name.text} already`);
      const spec = { id: name.text, command: [], log: logOf(name.text), restart: 'permanent' as const };
      children.set(name.text, { ...spec, ...takeChild(section) });
      if (!section.settings.has('command')) name.fail('it has no command');
    }
  }
  for (const section of sections) if (section.kind === 'child') checkNames(section, groups, children);
  return { groups: [...groups.values()], children: [...children.values()] };
}

function takeChild({ settings, ...section }: Section): Partial<ProcessSpec> {
  const isLimit = ([key]: readonly [string, Setting]) => Object.hasOwn(limitKeys, key);
  const limits = take({ ...section, settings: new Map([...settings].filter(isLimit)) }, limitKeys);
  const rest = take({ ...section, settings: new Map([...settings].filter((each) => !isLimit(each))) }, childKeys);
  return { ...rest, ...(Object.keys(limits).length === 0 ? {} : { limits }) };
}
function take<T>({ settings }: Section, keys: Readonly<Record<string, Key<T>>>): Partial<T> {
  let all: Partial<T> = {};
  for (const [key, setting] of settings) {
    const read = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (!read) setting.failAtKey(`there is no such key; there are ${Object.keys(keys).join(', ')}`);
    else all = { ...all, ...read(setting) };
  }
  return all;
}

/** The group exists; those that it waits for exist and do not wait for it. */
function checkNames(
  { name, settings }: Section,
  groups: ReadonlyMap<string, ProcessGroup>,
  children: ReadonlyMap<string, ProcessSpec>,
): void {
  const group = settings.get('group');
  if (group && !groups.has(group.text)) group.fail(`there is no group ${group.text}`);
  const after = settings.get('after');
  for (const word of after?.words() ?? []) {
    if (!children.has(word.text)) word.fail(`there is no child ${word.text}`);
    if (waitsFor(word.text, name.text, children)) word.fail(`${word.text} waits for ${name.text} itself`);
  }
}
function waitsFor(id: string, wanted: string, children: ReadonlyMap<string, ProcessSpec>): boolean {
  const seen = new Set<string>();
  const left = [id];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (at === wanted) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    left.push(...(children.get(at)?.after ?? []));
  }
  return false;
}

const mostBytes = 1024 * 1024;

function readSections(file: string, text: string): Section[] {
  if (text.length > mostBytes) throw new ConfigError(`${file}:1:1: file: it is longer than ${mostBytes} characters`);
  const sections: Section[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const at = (key: string, value: string, column: number, keyColumn = column) =>
      new Setting({ file, line: i + 1, column, keyColumn, key, text: value });
    const start = line.search(/\S/);
    if (start < 0 || line[start] === '#') continue;
    const heading = /^\s*\[(group|child)\s+([^\]\s]+)\s*\]\s*$/.exec(line);
    if (heading) {
      const [, kind, name = ''] = heading;
      const setting = at(kind!, name, line.lastIndexOf(name, line.lastIndexOf(']')) + 1);
      sections.push({ kind: kind as Section['kind'], name: setting, settings: new Map() });
      continue;
    }
    const parts = /^(\s*)([\w-]+)(\s*=\s*)(.*?)\s*$/.exec(line);
    const whole = at('line', line.trim(), start + 1);
    if (!parts) whole.fail('[group NAME], [child NAME] or KEY = VALUE is expected');
    const [, indent = '', key = '', equals = '', value = ''] = parts ?? [];
    const column = indent.length + key.length + equals.length + 1;
    const setting = at(key, value, column, start + 1);
    const section = sections.at(-1) ?? whole.fail('it stands before the first [group NAME] or [child NAME]');
    if (section.settings.has(key)) setting.failAtKey('it is there already');
    if (value === '') setting.fail('a value is expected');
    section.settings.set(key, setting);
  }
  return sections;
}
