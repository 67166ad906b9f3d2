/**
 * A switch over HTTP. A session holds several connections with its token, one of them for transfers that wait; the daemon
 * removes the session's transient queues when all are gone.
 *
 *     open ──(a connection is lost)──▶ lost ──▶ every call fails with Switch_gone; log in again
 */
import type { Message, Switch, SwitchSession, TransferRequest } from '../contracts/switch.ts';
import { parseSent, parseTransfer, type SwitchRequest } from '../wire/switch.ts';
import { Line } from './line.ts';

/** The daemon that listens on a unix socket. */
export function connectSwitch(socketPath: string): Switch {
  return {
    async login(token) {
      const session = new Session(socketPath, token);
      await session.open();
      return session;
    },
  };
}
/** One request that needs no session (diagnostics, trace, list, shutdown); answers the body. Switch_gone. */
export async function askSwitch(socketPath: string, asked: SwitchRequest): Promise<string> {
  const line = new Line(socketPath);
  return line.ask(asked).finally(() => line.close());
}

class Session implements SwitchSession {
  /** What is sent over one connection keeps its order. */
  readonly #calls: Line;
  readonly #acks: Line;
  readonly #waits: Line;
  readonly #token: string;

  constructor(socketPath: string, token: string) {
    this.#calls = new Line(socketPath);
    this.#acks = new Line(socketPath);
    this.#waits = new Line(socketPath);
    this.#token = token;
  }
  async open(): Promise<void> {
    try {
      await Promise.all(this.#all.map((line) => line.ask({ op: 'login', token: this.#token })));
    } catch (error) {
      await this.close();
      throw error;
    }
  }
  get #all(): readonly Line[] {
    return [this.#calls, this.#acks, this.#waits];
  }
  async create(queue: string, durability: 'persistent' | 'transient'): Promise<void> {
    await this.#calls.ask({ op: 'create', queue, durability });
  }
  async destroy(queue: string): Promise<void> {
    await this.#calls.ask({ op: 'destroy', queue });
  }
  async list(prefix: string, alive = false): Promise<string[]> {
    return JSON.parse(await this.#calls.ask({ op: 'list', prefix, alive })) as string[];
  }
  async send(queue: string, { payload, kind }: Message) {
    const asked =
      'request' in kind
        ? ({ op: 'request', queue, reply: kind.request } as const)
        : ({ op: 'response', queue, id: kind.response } as const);
    return parseSent(await this.#calls.ask(asked, payload));
  }
  async transfer({ queues, from, timeoutS, signal }: TransferRequest) {
    const body = JSON.stringify({ ...(from === undefined ? {} : { from }), timeout: timeoutS, queues });
    const { messages, next } = parseTransfer(await this.#waits.ask({ op: 'transfer' }, body, signal));
    return {
      next,
      messages: messages.map(
        ([
          id,
          {
            payload,
            kind: [name, value],
          },
        ]) => ({
          id,
          message: { payload, kind: name === 'Request' ? { request: value } : { response: value } },
        }),
      ),
    };
  }
  async ack(id: readonly [string, number]): Promise<void> {
    await this.#acks.ask({ op: 'ack', id });
  }
  async close(): Promise<void> {
    for (const line of this.#all) line.close();
  }
}
