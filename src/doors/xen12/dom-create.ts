/**
 * `xc_dom_create`: makes a domain from a settings file and starts it.
 *
 *     options ─▶ settings file ─▶ overrides ─▶ printed ─▶ (-n: end) ─▶ added ─▶ started ─▶ "VM started in domain N"
 *                                                            └── refused by the domain manager: nothing is left
 */
import { parseArgs } from 'node:util';
import { endedBefore, savedTo } from './acts.ts';
import { addOffset, sameSubnet } from './addresses.ts';
import { commandLine, describeDomain, note } from './describe.ts';
import type { Tools } from './io.ts';
import { Module, Raised, SettingsFailure, type Value } from './python/index.ts';
import { Native } from './python/values.ts';
import { type DomainSettings, isYes, type Overrides, parseDisk, readSettings } from './settings.ts';

const defaultFile = '/etc/xc/defaults';
const usage = `Usage: xc_dom_create [options]
  -f FILE        settings file (${defaultFile}; FILE itself, else /etc/xc/FILE)
  -D a=b[;c=d]   define variables before the file is carried out; may be repeated
  -L FILE        restore the domain from a state that was saved, instead of building it
  -n             dry run: only show the settings
  -q             say nothing
  -k IMAGE -r RAMDISK -b linux|netbsd -m MB -N NAME -a yes|no -e 0|1|2
  -d udisk,dev,mode[;...]   block devices; may be repeated
  -i ADDRESS                address of the domain; may be repeated
  -I IP -R ROOT -E EXTRA    parts of the kernel's command line
`;
const option = (short: string) => ({ type: 'string', short }) as const;
const many = (short: string) => ({ type: 'string', short, multiple: true }) as const;
const options = {
  help: { type: 'boolean', short: 'h', default: false },
  usage: { type: 'boolean', short: '?', default: false },
  dry: { type: 'boolean', short: 'n', default: false },
  quiet: { type: 'boolean', short: 'q', default: false },
  ...{ file: option('f'), restore: option('L'), image: option('k'), ramdisk: option('r'), builder: option('b') },
  ...{ memory: option('m'), name: option('N'), restart: option('a'), expert: option('e') },
  ...{ ip: option('I'), root: option('R'), extra: option('E') },
  ...{ define: many('D'), disk: many('d'), address: many('i') },
} as const;

