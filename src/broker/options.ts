/** The command line of `rpc-broker`: rpc-proxy's options, rpc-broker's where they do not collide, and our own. */
import { parseArgs } from 'node:util';
import { type Channel, parseChannel } from './channel.ts';
import { type Limits, usualLimits } from './limits.ts';

export const usage = `usage: rpc-broker [OPTIONS]
       rpc-broker --check FILE…
       rpc-broker [-r FILE] --explain KEY=VALUE…

Lets guests talk to the message bus as far as rules allow; in the foreground, until SIGTERM. SIGHUP reads all rules again.

  -i, -l, --incoming-channel, --listen-channel CHANNEL   where guests come in; may be given several times:
                         unix:PATH,domid=N or tcp:PORT,domid=N (loopback), then ,uuid=UUID and ,stubdom=true|false
  -d, --incoming-domid N the domain of channels that do not say
  -o, -f, --outgoing-channel, --forward-channel unix:PATH, or -b, --bus-name ADDRESS|system|session   the bus (system)
  -r, --rules, -p, --policy-file FILE   the rules (/etc/rpc-proxy.rules, or /etc/rpc-broker.rules)
  -n, --request-name NAME  whatever name a guest asks for, it gets this one; $UUID in it is the guest's
  --owner-name           who asks for the owner of a name is told the name again
  -u, --uuid             tells a guest its uuid while it authenticates
  -w, --no-firewall      lets everything through
  --strict               a call without an interface meets no allow rule that names one
  --vm-facts bus|none    rules and properties of VMs: from database and manager on the bus (bus), or there are none
  --xenstore SOCKET|none who a domain is (/run/xenstored/socket, where it is there)
  --auth-domid           tells the bus the guest's domid (AUTH DOMID), which takes a bus that knows it
  --limit NAME=N         ${Object.entries(usualLimits)
    .map(([name, n]) => `${name}=${n}`)
    .join(' ')}
  -v, --verbose          logs what is allowed too
  --check                reads the files, tells every mistake as FILE:LINE:COLUMN: key: why, and ends
  --explain              tells which rule decides a message: type, direction, destination, interface, member, sender, arg0, domid,
                         uuid, stubdom, property.NAME, and vm-rule (a rule of the VM's own; may be given several times)
  -h, --help             this text

-s (--server) and --translate-anonymous-dests are always in force.
`;
const flags = [
  'owner-name',
  'uuid',
  'no-firewall',
  'strict',
  'auth-domid',
  'verbose',
  'server',
  'check',
  'explain',
  'help',
  'translate-anonymous-dests',
] as const;
const shorts: Readonly<Record<string, string>> = {
  uuid: 'u',
  'no-firewall': 'w',
  verbose: 'v',
  server: 's',
  help: 'h',
};
/** Options that are written in several ways. */
const channelOptions = ['incoming-channel', 'listen-channel'] as const;
const rulesOptions = ['rules', 'policy-file'] as const;
const busOptions = ['outgoing-channel', 'forward-channel', 'bus-name'] as const;

export interface BrokerOptions {
  readonly channels: readonly Channel[];
  /** A bus address; undefined: the system's. */
  readonly bus: string | 'session' | undefined;
  /** Undefined: the first of the usual files that is there. */
  readonly rules: string | undefined;
  readonly requestName: string | undefined;
  readonly vmFacts: boolean;
  /** Undefined: the usual socket, where it is there; null: none. */
  readonly xenstore: string | null | undefined;
  readonly limits: Limits;
  readonly on: Readonly<Record<(typeof flags)[number], boolean>>;
  /** What is no option: files of `--check`, keys of `--explain`. */
  readonly rest: readonly string[];
}

/** Throws what is wrong with the arguments. */
export function parseOptions(argv: readonly string[]): BrokerOptions {
  const text = (short?: string) => ({ type: 'string', multiple: true, ...(short ? { short } : {}) }) as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      'incoming-channel': text('i'),
      'listen-channel': text('l'),
      'incoming-domid': text('d'),
      'outgoing-channel': text('o'),
      'forward-channel': text('f'),
      'bus-name': text('b'),
      rules: text('r'),
      'policy-file': text('p'),
      'request-name': text('n'),
      'vm-facts': text(),
      xenstore: text(),
      limit: text(),
      ...Object.fromEntries(
        flags.map((name) => [name, { type: 'boolean', ...(shorts[name] ? { short: shorts[name] } : {}) }] as const),
      ),
    },
  });
  const given = values as Readonly<Record<string, readonly string[] | boolean | undefined>>;
  const all = (names: readonly string[]) =>
    names.flatMap((name) => (given[name] as readonly string[] | undefined) ?? []);
  const domid = all(['incoming-domid']).at(-1);
  const on = Object.fromEntries(flags.map((name) => [name, given[name] === true])) as BrokerOptions['on'];
  if (positionals.length > 0 && !on.check && !on.explain) throw new Error(`${positionals[0]}: it belongs to no option`);
  const xenstore = all(['xenstore']).at(-1);
  return {
    channels: all(channelOptions).map((channel) =>
      parseChannel(channel, domid === undefined ? undefined : Number(domid)),
    ),
    bus: busOf(all(busOptions).at(-1)),
    rules: all(rulesOptions).at(-1),
    requestName: all(['request-name']).at(-1),
    vmFacts: oneOf('vm-facts', all(['vm-facts']).at(-1) ?? 'bus', ['bus', 'none']) === 'bus',
    xenstore: xenstore === 'none' ? null : xenstore,
    limits: limitsOf(all(['limit'])),
    on,
    rest: positionals,
  };
}
function busOf(text: string | undefined): string | undefined {
  if (text === undefined || text === 'system') return undefined;
  if (text === 'session') return text;
  if (/^(unix|tcp):[a-z]+=/.test(text)) return text;
  const [, path] = /^unix:(.+)$/.exec(text) ?? [];
  if (path === undefined)
    throw new Error(`the bus ${text}: it is none of system, session, unix:PATH or an address of D-Bus`);
  return `unix:path=${encodeURI(path).replaceAll(',', '%2c')}`;
}
function oneOf(name: string, value: string, allowed: readonly string[]): string {
  if (!allowed.includes(value)) throw new Error(`--${name} ${value}: it is one of ${allowed.join(', ')}`);
  return value;
}
function limitsOf(texts: readonly string[]): Limits {
  const changed: Record<string, number> = {};
  for (const text of texts) {
    const [, name = '', n] = /^([A-Za-z]+)=([0-9]{1,9})$/.exec(text) ?? [];
    if (!Object.hasOwn(usualLimits, name) || Number(n) === 0)
      throw new Error(
        `--limit ${text}: NAME=N is wanted, N of 1 or more, NAME one of ${Object.keys(usualLimits).join(', ')}`,
      );
    changed[name] = Number(n);
  }
  return { ...usualLimits, ...changed };
}
