/**
 * How queues are kept in NATS JetStream. A queue is a stream with one subject; both are called by a hash, since streams allow
 * fewer characters than queues; what the stream stands for is in its description. A message is kept as JSON of the switch's wire
 * form; its number is its sequence in the stream less one. That a session lives is a message of its own that expires unless it
 * is repeated: `NAMESPACE.s.TOKEN.HOLDER` in one stream.
 */
import { createHash } from 'node:crypto';
import type { Durability, Message, MessageKind } from '../../contracts/switch.ts';
import type { WireKind, WireMessage } from '../../wire/switch.ts';

export interface QueueNote {
  readonly queue: string;
  readonly durability: Durability;
  /** Of a transient queue: whose end is its end, as `hashOf` its token. */
  readonly owner?: string;
}
/** 128 bits that a stream's and a subject's name may hold. */
export const hashOf = (text: string): string =>
  createHash('sha256').update(text, 'utf8').digest('base64url').slice(0, 22);

export class Names {
  readonly #namespace: string;
  constructor(namespace: string) {
    this.#namespace = namespace;
  }
  streamOf(queue: string): string {
    return `${this.#namespace}-q-${hashOf(queue)}`;
  }
  subjectOf(queue: string): string {
    return `${this.#namespace}.q.${hashOf(queue)}`;
  }
  get everyQueue(): string {
    return `${this.#namespace}.q.*`;
  }
  get sessions(): string {
    return `${this.#namespace}-sessions`;
  }
  get everySession(): string {
    return `${this.#namespace}.s.*.*`;
  }
  /** Of everybody with this token. */
  holdersOf(owner: string): string {
    return `${this.#namespace}.s.${owner}.*`;
  }
  holder(owner: string, id: string): string {
    return `${this.#namespace}.s.${owner}.${id}`;
  }
}

/** What a stream's description says; undefined: it is none of ours. */
export function parseNote(description: string | undefined): QueueNote | undefined {
  let note: unknown;
  try {
    note = JSON.parse(description ?? '');
  } catch {
    return undefined; // somebody else's stream
  }
  const { queue, durability } = (note ?? {}) as Partial<QueueNote>;
  return typeof queue === 'string' && (durability === 'persistent' || durability === 'transient')
    ? (note as QueueNote)
    : undefined;
}

export function formatMessage({ payload, kind }: Message): string {
  const wireKind: WireKind = 'request' in kind ? ['Request', kind.request] : ['Response', kind.response];
  return JSON.stringify({ payload, kind: wireKind } satisfies WireMessage);
}
/** Undefined: somebody else wrote to our subject. */
export function parseMessage(text: string): Message | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { payload, kind } = (value ?? {}) as Partial<WireMessage>;
  const known = typeof payload === 'string' && Array.isArray(kind) ? kindOf(kind) : undefined;
  return known && { payload: payload as string, kind: known };
}
function kindOf([name, value]: readonly unknown[]): MessageKind | undefined {
  if (name === 'Request' && typeof value === 'string') return { request: value };
  if (name !== 'Response' || !Array.isArray(value)) return undefined;
  const [queue, n] = value as unknown[];
  return typeof queue === 'string' && Number.isSafeInteger(n) ? { response: [queue, n as number] } : undefined;
}

/** How far a queue was read: which stream it was (when it was made) and the last sequence. A stream that was made anew is read from its beginning. */
export interface Position {
  readonly created: string;
  readonly seq: number;
}
/** `next` of a transfer. */
export function formatPlace(positions: ReadonlyMap<string, Position>): string {
  return JSON.stringify(Object.fromEntries([...positions].map(([queue, p]) => [queue, [p.created, p.seq]])));
}
/** What is no place of ours means the beginning. */
export function parsePlace(text: string | undefined): ReadonlyMap<string, Position> {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '{}');
  } catch {
    return new Map();
  }
  const rows = Object.entries((value ?? {}) as Record<string, unknown>).flatMap(([queue, p]) => {
    const [created, seq] = Array.isArray(p) ? (p as unknown[]) : [];
    return typeof created === 'string' && typeof seq === 'number' ? [[queue, { created, seq }] as const] : [];
  });
  return new Map(rows);
}
