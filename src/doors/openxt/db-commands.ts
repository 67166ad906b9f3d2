/** The commands that look into OpenXT's database and change it: `db-read`, `db-write`, `db-ls` and their kin. */
import type { BusConnection } from '../../bus/connection.ts';

/** What a command says and how it ends. Bytes are written as they are, lines with their newline. */
export interface DbIo {
  readonly bus: BusConnection;
  line(text: string): void;
  bytes(content: Uint8Array): void;
  /** What is on standard input. */
  input(): string;
}
/** A command that cannot do what it was told: the text goes to standard error, the status is 1. */
export class DbRefusal extends Error {
  override readonly name = 'DbRefusal';
}
export const usage = 'Usage: db-cmd <cmd> <parameters>';

const service = 'com.citrix.xenclient.db';
/** Some calls answer much: a whole tree, a file. */
const timeoutMs = 120_000;

async function ask(io: DbIo, member: string, ...args: readonly string[]): Promise<unknown> {
  const to = { destination: service, path: '/', interface: service, timeoutMs };
  const [answer] = await io.bus.call({ ...to, member, signature: 's'.repeat(args.length), args });
  return answer;
}
const isRoot = (path: string) => /^\/*$/.test(path);

interface Command {
  /** How many parameters it takes. */
  readonly takes: readonly number[];
  run(io: DbIo, args: readonly string[]): Promise<void>;
}
/** By the names behind `db-`. */
export const commands: Readonly<Record<string, Command>> = {
  read: { takes: [1], run: async (io, [path = '']) => io.line(String(await ask(io, 'read', path))) },
  write: {
    takes: [2],
    async run(io, [path = '', value = '']) {
      if (isRoot(path) || /^\/*vm\/*$/.test(path)) throw new DbRefusal('Nope, not doing that.');
      await ask(io, 'write', path, value);
    },
  },
  ls: {
    takes: [0, 1, 2],
    async run(io, args) {
      const full = args[0] === '-f';
      const [path = '/', ...more] = full ? args.slice(1) : args;
      if (more.length > 0) throw new DbRefusal(usage);
      await show(io, path.replace(/\/+$/, ''), '', full);
    },
  },
  nodes: { takes: [1], run: async (io, [path = '']) => io.line(((await ask(io, 'list', path)) as string[]).join(' ')) },
  exists: { takes: [1], run: async (io, [path = '']) => io.line(String(await ask(io, 'exists', path))) },
  rm: {
    takes: [1],
    async run(io, [path = '']) {
      if (isRoot(path)) throw new DbRefusal('bad path');
      await ask(io, 'rm', path);
    },
  },
  dump: { takes: [0, 1], run: async (io, [path = '/']) => io.line(String(await ask(io, 'dump', path))) },
  inject: {
    takes: [1, 2],
    /** The JSON is the second parameter, or what is on standard input. */
    run: async (io, [path = '', value]) => void (await ask(io, 'inject', path, value ?? io.input())),
  },
  cat: { takes: [1], run: async (io, [path = '']) => io.bytes((await ask(io, 'read_binary', path)) as Uint8Array) },
};

/** Every node below `path`, a line each: deeper ones further in, or with their whole paths. */
async function show(io: DbIo, path: string, indent: string, full: boolean): Promise<void> {
  for (const name of (await ask(io, 'list', path === '' ? '/' : path)) as string[]) {
    const at = `${path}/${name}`;
    const begin = full ? at : `${indent}${name}`;
    const inner = ((await ask(io, 'list', at)) as string[]).length > 0;
    if (inner) {
      io.line(`${begin} =`);
      await show(io, at, `${indent} `, full);
    } else io.line(`${begin} = "${await ask(io, 'read', at)}"`);
  }
}

/** Runs `db-NAME ARGS`. DbRefusal for what is no command, or has too few or too many parameters. */
export async function runDbCommand(name: string, args: readonly string[], io: () => Promise<DbIo>): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command?.takes.includes(args.length)) throw new DbRefusal(usage);
  await command.run(await io(), args);
}
