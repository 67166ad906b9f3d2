/** How a failure is printed: a line of text, then `name: value` lines. */
import { type ApiError, errors, toApiError } from '../../datamodel/errors.ts';
import { classes } from '../../datamodel/index.ts';
import { XeError } from './arguments.ts';
import type { Reader } from './reader.ts';
import type { Screen } from './screen.ts';

/** Shows what went wrong. Codes that are not declared go to the client as they are. */
export async function printFailure(screen: Screen, error: unknown, reader: Reader | undefined): Promise<void> {
  if (error instanceof XeError) return screen.printError(lines(`Error: ${error.message}`, error.details));
  const failure = toApiError(error);
  const [code = '', ...params] = failure.wire;
  const declared = (errors as Readonly<Record<string, (typeof errors)[keyof typeof errors] | undefined>>)[code];
  if (code === 'NOT_IMPLEMENTED') return screen.printError(`Error: this server does not have ${params[0]} yet\n`);
  if (!declared) return screen.error(code, params);
  const values = await Promise.all(params.map((p, i) => shownParameter(reader, declared.params?.[i], p, failure)));
  const details = values.map((v, i): [string, string] => [declared.params?.[i] ?? `parameter ${i + 1}`, v]);
  screen.printError(lines(`${declared.doc} (${code})`, details));
}

const lines = (text: string, details: readonly (readonly [string, string])[]) =>
  `${text}\n${details.map(([k, v]) => `${k}: ${v}\n`).join('')}`;

/** A reference is shown as uuid and name. */
async function shownParameter(
  reader: Reader | undefined,
  name: string | undefined,
  value: string,
  failure: ApiError,
): Promise<string> {
  if (!reader || !value.startsWith('OpaqueRef:')) return value;
  const wanted = [name, name?.replace(/s$/, ''), failure.wire[1]].map((w) => w?.toLowerCase());
  const named = Object.keys(classes).filter((c) => wanted.includes(c.toLowerCase()));
  for (const cls of name === 'device' ? [...named, ...devices] : named) {
    if (classes[cls]?.inDatabase !== true) continue;
    const found = await nameOf(reader, cls, value);
    if (found !== undefined) return found;
  }
  return value;
}

/** What an error may mean by a device. */
const devices = ['VBD', 'VIF', 'PBD'];

async function nameOf(reader: Reader, cls: string, ref: string): Promise<string | undefined> {
  try {
    const rec = await reader.get(cls, ref);
    if (!rec) return undefined;
    return 'name_label' in rec ? `${rec.uuid} (${rec.name_label})` : `${rec.uuid} (${cls})`;
  } catch {
    // the failure that is being shown matters more than the name of what it is about
    return undefined;
  }
}
