/**
 * The supervisor's process: `supervisor.ts --data DIR`. One per data folder. TERM ends it and leaves its children running;
 * the next one takes them over. It answers the contract `processes` on DIR/run/supervisor.sock.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { logTo } from '../base/log.ts';
import { processesContract } from '../contracts/processes.ts';
import { createSupervisor, lockFile } from '../processes/index.ts';
import { serveContract } from '../rpc/server.ts';
import { openLogFile } from './log-file.ts';
import { places } from './places.ts';
import { version } from './version.ts';

const { values } = parseArgs({ options: { data: { type: 'string' } } });
if (!values.data) fail('--data DIR is missing: the folder of the host to look after');
const at = places(values.data);
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
const served = await serveContract(processesContract, supervisor, { socketPath: at.supervisorSocket, log });
process.on('SIGTERM', () => void end('SIGTERM'));
process.on('SIGINT', () => void end('SIGINT'));
process.on('SIGHUP', () => undefined);
log.info('the supervisor is up', { version });

async function end(why: string): Promise<void> {
  supervisor.leave();
  await served.close();
  log.info('the supervisor ends; its children run on', { why });
  process.exit(0);
}

function fail(message: string): never {
  console.error(`supervisor: ${message}`);
  process.exit(1);
}
