/** Which host and as whom: from the command line, `XE_EXTRA_ARGS` and `~/.xe`, the first of them that says it. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A mistake in how `xe` was called, or a host that cannot be reached: printed as `xe: …`. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
}

export interface Options {
  /** Absent: the local host's socket. */
  readonly server?: string;
  readonly port?: number;
  readonly user: string;
  readonly password: string;
  readonly tls: boolean;
  /** Any certificate is taken. */
  readonly insecure: boolean;
  /** SHA-256 of the certificate that the host must have. */
  readonly fingerprint?: string;
  readonly debug: boolean;
  /** What the host gets: the command and its parameters. */
  readonly args: readonly string[];
}
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** 0 is root. */
  readonly uid: number;
  /** The content of a file; `undefined` when there is none. */
  readFile(path: string): string | undefined;
}

export const realSurroundings = (): Surroundings => ({
  env: process.env,
  uid: process.getuid?.() ?? -1,
  readFile(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new ClientError(`cannot read ${path}: ${(error as Error).message}`);
    }
  },
});

type Settings = Map<string, string>;
const withValue: Readonly<Record<string, string>> = {
  '-s': 'server',
  '-h': 'server',
  '-p': 'port',
  '-u': 'username',
  '-pw': 'password',
  '-pwf': 'passwordfile',
  '--fingerprint': 'fingerprint',
};
const alone: Readonly<Record<string, string>> = {
  '--nossl': 'nossl',
  '--insecure': 'insecure',
  '--debug': 'debug',
  '--debug-on-fail': 'debug',
};

/** Reads `args` (without the program's name). Throws `ClientError`. */
export function readOptions(args: readonly string[], around: Surroundings): Options {
  const { settings, rest } = fromCommandLine(args);
  const home = around.env.HOME ?? homedir();
  const later = [fromExtraArgs(around.env.XE_EXTRA_ARGS ?? ''), fromFile(around.readFile(join(home, '.xe')) ?? '')];
  const get = (name: string) => settings.get(name) ?? later.find((l) => l.has(name))?.get(name);
  for (const arg of rest)
    if (/[\r\n]/.test(arg))
      throw new ClientError(
        `the parameter ${JSON.stringify(arg)} contains a line break, which the protocol cannot carry`,
      );
  const flag = (name: string) => ['', 'true', '1', 'yes'].includes(get(name) ?? 'false');
  return {
    server: get('server'),
    port: portOf(get('port')),
    user: get('username') ?? '',
    password: get('password') ?? passwordFrom(get('passwordfile'), around) ?? '',
    tls: !flag('nossl'),
    insecure: flag('insecure'),
    fingerprint: get('fingerprint'),
    debug: flag('debug'),
    args: rest,
  };
}

function fromCommandLine(args: readonly string[]): { settings: Settings; rest: string[] } {
  const settings: Settings = new Map();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const name = withValue[arg];
    // `-h` by itself asks for help
    if (name !== undefined && !(arg === '-h' && args.length === 1)) {
      const value = args[++i];
      if (value === undefined) throw new ClientError(`${arg} needs a value`);
      settings.set(name, value);
    } else if (alone[arg] !== undefined) settings.set(alone[arg], 'true');
    else rest.push(arg);
  }
  return { settings, rest };
}

/** `server=a,port=443`; a backslash takes the meaning from what follows. */
function fromExtraArgs(text: string): Settings {
  const parts = text.match(/(?:\\.|[^,\\])+/gs) ?? [];
  return pairs(parts.map((p) => p.replaceAll(/\\(.)/gs, '$1')));
}
/** A `name=value` a line; `#` begins a comment. */
const fromFile = (text: string): Settings => pairs(text.split('\n').filter((l) => !/^\s*(#|$)/.test(l)));

function pairs(lines: readonly string[]): Settings {
  const settings: Settings = new Map();
  for (const line of lines) {
    const at = line.indexOf('=');
    const name = (at < 0 ? line : line.slice(0, at)).trim();
    settings.set(name === 'password-file' ? 'passwordfile' : name, at < 0 ? 'true' : line.slice(at + 1).trim());
  }
  return settings;
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new ClientError(`the port is ${JSON.stringify(text)}; it must be a number from 1 to 65535`);
}

function passwordFrom(file: string | undefined, around: Surroundings): string | undefined {
  if (file === undefined) return undefined;
  const text = around.readFile(file);
  if (text === undefined) throw new ClientError(`the password file ${file} does not exist`);
  return text.split(/\r?\n/)[0];
}

/** The folder of the local host's state, as `guesthouse up` chooses it. */
export function dataDir(around: Surroundings): string {
  const { env } = around;
  if (env.GUESTHOUSE_DATA) return env.GUESTHOUSE_DATA;
  if (around.uid === 0) return '/var/lib/guesthouse';
  return join(env.XDG_DATA_HOME || join(env.HOME ?? homedir(), '.local', 'share'), 'guesthouse');
}
export const localSocket = (around: Surroundings): string => join(dataDir(around), 'run', 'xapi.sock');
/** Certificates that were accepted: a `HOST:PORT SHA256` a line. */
export const knownHosts = (around: Surroundings): string =>
  join(around.env.XDG_CONFIG_HOME || join(around.env.HOME ?? homedir(), '.config'), 'guesthouse', 'known-hosts');
