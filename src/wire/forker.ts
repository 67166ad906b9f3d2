/**
 * forkexecd's messages: 12 decimal digits that give the length, then that many bytes of JSON. A message without an argument is a
 * string (`"Exec"`), others are flat lists (`["Execed",123]`); an option is `[]` or `[x]`.
 */
export interface ForkerSetup {
  readonly cmdargs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors to come, by the uuid that they are sent with; the number that the program wants, or null for any. */
  readonly descriptors: ReadonlyMap<string, number | null>;
  /** The name under which lines of standard output go to syslog; null when they do not. */
  readonly syslog: string | null;
  readonly redirectStderr: boolean;
}
export type ForkerRequest =
  | { readonly kind: 'Setup'; readonly setup: ForkerSetup }
  | { readonly kind: 'Exec' }
  | { readonly kind: 'Dontwaitpid' };
export type ForkerEnd = readonly ['WEXITED' | 'WSIGNALED' | 'WSTOPPED', number];
export type ForkerAnswer =
  | readonly ['Setup_response', { readonly fd_sock_path: string }]
  | readonly ['Execed', number]
  | readonly ['Finished', ForkerEnd];

/** A peer that does not keep to the form. */
export class ForkerError extends Error {
  override readonly name = 'ForkerError';
}
const lengthDigits = 12;
const mostBytes = 4 * 1024 * 1024;
const mostDescriptors = 64;
/** Numbers that a program may ask for: those below its usual limit of open files. */
const highestDescriptor = 255;
const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

export function formatForker(answer: ForkerAnswer): string {
  const text = JSON.stringify(answer);
  return `${String(Buffer.byteLength(text)).padStart(lengthDigits, '0')}${text}`;
}

/** Cuts a stream into messages; throws `ForkerError`, after which the stream is of no more use. */
export class ForkerReader {
  #held: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): ForkerRequest[] {
    this.#held = Buffer.concat([this.#held, chunk]);
    const found: ForkerRequest[] = [];
    while (this.#held.length >= lengthDigits) {
      const digits = this.#held.toString('latin1', 0, lengthDigits);
      if (!/^\d+$/.test(digits)) throw new ForkerError(`${JSON.stringify(digits)} is no length of 12 digits`);
      const end = lengthDigits + Number(digits);
      if (end > mostBytes) throw new ForkerError(`a message of ${Number(digits)} bytes is too long`);
      if (this.#held.length < end) break;
      found.push(parseForker(this.#held.toString('utf8', lengthDigits, end)));
      this.#held = this.#held.subarray(end);
    }
    return found;
  }
}

export function parseForker(text: string): ForkerRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ForkerError('a message is not JSON', { cause });
  }
  if (value === 'Exec' || value === 'Dontwaitpid') return { kind: value };
  if (Array.isArray(value) && value.length === 2 && value[0] === 'Setup')
    return { kind: 'Setup', setup: setup(value[1]) };
  throw new ForkerError('a message is none of Setup, Exec, Dontwaitpid');
}

function setup(value: unknown): ForkerSetup {
  const all = record(value, 'Setup');
  const cmdargs = strings(all['cmdargs'], 'cmdargs');
  if (cmdargs.length === 0) throw new ForkerError('Setup.cmdargs is empty');
  const syslog = record(all['syslog_stdout'] ?? { enabled: false }, 'syslog_stdout');
  const key = syslog['key'] ?? cmdargs[0]?.split('/').at(-1) ?? '';
  if (typeof key !== 'string' || key.includes('\0')) throw new ForkerError('Setup.syslog_stdout.key is no text');
  return {
    cmdargs,
    env: Object.fromEntries(strings(all['env'], 'env').map(variable)),
    descriptors: descriptors(all['id_to_fd_map']),
    syslog: syslog['enabled'] === true ? key : null,
    redirectStderr: all['redirect_stderr_to_stdout'] === true,
  };
}
function variable(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new ForkerError(`Setup.env: ${JSON.stringify(text.slice(0, 40))} is not of the form K=V`);
  return [text.slice(0, at), text.slice(at + 1)];
}
function descriptors(value: unknown): ReadonlyMap<string, number | null> {
  if (!Array.isArray(value) || value.length > mostDescriptors)
    throw new ForkerError(`Setup.id_to_fd_map is no list of at most ${mostDescriptors} pairs`);
  const map = new Map<string, number | null>();
  for (const each of value) {
    const [id, wanted] = Array.isArray(each) && each.length === 2 ? each : [];
    const [number = null] = Array.isArray(wanted) && wanted.length <= 1 ? wanted : [Number.NaN];
    if (typeof id !== 'string' || !uuid.test(id)) throw new ForkerError('Setup.id_to_fd_map: a name is no uuid');
    if (number !== null && !(Number.isInteger(number) && number >= 0 && number <= highestDescriptor))
      throw new ForkerError(`Setup.id_to_fd_map: ${id} is to be no descriptor of 0 to ${highestDescriptor}`);
    if (map.has(id) || (number !== null && [...map.values()].includes(number)))
      throw new ForkerError(`Setup.id_to_fd_map: ${id} or its number is there twice`);
    map.set(id, number);
  }
  return map;
}
function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ForkerError(`${name} is no object`);
}
function strings(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value) && value.every((v): v is string => typeof v === 'string' && !v.includes('\0'))) return value;
  throw new ForkerError(`Setup.${name} is no list of texts without null bytes`);
}
