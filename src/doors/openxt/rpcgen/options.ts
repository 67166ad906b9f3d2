/** The command line of `xc-rpcgen`. */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `usage: xc-rpcgen --typescript [options] FILE.xml

  -o, --output DIR        where the module is written (.)
  -c, --client            a client (also without -s);  -s, --server: a server
  -n, --name NAME         the name of the module (the file's, in lower case): NAME-client.ts, NAME-server.ts
  --module-prefix PREFIX  where the modules' own imports are (guesthouse/src/bus)
  -h, --help              this text

--haskell, --camel, --c2, --javascript, --ruby and C (the original's targets) are not made here.
`;
export interface RpcgenOptions {
  readonly file: string;
  readonly output: string;
  readonly side: 'client' | 'server';
  readonly name: string;
  readonly modulePrefix: string;
  readonly help: boolean;
}
const others = ['haskell', 'camel', 'c2', 'javascript', 'ruby'] as const;

/** Throws what is wrong with the arguments. */
export function parseRpcgen(argv: readonly string[]): RpcgenOptions {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o', default: '.' },
      client: { ...flag, short: 'c' },
      server: { ...flag, short: 's' },
      name: { type: 'string', short: 'n' },
      'module-prefix': { type: 'string', default: 'guesthouse/src/bus' },
      'templates-dir': { type: 'string' },
      help: { ...flag, short: 'h' },
      typescript: flag,
      haskell: flag,
      camel: flag,
      c2: flag,
      javascript: flag,
      ruby: flag,
    },
  });
  const [file = '', ...more] = positionals;
  if (!values.help) {
    const other = others.find((each) => values[each]);
    if (other) throw new Error(`--${other} is not made here; --typescript is`);
    if (!values.typescript) throw new Error('C is not made here; --typescript is');
    if (file === '' || more.length > 0) throw new Error(`one FILE.xml is wanted, there are ${positionals.length}`);
  }
  return {
    file,
    output: values.output,
    side: values.server ? 'server' : 'client',
    name:
      values.name ??
      basename(file)
        .replace(/\.xml$/, '')
        .toLowerCase(),
    modulePrefix: values['module-prefix'],
    help: values.help,
  };
}