/** Answers the exit status. */
export async function domCreate(args: readonly string[], t: Tools): Promise<number> {
  let values: ReturnType<typeof parse>;
  let overrides: Overrides;
  try {
    values = parse(args);
    overrides = overridesOf(values);
  } catch (error) {
    t.err(`${(error as Error).message}\n${usage}`);
    return 1;
  }
  const file = findFile(values.file ?? defaultFile, t);
  if (file === undefined) {
    t.err(`Failed to open config file '${values.file ?? defaultFile}': it is not there, nor in /etc/xc\n${usage}`);
    return 1;
  }
  const say = values.quiet ? () => undefined : t.out;
  say(`Parsing config file '${file}'\n`);
  const from = { file, text: t.read(file) ?? '', variables: variablesOf(values.define), out: t.out, err: t.err };
  let settings: DomainSettings;
  try {
    settings = readSettings({ ...from, modules: modules() }, overrides);
  } catch (error) {
    if (!(error instanceof SettingsFailure)) throw error;
    t.err(`${error.message}\n${usage}`);
    error.settings?.call('config_usage');
    return 1;
  }
  if (values.help || values.usage) {
    t.out(usage);
    return 1;
  }
  say(shown(settings));
  return values.dry ? 1 : create(settings, values.restore, t, say);
}
async function create(
  s: DomainSettings,
  state: string | undefined,
  t: Tools,
  say: (text: string) => void,
): Promise<number> {
  for (const [what, path] of [
    ['image', s.image],
    ['ramdisk', s.ramdisk],
  ] as const) {
    if (path !== '' && !t.exists(path)) {
      t.err(`${what} file '${path}' does not exist\n`);
      return 1;
    }
  }
  try {
    const { capabilities } = await t.xenops.host.stat({});
    const known =
      state === undefined ? await endedBefore(t.xenops, s.name, note) : (await savedTo(t.xenops, state)).spec.id;
    const spec = await describeDomain(s, {
      id: known ?? t.uuid(),
      capabilities,
      bridge: t.bridge,
      virtualDisk: t.virtualDisk,
    });
    const id = state === undefined ? await t.xenops.vm.add(spec) : (known as string);
    try {
      if (state === undefined) await t.xenops.vm.start({ id, paused: false });
      else await t.xenops.vm.resume({ id, paused: false });
    } catch (error) {
      if (!known) await t.xenops.vm.remove({ id }).catch(() => undefined); // what went wrong is told below
      throw error;
    }
    const { domid } = (await t.xenops.vm.stat({ id })).state;
    say(`VM started in domain ${domid}\n`);
    return 0;
  } catch (error) {
    t.err(`${state === undefined ? 'Error creating domain' : 'Error restoring domain'}: ${(error as Error).message}\n`);
    return 1;
  }
}
function shown(s: DomainSettings): string {
  const disks = s.disks.map((d) => `${d.uname},${d.dev},${d.mode}`).join('; ');
  return [
    `VM image           : "${s.image}"`,
    `VM ramdisk         : "${s.ramdisk}"`,
    `VM memory (MB)     : "${s.memoryMib}"`,
    `VM IP address(es)  : "${s.addresses.join('; ')}"`,
    `VM block device(s) : "${disks}"`,
    `VM cmdline         : "${commandLine(s)}"`,
    '',
  ].join('\n');
}

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options }).values;
type Values = ReturnType<typeof parse>;
function findFile(name: string, t: Tools): string | undefined {
  return [name, `/etc/xc/${name}`].find((path) => t.read(path) !== undefined);
}
function variablesOf(defined: readonly string[] | undefined): Record<string, string> {
  const pairs = (defined ?? []).flatMap((d) => d.split(';')).filter((p) => p.includes('='));
  return Object.fromEntries(pairs.map((p) => [p.slice(0, p.indexOf('=')).trim(), p.slice(p.indexOf('=') + 1)]));
}
/** Throws a sentence. */
function overridesOf(v: Values): Overrides {
  const number = (text: string | undefined, name: string): number | undefined => {
    if (text === undefined) return undefined;
    if (!/^\d{1,9}$/.test(text)) throw new Error(`-${name}: ${text} is no number`);
    return Number(text);
  };
  const memoryMib = number(v.memory, 'm');
  const expert = number(v.expert, 'e') as Overrides['expert'];
  const disks = v.disk
    ?.flatMap((d) => d.split(';'))
    .map((d) => {
      const disk = parseDisk(d);
      if (!disk) throw new Error(`Invalid block device specification : ${d} (udisk,dev,mode is expected)`);
      return disk;
    });
  const given = {
    image: v.image,
    ramdisk: v.ramdisk,
    builder: v.builder as Overrides['builder'],
    memoryMib,
    name: v.name,
    autoRestart: v.restart === undefined ? undefined : isYes(v.restart),
    expert,
    disks,
    addresses: v.address,
    cmdlineIp: v.ip,
    cmdlineRoot: v.root,
    cmdlineExtra: v.extra,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Overrides;
}
/** What settings files may use of XenoUtil. */
function modules(): Module[] {
  const texts = (name: string, f: (a: readonly string[]) => Value) =>
    new Native(name, ({ all }) => {
      try {
        return f(all.map(String));
      } catch (error) {
        throw new Raised('ValueError', (error as Error).message);
      }
    });
  const members = {
    add_offset_to_ip: texts('add_offset_to_ip', ([ip = '', n = '']) => addOffset(ip, Number(n))),
    check_subnet: texts('check_subnet', ([ip = '', net = '', mask = '']) => sameSubnet(ip, net, mask)),
    // Which addresses the host has is not a settings file's business any more: guests are behind the bridge.
    get_current_ipaddr: texts('get_current_ipaddr', () => null),
    get_current_ipmask: texts('get_current_ipmask', () => null),
    get_current_ipgw: texts('get_current_ipgw', () => null),
  };
  return [
    new Module('XenoUtil', members),
    new Module('Xc', {}),
    new Module('os', {}),
    new Module('time', {}),
    new Module('socket', {}),
  ];
}
