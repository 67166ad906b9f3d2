/** `guesthouse up` with the fake house: `up-main.ts OPTIONS-AS-JSON`. */
import { join } from 'node:path';
import { up } from '../../src/apps/up.ts';

const terminal = { out: console.log, say: console.error };
try {
  const options = JSON.parse(process.argv[2] ?? '{}');
  process.exitCode = await up(options, terminal, join(import.meta.dirname, 'fake-house.ts'));
} catch (error) {
  console.error(`guesthouse: ${(error as Error).message}`);
  process.exitCode = 1;
}
