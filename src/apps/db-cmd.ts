/** The command `db-cmd CMD PARAMETERS…`, which `db-CMD` runs too: OpenXT's database from a shell. */
import { readFileSync, writeSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { connectBus, systemBus } from '../bus/connection.ts';
import { databaseOn, runDbCommand } from '../doors/openxt/db-commands.ts';

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

const [name = '', ...args] = process.argv.slice(2);
try {
  await runDbCommand(name, args, async () => ({
    db: databaseOn(await connectBus({ address: systemBus(process.env), clock: systemClock, log: silentLog })),
    line: (text) => writeAll(Buffer.from(`${text}\n`)),
    bytes: writeAll,
    input: () => readFileSync(0, 'utf8'),
  }));
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
