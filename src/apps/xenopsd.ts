/**
 * The domain manager as a daemon of its own: `xenopsd -config FILE`, in the foreground.
 *
 *     settings ─▶ environment looked at ─▶ rooms open (guests found again) ─▶ ready on the socket ─▶ TERM: guests run on
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { type Level, type Log, logTo, silentLog } from '../base/log.ts';
import { ConfigError, readConfig, readOptions, usualConfig, type XenopsdConfig } from '../doors/xenopsd/config.ts';
import { isAnswered } from '../rpc/socket-path.ts';
import type { Hypervisor } from './ground.ts';
import { migrationOptions } from './migration.ts';
import { version } from './version.ts';
import { openCore } from './xenopsd-core.ts';
import { openXenopsdDoor } from './xenopsd-door.ts';
import { missingText, scanEnvironment, searchFolders } from './xenopsd-environment.ts';

const usage = `usage: xenopsd [-config FILE] [-KEY VALUE | --KEY=VALUE …]
Manages the VMs that are added to it, and no others. Keys are those of the configuration file; where both set one, the file
wins. Ours beside those of the reference: hypervisor = auto | xen | qemu | simulator. The keys with their usual values:
`;
const levels: readonly Level[] = ['debug', 'info', 'warn', 'error'];
const hypervisors: readonly Hypervisor[] = ['auto', 'xen', 'qemu', 'simulator'];

const config = settings(process.argv.slice(2));
const { values } = config;
const log = openLog(values.log, values.loglevel);
for (const warning of config.warnings) log.warn(warning);

const hypervisor = hypervisorOf(values.hypervisor, values.queue);
lookAround(hypervisor);
const data = values['database-path'];
const socketPath = join(values['sockets-path'], 'xenopsd');
try {
  for (const folder of [data, values['sockets-path']]) mkdirSync(folder, { recursive: true, mode: 0o711 });
} catch (error) {
  fail(`database-path, sockets-path: ${(error as Error).message}; choose folders that may be written`);
}
if (existsSync(socketPath) && (await isAnswered(socketPath)))
  fail(`${socketPath}: another xenopsd serves there; stop it, or choose other folders`);
try {
  const core = await openCore({
    data,
    hypervisor,
    persist: values.persist === 'true',
    workers: Math.max(1, Number(values['worker-pool-size'])),
    log,
    version,
    migration: migrationOptions(config),
  });
  const queues = { address: values['switch-path'], names: queueNames(values.queue) };
  const closeDoor = await openXenopsdDoor({
    ...{ xenops: core.xenops, screens: core.screens, clock: systemClock, ids: randomIds, log, version, socketPath },
    migrate: core.migrate,
    ...(values['use-switch'] === 'true' ? { queues } : {}),
    shutdown: () => void end('it was asked to'),
  });
  if (values.pidfile !== '') writeFileSync(values.pidfile, `${process.pid}\n`);
  let ending = false;
  const end = async (why: string) => {
    if (ending) return;
    ending = true;
    log.info('ends; guests run on', { why });
    await closeDoor();
    await core.close();
    if (values.pidfile !== '') rmSync(values.pidfile, { force: true });
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal));
  log.info('ready', { socketPath, arrivals: core.reachedAt ?? 'none', ground: core.ground, data });
  process.stdout.write(`ready ${socketPath}\n`);
} catch (error) {
  fail((error as Error).message);
}

function settings(args: readonly string[]): XenopsdConfig {
  try {
    const options = new Map(readOptions(args));
    if (options.has('help')) {
      process.stdout.write(usage + usualConfig());
      process.exit(0);
    }
    const file = options.get('config');
    options.delete('config');
    const folder = options.get('config-dir');
    const main = file ?? (existsSync('/etc/xenopsd.conf') ? '/etc/xenopsd.conf' : undefined);
    const more = folder ?? (main === undefined ? undefined : `${main}.d`);
    const rest = more !== undefined && existsSync(more) ? readdirSync(more).sort() : [];
    const files = [...(main === undefined ? [] : [main]), ...rest.map((name) => join(more ?? '', name))];
    return readConfig(
      options,
      files.map((path) => ({ file: path, text: read(path) })),
    );
  } catch (error) {
    if (error instanceof ConfigError) fail(error.message, 1, '');
    throw error;
  }
}
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return fail(`-config ${path}: ${(error as Error).message}`);
  }
}
function hypervisorOf(wish: string, queue: string): Hypervisor {
  const found = hypervisors.find((h) => h === wish);
  if (!found) fail(`hypervisor: "${wish}" is not known; it may be ${hypervisors.join(', ')}`);
  return found === 'auto' && queue.endsWith('.simulator') ? 'simulator' : found;
}
/** The queue of this backend, and the one that all callers know. */
function queueNames(queue: string): readonly string[] {
  const general = queue.replace(/\.(classic|simulator)$/, '');
  return [...new Set([general, queue])];
}
/** Names everything that is missing; stops when guests cannot run without it. */
function lookAround(ground: Hypervisor): void {
  const kind = ground === 'auto' ? (existsSync('/proc/xen/capabilities') ? 'xen' : 'qemu') : ground;
  const missing = scanEnvironment(kind, config.paths, searchFolders(values['search-path'])).filter((f) => !f.path);
  for (const found of missing) if (!found.need.essential) log.warn(missingText(found));
  const needed = missing.filter((found) => found.need.essential);
  if (needed.length > 0) fail(needed.map(missingText).join('\nxenopsd: '));
}
function openLog(target: string, least: string): Log {
  const from = levels.indexOf(least as Level);
  if (from < 0) fail(`loglevel: "${least}" is not known; it may be ${levels.join(', ')}`);
  if (target === 'nil') return silentLog;
  const file = target.startsWith('file:') ? target.slice(5) : undefined;
  const stream = target.startsWith('stdout:') ? process.stdout : process.stderr;
  return logTo((level, msg, fields) => {
    if (levels.indexOf(level) < from) return;
    const line = { level, time: new Date().toISOString(), name: 'xenopsd', pid: process.pid, msg, ...fields };
    const text = `${JSON.stringify(line)}\n`;
    if (file === undefined) stream.write(text);
    else appendFileSync(file, text, { mode: 0o600 });
  });
}
function fail(message: string, status = 1, prefix = 'xenopsd: '): never {
  process.stderr.write(`${prefix}${message}\n`);
  process.exit(status);
}
