/** The commands that look into OpenXT's database and change it: `db-read`, `db-write`, `db-ls` and their kin. */
import { ComCitrixXenclientDbClient } from '../../bus/generated/db-client.ts';
import { type BusCalls, withTimeout } from '../../bus/interface.ts';

/** What a command says and how it ends. Bytes are written as they are, lines with their newline. */
export interface DbIo {
  readonly db: ComCitrixXenclientDbClient;
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
/** The database on a bus. */
export const databaseOn = (bus: BusCalls): ComCitrixXenclientDbClient =>
  new ComCitrixXenclientDbClient(withTimeout(bus, timeoutMs), service, '/');
const isRoot = (path: string) => /^\/*$/.test(path);

interface Command {
  /** How many parameters it takes. */
  readonly takes: readonly number[];
  run(io: DbIo, args: readonly string[]): Promise<void>;
}
/** By the names behind `db-`. */
export const commands: Readonly<Record<string, Command>> = {
  read: { takes: [1], run: async (io, [path = '']) => io.line(await io.db.read(path)) },
  write: {
    takes: [2],
    async run(io, [path = '', value = '']) {
      if (isRoot(path) || /^\/*vm\/*$/.test(path)) throw new DbRefusal('Nope, not doing that.');
      await io.db.write(path, value);
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
  nodes: { takes: [1], run: async (io, [path = '']) => io.line((await io.db.list(path)).join(' ')) },
  exists: { takes: [1], run: async (io, [path = '']) => io.line(String(await io.db.exists(path))) },
  rm: {
    takes: [1],
    async run(io, [path = '']) {
      if (isRoot(path)) throw new DbRefusal('bad path');
      await io.db.rm(path);
    },
  },
  dump: { takes: [0, 1], run: async (io, [path = '/']) => io.line(await io.db.dump(path)) },
  inject: {
    takes: [1, 2],
    /** The JSON is the second parameter, or what is on standard input. */
    run: async (io, [path = '', value]) => void (await io.db.inject(path, value ?? io.input())),
  },
  cat: { takes: [1], run: async (io, [path = '']) => io.bytes(await io.db.readBinary(path)) },
};

/** Every node below `path`, a line each: deeper ones further in, or with their whole paths. */
async function show(io: DbIo, path: string, indent: string, full: boolean): Promise<void> {
  for (const name of await io.db.list(path === '' ? '/' : path)) {
    const at = `${path}/${name}`;
    const begin = full ? at : `${indent}${name}`;
    const inner = (await io.db.list(at)).length > 0;
    if (inner) {
      io.line(`${begin} =`);
      await show(io, at, `${indent} `, full);
    } else io.line(`${begin} = "${await io.db.read(at)}"`);
  }
}

/** Runs `db-NAME ARGS`. DbRefusal for what is no command, or has too few or too many parameters. */
export async function runDbCommand(name: string, args: readonly string[], io: () => Promise<DbIo>): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command?.takes.includes(args.length)) throw new DbRefusal(usage);
  await command.run(await io(), args);
}
