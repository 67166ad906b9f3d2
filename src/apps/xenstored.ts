/** The command `xenstored`: the store, in the foreground; on a unix socket alone, which needs no Xen, or of a whole Xen host. */
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { openLibc } from '../xen/libc.ts';
import type { LiveUpdate } from '../xenstore/control.ts';
import { Core } from '../xenstore/core.ts';
import { type CoreJournal, readJournal, startJournal } from '../xenstore/journal.ts';
import { listenSocket } from '../xenstore/transports/socket.ts';
import { fileLog } from './file-log.ts';
import { stderrLog } from './stderr-log.ts';
import { type Handover, liveUpdater, readHandover, takeOver } from './xenstored-successor.ts';

const usage = `usage: xenstored --socket PATH [--state FOLDER]
       xenstored [--xen-socket PATH] [--state FOLDER] [--pid-file FILE]

Serves a store in the foreground until SIGTERM or SIGINT: on the unix socket PATH alone, or, without --socket, as the store of
this Xen host, for dom0, guests and the host's tools.

  --socket PATH      this socket and nothing else; whoever may open it has domain 0's rights (mode 0600)
  --xen-socket PATH  where the host's tools look for the store (/run/xenstored/socket)
  --state FOLDER     where what a successor needs after a kill is kept: with --socket nowhere unless this is given, else
                     /run/xenstored/state (it must not outlive a boot)
  --pid-file FILE    written when the store is served
  --help             this text`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      socket: { type: 'string' },
      'xen-socket': { type: 'string' },
      state: { type: 'string' },
      'pid-file': { type: 'string' },
      successor: { type: 'string' },
      help: { type: 'boolean' },
    },
    strict: true,
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const log = stderrLog('xenstored');
  const handover = values.successor === undefined ? undefined : readHandover(values.successor);
  const end = values.socket
    ? await serveSocket(values.socket, values.state, log, handover)
    : await serveHost(values['xen-socket'], values.state, values['pid-file'], log, handover);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await end();
  return 0;
}

async function serveSocket(
  path: string,
  folder: string | undefined,
  log: Log,
  handover: Handover | undefined,
): Promise<() => Promise<void>> {
  let update: LiveUpdate | undefined;
  const liveUpdate: LiveUpdate = (args) => update?.(args) ?? 'BUSY';
  const openLogFile = (file: string) => fileLog('xenstored', file, log);
  const core = new Core({ log, clock: systemClock, later: setImmediate, together: true, liveUpdate, openLogFile });
  let journal: CoreJournal | undefined;
  if (folder !== undefined) {
    const file = join(folder, 'state.json');
    if (handover === undefined) readJournal(core, file);
    else takeOver(core, handover, openLibc());
    journal = startJournal(core, file, log);
  } else if (handover !== undefined) takeOver(core, handover, openLibc());
  const server = await listenSocket(core, path, log, handover?.listening);
  update = liveUpdater({
    core,
    log,
    libc: openLibc,
    server,
    folder: folder ?? dirname(path),
    flush: () => journal?.flush(),
  });
  if (handover === undefined) process.stdout.write(`ready ${path}\n`);
  return async () => {
    await server.close();
    journal?.close();
    core.close();
  };
}

async function serveHost(
  path: string | undefined,
  state: string | undefined,
  pidFile: string | undefined,
  log: Log,
  handover: Handover | undefined,
): Promise<() => Promise<void>> {
  const { serveXen, xenSocket, xenState } = await import('./xenstored-xen.ts');
  const socket = path ?? xenSocket;
  const service = await serveXen({ log, clock: systemClock, socket, state: state ?? xenState, pidFile, handover });
  if (handover === undefined) process.stdout.write(`ready ${socket}\n`);
  return () => service.close();
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    process.stderr.write(`xenstored: ${error.message}\n`);
    process.exitCode = 1;
  },
);
