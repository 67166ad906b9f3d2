/** `guesthouse db export|import|check`: the host's database as text, and whether it is sound. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { classes, schemaVersion } from '../datamodel/index.ts';
import type { Finding } from '../db/inspect.ts';
import type { StorePlace } from '../db/maintenance.ts';
import { checkStore, exportStore, importStore } from '../db/maintenance.ts';
import { StoreError } from '../store/store.ts';
import { defaultData } from './places.ts';

/** Where a command's words go. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
}
const usage = `usage: guesthouse db export [--data DIR] [--secrets] FILE   write the database to FILE (- is stdout)
       guesthouse db import [--data DIR] FILE               make a new database from an export
       guesthouse db check [--data DIR]                     look for damage
An export leaves out passwords and keys unless --secrets is given; only with them is it a backup.
`;

/** Runs `guesthouse db ARGS…`; answers the exit status: 0 well, 1 findings or a refusal, 2 a wrong command line. */
export async function dbCommand(args: readonly string[], io: Io): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (e) {
    io.err(`guesthouse db: ${(e as Error).message}\n${usage}`);
    return 2;
  }
  const { values, positionals } = parsed;
  const [verb, file, ...rest] = positionals;
  if (values.help) {
    io.out(usage);
    return 0;
  }
  const at: StorePlace = { path: join(values.data ?? defaultData(), 'state.db'), schema: schemaVersion, classes };
  try {
    if (verb === 'check' && file === undefined) return check(at, io);
    if (verb === 'export' && file !== undefined && rest.length === 0) return exportTo(at, file, values.secrets, io);
    if (verb === 'import' && file !== undefined && rest.length === 0) return await importFrom(at, file, io);
  } catch (e) {
    const plain = e instanceof StoreError || (e as NodeJS.ErrnoException).code !== undefined;
    if (!plain) throw e;
    io.err(`guesthouse db ${verb}: ${why(e as NodeJS.ErrnoException, file)}\n`);
    return 1;
  }
  io.err(
    `guesthouse db: ${verb === undefined ? 'what to do is missing' : `cannot understand: ${args.join(' ')}`}\n${usage}`,
  );
  return 2;
}
/** What cannot be done with the file that the user named, and what to do. */
function why({ code, message, path }: NodeJS.ErrnoException, file: string | undefined): string {
  if (file === undefined || path !== file) return message;
  if (code === 'EEXIST') return `${file} is there already and is not overwritten; give another name, or remove it`;
  if (code === 'ENOENT') return `${file}: there is no such file, or no such folder to make it in`;
  return message;
}
const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      secrets: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });

function check(at: StorePlace, io: Io): number {
  const { rows, findings } = checkStore(at);
  const errors = tell(findings, io);
  const notes = findings.length - errors;
  if (errors === 0) io.out(`${at.path} is sound: ${rows} rows${notes > 0 ? `, ${notes} notes` : ''}\n`);
  else io.err(`${at.path}: ${errors} errors in ${rows} rows: restore a backup, or export, correct and import it\n`);
  return errors > 0 ? 1 : 0;
}

function exportTo(at: StorePlace, file: string, secrets: boolean, io: Io): number {
  if (file === '-') return tell(exportStore(at, secrets, io.out), io) > 0 ? 1 : 0;
  const fd = openSync(file, 'wx', 0o600);
  let errors: number;
  try {
    errors = tell(
      exportStore(at, secrets, (line) => writeSync(fd, line)),
      io,
    );
  } catch (e) {
    rmSync(file);
    throw e;
  } finally {
    closeSync(fd);
  }
  io.out(`${file} written${secrets ? '' : ', without passwords and keys (--secrets includes them)'}\n`);
  return errors > 0 ? 1 : 0;
}

async function importFrom(at: StorePlace, file: string, io: Io): Promise<number> {
  const lines = file === '-' ? createInterface({ input: process.stdin }) : (await open(file)).readLines();
  const { rows, secrets, findings } = await importStore(at, file, lines);
  if (tell(findings, io) > 0) {
    io.err(`${file}: nothing was imported\n`);
    return 1;
  }
  io.out(`${at.path} made: ${rows} rows\n`);
  if (!secrets) io.err('the export was made without --secrets: passwords and keys are empty\n');
  return 0;
}

/** Prints findings; answers how many are errors. */
function tell(findings: readonly Finding[], io: Io): number {
  for (const f of findings) io.err(`${f.where}: ${f.severity === 'note' ? 'note: ' : ''}${f.what}\n`);
  return findings.filter((f) => f.severity === 'error').length;
}
