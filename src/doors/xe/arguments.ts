/** The lines that a thin client posts: a command, then words, `name=value` and `--flag`. */

/** A mistake of the person who typed: `text` says what, `details` are printed as `name: value` lines. */
export class XeError extends Error {
  override readonly name = 'XeError';
  readonly details: readonly (readonly [string, string])[];
  constructor(text: string, details: readonly (readonly [string, string])[] = [], options?: ErrorOptions) {
    super(text, options);
    this.details = details;
  }
}

/** Understood by every command, so never a filter or a field. */
const reserved = new Set([
  'server',
  'password',
  'port',
  'username',
  'minimal',
  'force',
  'multiple',
  'all',
  'message-priority',
  'trace',
  'traceparent',
  'json',
  'progress',
]);

/** Named parameters in the order given; a name may come more than once. */
export class Params {
  readonly #pairs: readonly (readonly [string, string])[];
  constructor(pairs: readonly (readonly [string, string])[]) {
    this.#pairs = pairs;
  }
  /** The last value given for `name`. */
  get(name: string): string | undefined {
    return this.#pairs.findLast(([k]) => k === name)?.[1];
  }
  /** Throws an `XeError` that names what is missing. */
  need(name: string): string {
    const value = this.get(name);
    if (value === undefined) throw new XeError(`Missing parameter: ${name}=`, [['parameter', name]]);
    return value;
  }
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
  /** A flag or a yes-or-no value; throws when it is neither. */
  flag(name: string, fallback = false): boolean {
    const value = this.get(name);
    return value === undefined ? fallback : truth(name, value);
  }
  /** What was given as `prefix:key=value`. */
  map(prefix: string): Record<string, string> {
    const head = `${prefix}:`;
    const own = this.#pairs.filter(([k]) => k.startsWith(head));
    return Object.fromEntries(own.map(([k, v]) => [k.slice(head.length), v]));
  }
  /** All pairs but the reserved ones. */
  get plain(): readonly (readonly [string, string])[] {
    return this.#pairs.filter(([k]) => !reserved.has(k));
  }
  without(...names: string[]): Params {
    return new Params(this.#pairs.filter(([k]) => !names.includes(k)));
  }
}

export function truth(name: string, value: string): boolean {
  const v = value.toLowerCase();
  if (['true', 't', 'yes', 'y', '1'].includes(v)) return true;
  if (['false', 'f', 'no', 'n', '0'].includes(v)) return false;
  throw new XeError(`${name} is ${JSON.stringify(value)}; it must be true or false`, [['parameter', name]]);
}

export interface Request {
  readonly command: string;
  /** Bare words, for `help` and `completion`; other commands refuse them. */
  readonly words: readonly string[];
  readonly params: Params;
  readonly minimal: boolean;
  readonly multiple: boolean;
  readonly json: boolean;
  readonly force: boolean;
  readonly progress: boolean;
  /** How to log in, as the lines say. */
  readonly session?: string;
  readonly username: string;
  readonly password: string;
}

/** Reads the body of `POST /cli`. Words that are neither `name=value` nor flags are for the command to refuse. */
export function parseRequest(body: string): Request {
  const lines = body.split('\n').map((line) => line.replace(/\r$/, ''));
  while (lines.at(-1) === '') lines.pop();
  const session = lines[0]?.startsWith('session_id=') ? lines.shift()?.slice('session_id='.length) : undefined;
  const login = (name: string) => lines.findLast((l) => l.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  // Without a command only the login follows.
  if (lines[0]?.startsWith('username=')) lines.unshift('');
  const [command = '', ...rest] = lines;
  const pairs: [string, string][] = [];
  const words: string[] = [];
  for (const line of rest) {
    const at = line.indexOf('=');
    if (line.startsWith('--')) {
      const flag = line.slice(2);
      const eq = flag.indexOf('=');
      pairs.push(eq < 0 ? [flag, 'true'] : [flag.slice(0, eq), flag.slice(eq + 1)]);
    } else if (at > 0) pairs.push([line.slice(0, at), line.slice(at + 1)]);
    else if (line !== '') words.push(line);
  }
  const params = new Params(pairs);
  return {
    command,
    words,
    params,
    minimal: params.flag('minimal'),
    multiple: params.flag('multiple'),
    json: params.flag('json'),
    force: params.flag('force'),
    progress: params.flag('progress'),
    session,
    username: login('username'),
    password: login('password'),
  };
}

/** The names nearest to `wrong`, nearest first: for "did you mean". */
export function nearest(wrong: string, names: readonly string[], count = 3): string[] {
  const bound = Math.max(2, Math.floor(wrong.length / 3));
  return names
    .map((name) => ({ name, far: name.startsWith(wrong) && wrong !== '' ? 1 : distance(wrong, name, bound) }))
    .filter(({ far }) => far <= bound)
    .sort((a, b) => a.far - b.far || a.name.localeCompare(b.name))
    .slice(0, count)
    .map(({ name }) => name);
}

/** Edits between two words; more than `bound` is answered as `bound + 1`. */
function distance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1;
  let before = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (before[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (before[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    before = row;
  }
  return before[b.length] ?? 0;
}
