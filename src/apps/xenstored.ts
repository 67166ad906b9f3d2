/** The command `xenstored`: the store, in the foreground; on a unix socket alone, which needs no Xen, or of a whole Xen host. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { Core } from '../xenstore/core.ts';
import { type FileJournal, readJournal, startJournal } from '../xenstore/journal.ts';
import { listenSocket } from '../xenstore/transports/socket.ts';
import { stderrLog } from './stderr-log.ts';

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
      help: { type: 'boolean' },
    },
    strict: true,
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const log = stderrLog('xenstored');
  const end = values.socket
    ? await serveSocket(values.socket, values.state, log)
    : await serveHost(values['xen-socket'], values.state, values['pid-file'], log);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await end();
  return 0;
}

async function serveSocket(path: string, folder: string | undefined, log: Log): Promise<() => Promise<void>> {
  const core = new Core({ log, clock: systemClock, later: setImmediate });
  let journal: FileJournal | undefined;
  if (folder !== undefined) {
    const file = join(folder, 'state.json');
    readJournal(core, file);
    journal = startJournal(core, file, log);
  }
  const server = await listenSocket(core, path, log);
  process.stdout.write(`ready ${path}\n`);
  return async () => {
    await server.close();
    core.close();
    journal?.close();
  };
}

async function serveHost(
  path: string | undefined,
  state: string | undefined,
  pidFile: string | undefined,
  log: Log,
): Promise<() => Promise<void>> {
  const { serveXen, xenSocket, xenState } = await import('./xenstored-xen.ts');
  const socket = path ?? xenSocket;
  const service = await serveXen({ log, clock: systemClock, socket, state: state ?? xenState, pidFile });
  process.stdout.write(`ready ${socket}\n`);
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
