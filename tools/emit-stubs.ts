/**
 * Stubs of our own daemons' D-Bus interfaces, made by xc-rpcgen from `idl/`; `src/bus/generated/` holds them.
 *
 *     bin/node tools/emit-stubs.ts
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kebab } from '../src/doors/openxt/rpcgen/names.ts';
import { clientModule, serverModule } from '../src/doors/openxt/rpcgen/typescript.ts';
import { parseIntrospection } from '../src/wire/dbus/introspection.ts';

const root = join(import.meta.dirname, '..');
const idl = join(root, 'idl');
export const generated = join(root, 'src/bus/generated');

/** Every stub: its file's name and its text. */
export function stubs(): readonly (readonly [file: string, text: string])[] {
  return readdirSync(idl).flatMap((from) => {
    const node = parseIntrospection(join('idl', from), readFileSync(join(idl, from), 'utf8'));
    const module = { from: `idl/${from}`, node, bus: '..' };
    const name = kebab(from.replace(/\.xml$/, ''));
    return [
      [`${name}-client.ts`, clientModule(module)],
      [`${name}-server.ts`, serverModule(module)],
    ] as const;
  });
}
if (import.meta.main) for (const [file, text] of stubs()) writeFileSync(join(generated, file), text);
