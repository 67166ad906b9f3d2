/** The command `xc-rpcgen`: stubs from interface descriptions. */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { kebab } from '../doors/openxt/rpcgen/names.ts';
import { parseRpcgen, type RpcgenOptions, usage } from '../doors/openxt/rpcgen/options.ts';
import { clientModule, serverModule } from '../doors/openxt/rpcgen/typescript.ts';
import { IdlError, parseIntrospection } from '../wire/dbus/introspection.ts';

function write(o: RpcgenOptions): void {
  const node = parseIntrospection(o.file, readFileSync(o.file, 'utf8'));
  const module = { from: basename(o.file), node, bus: o.modulePrefix };
  const text = o.side === 'server' ? serverModule(module) : clientModule(module);
  writeFileSync(join(o.output, `${kebab(o.name)}-${o.side}.ts`), text);
}
try {
  const options = parseRpcgen(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else write(options);
} catch (error) {
  const { message } = error as Error;
  const file = (error as NodeJS.ErrnoException).syscall !== undefined;
  process.stderr.write(error instanceof IdlError ? `${message}\n` : `xc-rpcgen: ${message}\n${file ? '' : usage}`);
  process.exitCode = 1;
}
