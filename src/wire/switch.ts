/**
 * The message switch's HTTP protocol: paths and JSON bodies (reference: message-switch, "Operations"). Variants without an
 * argument are strings, others arrays with their arguments after the name; times are nanoseconds since the epoch.
 */
export type WireId = readonly [queue: string, n: number];
export type WireKind = readonly ['Request', string] | readonly ['Response', WireId];
export interface WireMessage {
  readonly payload: string;
  readonly kind: WireKind;
}
export interface WireTransfer {
  readonly messages: readonly (readonly [WireId, WireMessage])[];
  readonly next: string;
}
export interface WireTransferRequest {
  readonly from: string | undefined;
  readonly timeout: number;
  readonly queues: readonly string[];
}
/** What a request line asks for. */
export type SwitchRequest =
  | { readonly op: 'login'; readonly token: string }
  | { readonly op: 'create'; readonly queue: string; readonly durability: 'persistent' | 'transient' }
  | { readonly op: 'destroy'; readonly queue: string }
  | { readonly op: 'ack'; readonly id: WireId }
  | { readonly op: 'list'; readonly prefix: string; readonly alive: boolean }
  | { readonly op: 'transfer' }
  | { readonly op: 'request'; readonly queue: string; readonly reply: string }
  | { readonly op: 'response'; readonly queue: string; readonly id: WireId }
  | { readonly op: 'trace'; readonly from: number; readonly timeoutS: number }
  | { readonly op: 'diagnostics' }
  | { readonly op: 'shutdown' };

/** What a path of the daemon means; undefined: nothing (404). Parts are percent-decoded. */
export function parseRequest(method: string, target: string): SwitchRequest | undefined {
  const [path = ''] = target.split('?');
  let parts: string[];
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return undefined; // a broken escape names nothing
  }
  const row = rows[`${method} ${parts[0] ?? ''}`];
  return row?.(parts.slice(1));
}
type Row = (parts: readonly string[]) => SwitchRequest | undefined;
const one =
  (f: (part: string) => SwitchRequest): Row =>
  ([part, ...more]) =>
    part && more.length === 0 ? f(part) : undefined;
const rows: Readonly<Record<string, Row>> = {
  'GET login': one((token) => ({ op: 'login', token })),
  'GET persistent': one((queue) => ({ op: 'create', queue, durability: 'persistent' })),
  'GET transient': one((queue) => ({ op: 'create', queue, durability: 'transient' })),
  'GET destroy': one((queue) => ({ op: 'destroy', queue })),
  'GET ack': ([queue, n, ...more]) => {
    const id = idOf(queue, n);
    return id && more.length === 0 ? { op: 'ack', id } : undefined;
  },
  'GET list': ([first = '', second, ...more]) => {
    if (more.length > 0) return undefined;
    if (second === undefined) return { op: 'list', prefix: first, alive: false };
    return first === 'alive' ? { op: 'list', prefix: second, alive: true } : undefined;
  },
  'POST transfer': (parts) => (parts.length === 0 ? { op: 'transfer' } : undefined),
  'POST request': ([queue, reply, ...more]) =>
    queue && reply && more.length === 0 ? { op: 'request', queue, reply } : undefined,
  'POST response': ([queue, original, n, ...more]) => {
    const id = idOf(original, n);
    return queue && id && more.length === 0 ? { op: 'response', queue, id } : undefined;
  },
  'GET trace': ([from = '-1', timeout = '5', ...more]) => {
    const [n, s] = [Number(from), Number(timeout)];
    return Number.isNaN(n) || Number.isNaN(s) || more.length > 0 ? undefined : { op: 'trace', from: n, timeoutS: s };
  },
  'GET ': (parts) => (parts.length === 0 ? { op: 'diagnostics' } : undefined),
  'POST shutdown': (parts) => (parts.length === 0 ? { op: 'shutdown' } : undefined),
};
function idOf(queue: string | undefined, n: string | undefined): WireId | undefined {
  return queue && n !== undefined && /^\d{1,15}$/.test(n) ? [queue, Number(n)] : undefined;
}

/** The request line's target for what is asked. */
export function formatRequest(r: SwitchRequest): { readonly method: 'GET' | 'POST'; readonly path: string } {
  const at = (...parts: (string | number)[]) => parts.map((p) => `/${encodeURIComponent(p)}`).join('');
  if (r.op === 'login') return { method: 'GET', path: at('login', r.token) };
  if (r.op === 'create') return { method: 'GET', path: at(r.durability, r.queue) };
  if (r.op === 'destroy') return { method: 'GET', path: at('destroy', r.queue) };
  if (r.op === 'ack') return { method: 'GET', path: at('ack', ...r.id) };
  if (r.op === 'list') return { method: 'GET', path: r.alive ? at('list', 'alive', r.prefix) : at('list', r.prefix) };
  if (r.op === 'request') return { method: 'POST', path: at('request', r.queue, r.reply) };
  if (r.op === 'response') return { method: 'POST', path: at('response', r.queue, ...r.id) };
  if (r.op === 'trace') return { method: 'GET', path: at('trace', r.from, r.timeoutS) };
  if (r.op === 'diagnostics') return { method: 'GET', path: '/' };
  return { method: 'POST', path: at(r.op) };
}

/** The body of POST /transfer. Throws a sentence that says what is wrong. */
export function parseTransferRequest(text: string): WireTransferRequest {
  const body = parseObject(text, 'the body of a transfer');
  const { from, timeout, queues } = body;
  if (from !== undefined && from !== null && typeof from !== 'string')
    throw new TypeError('transfer: "from" must be a string');
  if (typeof timeout !== 'number') throw new TypeError('transfer: "timeout" must be a number of seconds');
  if (!Array.isArray(queues) || !queues.every((q) => typeof q === 'string'))
    throw new TypeError('transfer: "queues" must be a list of names');
  return { from: from ?? undefined, timeout, queues };
}
/** The answer to POST /transfer, as a client reads it. */
export function parseTransfer(text: string): WireTransfer {
  const { messages, next } = parseObject(text, 'the answer to a transfer');
  if (!Array.isArray(messages) || typeof next !== 'string') throw new TypeError('the answer to a transfer is not one');
  return { messages: messages as WireTransfer['messages'], next };
}
/** The answer to POST /request and /response: the id, or null when there is no such queue. Options are written in several ways. */
export function parseSent(text: string): WireId | null {
  const value = JSON.parse(text) as unknown;
  if (value === null || (Array.isArray(value) && value.length === 0)) return null;
  const [first, second] = value as unknown[];
  if (Array.isArray(first)) return first as unknown as WireId;
  return [String(first), Number(second)];
}
function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TypeError(`${what} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${what} is not an object`);
  return value as Record<string, unknown>;
}
