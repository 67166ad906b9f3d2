/** The command lines of `xec` and `xec-vm`: options come before the first word that is none. */

export interface XecOptions {
  readonly service: string;
  readonly object: string;
  /** Undefined: the first interface that has the member. */
  readonly interface: string | undefined;
  readonly bus: 'system' | 'session' | { readonly address: string };
  readonly quiet: boolean;
  readonly help: boolean;
  readonly work: Work;
}
export type Work =
  | { readonly kind: 'show' | 'list-interfaces' | 'list-methods' | 'list-properties' | 'getall' }
  | { readonly kind: 'list-disks' | 'list-nics' | 'table' }
  | { readonly kind: 'get'; readonly property: string }
  | { readonly kind: 'set'; readonly property: string; readonly value: string }
  | { readonly kind: 'call'; readonly method: string; readonly args: readonly string[] };
/** Which VM `xec-vm` is about, and which of its devices. */
export interface VmSelection {
  readonly by: 'name' | 'uuid' | 'domid' | 'path';
  readonly value: string;
  readonly device: { readonly kind: 'disk' | 'nic'; readonly id: string } | undefined;
}
/** What was typed cannot be meant: the text and the usage are shown. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Options that take a word, by all their spellings. */
const valued: Readonly<Record<string, string>> = {
  '-s': 'service',
  '--service': 'service',
  '-o': 'object',
  '--object': 'object',
  '-i': 'interface',
  '--interface': 'interface',
  '-g': 'get',
  '--get': 'get',
  '-x': 'set',
  '--set': 'set',
  '-t': 'target',
  '--target-domid': 'target',
  '--bus': 'bus',
};
/** Those of `xec-vm` besides; `-o` and `--object` say its path. */
const valuedOfVm: Readonly<Record<string, string>> = {
  '-n': 'name',
  '--name': 'name',
  '-u': 'uuid',
  '--uuid': 'uuid',
  '-d': 'domid',
  '--domid': 'domid',
  '-o': 'path',
  '--path': 'path',
  '--object': 'path',
  '-k': 'disk',
  '--disk': 'disk',
  '-c': 'nic',
  '--nic': 'nic',
};
const flags: Readonly<Record<string, string>> = {
  '--session': 'session',
  '--list-interfaces': 'list-interfaces',
  '--list-methods': 'list-methods',
  '--list-properties': 'list-properties',
  '-q': 'quiet',
  '--query': 'quiet',
  '-h': 'help',
  '--help': 'help',
};
const flagsOfVm: Readonly<Record<string, string>> = { '--list-disks': 'list-disks', '--list-nics': 'list-nics' };
const lists = ['list-interfaces', 'list-methods', 'list-properties', 'list-disks', 'list-nics'] as const;

interface Read {
  readonly said: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}
function read(
  argv: readonly string[],
  valuedOptions: Readonly<Record<string, string>>,
  flagOptions: Readonly<Record<string, string>>,
): Read {
  const said = new Map<string, string>();
  let i = 0;
  for (; argv[i]?.startsWith('-') && argv[i] !== '--'; i++) {
    const [option = '', ...glued] = (argv[i] as string).startsWith('--')
      ? (argv[i] as string).split(/=(.*)/s)
      : [argv[i]];
    if (Object.hasOwn(flagOptions, option)) said.set(flagOptions[option] as string, '');
    else if (Object.hasOwn(valuedOptions, option)) {
      const value = glued.length > 0 ? glued[0] : argv[++i];
      if (value === undefined) throw new UsageError(`${option}: its value is missing`);
      said.set(valuedOptions[option] as string, value);
    } else throw new UsageError(`there is no option ${option}`);
  }
  return { said, rest: argv.slice(argv[i] === '--' ? i + 1 : i) };
}

const xenmgr = 'com.citrix.xenclient.xenmgr';
export function parseXec(argv: readonly string[]): XecOptions {
  const { said, rest } = read(argv, valued, flags);
  return { ...common(said), work: workOf(said, rest, 'show') };
}
export function parseXecVm(argv: readonly string[]): {
  readonly xec: XecOptions;
  readonly vm: VmSelection | undefined;
} {
  const { said, rest } = read(argv, { ...valued, ...valuedOfVm }, { ...flags, ...flagsOfVm });
  const chosen = (['name', 'uuid', 'domid', 'path'] as const).filter((by) => said.has(by));
  const [by, second] = chosen;
  if (second) throw new UsageError(`a VM is chosen once, not by ${by} and by ${second}`);
  const work = workOf(said, rest, by ? 'show' : 'table');
  if (!by && work.kind !== 'table' && !said.has('help'))
    throw new UsageError('of which VM? -n NAME, -u UUID, -d DOMID or -o PATH');
  const kind: 'disk' | 'nic' | undefined = said.has('disk') ? 'disk' : said.has('nic') ? 'nic' : undefined;
  const id = kind && (said.get(kind) as string);
  if (id !== undefined && !/^[0-9]{1,9}$/.test(id)) throw new UsageError(`--${kind} ${id}: a number is wanted`);
  const device = kind && id !== undefined ? { kind, id } : undefined;
  return { xec: { ...common(said), work }, vm: by && { by, value: said.get(by) as string, device } } as const;
}
function common(said: ReadonlyMap<string, string>): Omit<XecOptions, 'work'> {
  const target = said.get('target');
  if (target !== undefined)
    throw new UsageError(
      `-t ${target}: buses of other domains are reached over argo, which this host does not have; --bus ADDRESS names any bus`,
    );
  const address = said.get('bus');
  return {
    service: said.get('service') ?? xenmgr,
    object: said.get('object') ?? '/',
    interface: said.get('interface'),
    bus: address !== undefined ? { address } : said.has('session') ? 'session' : 'system',
    quiet: said.has('quiet'),
    help: said.has('help'),
  };
}
function workOf(said: ReadonlyMap<string, string>, rest: readonly string[], nothing: 'show' | 'table'): Work {
  const [first, ...more] = rest;
  const list = lists.find((each) => said.has(each));
  if (list) return { kind: list };
  const get = said.get('get');
  if (get !== undefined) return { kind: 'get', property: get };
  const set = said.get('set');
  if (set !== undefined) return { kind: 'set', property: set, value: single(`-x ${set}`, rest) };
  if (first === undefined) return { kind: nothing };
  if (first === 'getall' && more.length === 0) return { kind: 'getall' };
  if (first === 'get') return { kind: 'get', property: single('get', more) };
  if (first === 'set') return { kind: 'set', property: more[0] ?? '', value: single('set PROPERTY', more.slice(1)) };
  return { kind: 'call', method: first.replaceAll('-', '_'), args: more };
}
function single(what: string, words: readonly string[]): string {
  const [word, second] = words;
  if (word === undefined || second !== undefined)
    throw new UsageError(`${what}: one word is wanted after it, there are ${words.length}`);
  return word;
}
