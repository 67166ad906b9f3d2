/** The message switch's process: queues between daemons over HTTP on a unix socket, persistent ones kept in `--statedir`. */
import { existsSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { checkSocketPath, isAnswered } from '../rpc/socket-path.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store.ts';
import { parseSwitchConfig, type SwitchConfig } from '../switch/config.ts';
import { openSwitch } from '../switch/core.ts';
import { switchServer } from '../switch/http.ts';
import { stderrLog } from './stderr-log.ts';

const usage = `usage: message-switch [--path SOCKET] [--statedir DIR] [--pidfile FILE] [--config FILE]
Passes messages between daemons through named queues, in the foreground. Without --statedir all queues go with it.
A configuration file holds the same settings: ((path SOCKET) (statedir DIR) (pidfile FILE)); the command line wins.
`;
const fallback = '/var/run/message-switch/sock';
const log = stderrLog('message-switch');

const settings = readSettings();
const path = settings.path ?? fallback;
try {
  checkSocketPath(path);
} catch (error) {
  fail(`--path: ${(error as Error).message}`);
}
if (existsSync(path)) {
  if (await isAnswered(path)) fail(`${path}: another message-switch serves there; stop it or choose another --path`);
  unlinkSync(path);
}
const store = settings.statedir === undefined ? undefined : await openState(settings.statedir);
const core = await openSwitch({ store, clock: systemClock, log });
const server = switchServer({ core, clock: systemClock, log, onShutdown: () => void end('it was asked to') });
server.on('error', (error) => fail(`${path} cannot be listened on: ${error.message}`));
const umask = process.umask(0o177);
server.listen(path, () => {
  process.umask(umask);
  if (settings.pidfile !== undefined) writeFileSync(settings.pidfile, `${process.pid}\n`);
  log.info('ready', { path, statedir: settings.statedir ?? null });
});
process.on('SIGTERM', () => void end('SIGTERM'));
process.on('SIGINT', () => void end('SIGINT'));

async function openState(folder: string): Promise<Store> {
  try {
    return await openSqliteStore({ path: join(folder, 'queues.db'), log, schema: { major: 1, minor: 0 } });
  } catch (error) {
    if (error instanceof StoreError) fail(`--statedir: ${error.message}`);
    throw error;
  }
}
async function end(why: string): Promise<void> {
  server.close();
  server.closeAllConnections();
  await core.close();
  if (settings.pidfile !== undefined) rmSync(settings.pidfile, { force: true });
  log.info('ends', { why });
  process.exit(0);
}
function readSettings(): SwitchConfig {
  try {
    const { values } = parseArgs({
      options: {
        path: { type: 'string' },
        statedir: { type: 'string' },
        pidfile: { type: 'string' },
        config: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const { help: _, config, ...given } = values;
    return config === undefined ? given : { ...parseSwitchConfig(config, readFileSync(config, 'utf8')), ...given };
  } catch (error) {
    return fail((error as Error).message);
  }
}
function fail(message: string): never {
  process.stderr.write(`message-switch: ${message}\n`);
  process.exit(1);
}
