/** The command `dbd`: OpenXT's database on the message bus, kept in a store of ours. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { connectBus, sessionBus, systemBus } from '../bus/connection.ts';
import { Files } from '../dbd/files.ts';
import { Senders } from '../dbd/senders.ts';
import { Database, databaseName, usualLimits } from '../dbd/service.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { connectStore } from '../xenstore/client.ts';
import { defaultData } from './places.ts';
import { stderrLog } from './stderr-log.ts';

const usage = `usage: dbd [--data DIR] [--files DIR] [--pidfile FILE] [--session] [--xenstore SOCKET|none]

Serves ${databaseName} on the message bus, in the foreground until SIGTERM.

  --data DIR      where the tree is kept (${join(defaultData(), 'dbd')})
  --files DIR     files that are nodes below /dom-store, to be read with read_binary; SIGHUP looks again what there is
  --pidfile FILE  written when the name on the bus is owned
  --session       on the session's bus instead of the system's
  --xenstore SOCKET|none  tells the uuids of domains (/run/xenstored/socket, where it is there)
  --help          this text
`;
const usualXenstore = '/run/xenstored/socket';

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string', default: join(defaultData(), 'dbd') },
      files: { type: 'string' },
      pidfile: { type: 'string' },
      session: { type: 'boolean', default: false },
      xenstore: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  await serve(values);
}
async function serve(o: {
  readonly data: string;
  readonly files?: string;
  readonly pidfile?: string;
  readonly session: boolean;
  readonly xenstore?: string;
}): Promise<void> {
  const log = stderrLog('dbd');
  const clock = systemClock;
  const address = o.session ? sessionBus(process.env) : systemBus(process.env);
  if (address === undefined) throw new Error('there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set');
  const xenstore = o.xenstore ?? (existsSync(usualXenstore) ? usualXenstore : 'none');
  let files = new Files(o.files);
  const store = await openSqliteStore({ path: join(o.data, 'tree.db'), log, schema: { major: 1, minor: 0 } });
  const bus = await connectBus({ address, clock, log });
  const senders = await Senders.follow(
    bus,
    xenstore === 'none' ? undefined : await connectStore(xenstore, { reconnectMs: 60_000 }),
  );
  const end = async (why: string, status: number) => {
    log.info('ends', { why });
    await store.close().catch((error: Error) => log.error('the store did not close', { error: error.message }));
    if (o.pidfile !== undefined) rmSync(o.pidfile, { force: true });
    process.exit(status);
  };
  const database = await Database.open({
    store,
    senderOf: (name) => senders.of(name),
    files: () => files,
    limits: usualLimits,
    // What is in memory is not to be served any more: the next one reads what the disk has.
    lost: (error) => void end(`the store took a change no more: ${error.message}`, 1),
  });
  database.serve(bus);
  if (!(await bus.own(databaseName))) throw new Error(`another dbd owns ${databaseName}: end it first`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(signal, 0));
  process.on('SIGHUP', () => {
    try {
      files = new Files(o.files);
      log.info('looked for files again');
    } catch (error) {
      log.error('the files stay as they were', { error: String(error) });
    }
  });
  void bus.closed.then(() => end('the bus hung up', 1));
  if (o.pidfile !== undefined) writeFileSync(o.pidfile, `${process.pid}\n`);
  process.stdout.write(`ready ${databaseName}\n`);
}

main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`dbd: ${error.message}\n`);
  process.exit(1);
});
