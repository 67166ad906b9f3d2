/** The command `xenstored`: the store on a unix socket, in the foreground. Needs no Xen. */
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { Core } from '../xenstore/core.ts';
import { listenSocket } from '../xenstore/transports/socket.ts';
import { stderrLog } from './stderr-log.ts';

const usage = `usage: xenstored --socket PATH

Serves a store on the unix socket PATH, in the foreground, until SIGTERM or SIGINT.

  --socket PATH   the socket; whoever may open it has domain 0's rights (mode 0600)
  --help          this text`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { socket: { type: 'string' }, help: { type: 'boolean' } },
    strict: true,
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (!values.socket) {
    process.stderr.write(`xenstored: --socket PATH is missing\n\n${usage}\n`);
    return 2;
  }
  const log = stderrLog('xenstored');
  const core = new Core({ log, clock: systemClock, later: setImmediate });
  const server = await listenSocket(core, values.socket, log);
  process.stdout.write(`ready ${values.socket}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await server.close();
  core.close();
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`xenstored: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
