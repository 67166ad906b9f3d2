/**
 * The supervisor's process, forkexecd: one per data folder. It answers the contract `processes` on DIR/run/supervisor.sock and runs
 * what its configuration declares. TERM ends it and leaves its children running; the next one takes them over. HUP reads the
 * configuration again.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { logTo } from '../base/log.ts';
import { processesContract } from '../contracts/processes.ts';
import {
  applyDeclared,
  ConfigError,
  closeInherited,
  createSupervisor,
  type Declared,
  lockFile,
  parseConfig,
} from '../processes/index.ts';
import { serveContract } from '../rpc/server.ts';
import { isAnswered } from '../rpc/socket-path.ts';
import { openLogFile } from './log-file.ts';
import { places } from './places.ts';
import { version } from './version.ts';

const usage = `usage: forkexecd --data DIR [--config FILE] [--forker SOCKET] [--with-children]
Starts, watches and restarts child processes, in the foreground; guesthouse ps --data DIR shows them.
  --config FILE     what to run (docs/forkexecd.md); HUP reads it again
  --forker SOCKET   where programs are started for others, as callers of /var/xapi/forker/main know it
  --with-children   TERM and INT end the children too; without it they run on, and the next forkexecd takes them over
`;
closeInherited();
const values = options();
if (!values.data) fail('--data DIR is missing: the folder of the host to look after');
const at = places(values.data);
const declared = values.config === undefined ? undefined : readConfig(values.config);
mkdirSync(at.run, { recursive: true, mode: 0o711 });
const unlock = lockFile(at.supervisorLock);
if (!unlock) fail(`another supervisor looks after ${at.data} already`);

const file = openLogFile(at.log('supervisor'));
const log = logTo((level, msg, fields) => {
  const line = { level, time: new Date().toISOString(), name: 'supervisor', pid: process.pid, msg, ...fields };
  file.write(`${JSON.stringify(line)}\n`);
});
process.on('uncaughtException', (error) => {
  log.error('ends because of an error that nobody handled', { error: error.stack ?? String(error) });
  process.exit(1);
});
const supervisor = createSupervisor({
  folder: at.processes,
  version,
  log,
  onShutdown: () => void end('it was asked to'),
});
if (values.forker !== undefined) await openForker(values.forker);
const served = await serveContract(processesContract, supervisor, { socketPath: at.supervisorSocket, log });
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void asked(signal));
process.on('SIGHUP', () => void again());
log.info('the supervisor is up', { version });
if (declared) {
  await apply(declared, false);
  process.stdout.write(`ready ${at.supervisorSocket}\n`);
}

async function apply(config: Declared, again: boolean): Promise<void> {
  for (const problem of await applyDeclared(supervisor, config, { log, again })) console.error(`forkexecd: ${problem}`);
}
/** What is wrong in a file that has changed leaves all as it is. */
async function again(): Promise<void> {
  if (values.config === undefined) return;
  try {
    await apply(parse(values.config), true);
    log.info('the configuration was read again', { file: values.config });
  } catch (error) {
    console.error(`forkexecd: ${(error as Error).message}`);
    log.error('the configuration could not be read again', { error: (error as Error).message });
  }
}
async function asked(signal: string): Promise<void> {
  if (values['with-children']) await supervisor.supervisor.shutdown({ children: true });
  else await end(signal);
}

async function end(why: string): Promise<void> {
  supervisor.leave();
  await served.close();
  log.info('the supervisor ends; its children run on', { why });
  process.exit(0);
}

/** Loaded only where it is asked for: it needs the foreign function interface. */
async function openForker(path: string): Promise<void> {
  if (await isAnswered(path)) fail(`--forker ${path}: another forkexecd serves there; stop it or choose another`);
  const { descriptorSocket, openReceiver } = await import('./descriptor-socket.ts');
  const { serveForker } = await import('../doors/forker/index.ts');
  const { runProgram } = await import('./forker-run.ts');
  const needs = { folder: at.run, clock: systemClock, ids: randomIds, receive: openReceiver() };
  const receive = () => descriptorSocket(needs);
  await serveForker(path, { log, receive, run: runProgram }).catch((error: Error) =>
    fail(`--forker ${path}: ${error.message}`),
  );
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        data: { type: 'string' },
        config: { type: 'string' },
        forker: { type: 'string' },
        'with-children': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (!values.help) return values;
    process.stdout.write(usage);
    process.exit(0);
  } catch (error) {
    return fail((error as Error).message);
  }
}
function parse(file: string): Declared {
  return parseConfig(file, readFileSync(resolve(file), 'utf8'), at.output);
}
function readConfig(file: string): Declared {
  try {
    return parse(file);
  } catch (error) {
    if (error instanceof ConfigError) {
      console.error(error.message);
      process.exit(1);
    }
    return fail(`--config: ${(error as Error).message}`);
  }
}
function fail(message: string): never {
  console.error(`forkexecd: ${message}`);
  process.exit(1);
}
