/**
 * Remote calls over any switch: a request goes into the server's queue and names the caller's own queue for the answer.
 *
 *     caller: connected ──(switch lost)──▶ waits, longer each time ──▶ logs in, makes its queue, sends again what has no answer
 *     server: connected ──(switch lost)──▶ waits ──▶ logs in, makes its queue, takes from the beginning
 *
 * A request whose handler ended is acknowledged after its answer was sent: a server that dies in between is asked again, so
 * handlers must bear being repeated.
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import { type Delivered, type MessageId, type Switch, type SwitchSession, switchErrors } from '../contracts/switch.ts';

export interface PeerParts {
  readonly switch: Switch;
  /** Unique among all sessions of the switch: `<program>-<pid>-<random>`. */
  readonly token: string;
  readonly clock: Clock;
  readonly log: Log;
}
/** Milliseconds between two attempts to come back. */
const pause = { first: 50, most: 5000 };
/** One transfer waits so long (s). */
const waitS = 30;
/** Requests of one server that are worked on at once. */
const atOnce = 64;

const nameOf = ([queue, n]: MessageId): string => `${queue}/${n}`;

interface Outstanding {
  readonly queue: string;
  readonly payload: string;
  readonly resolve: (payload: string) => void;
  readonly reject: (error: unknown) => void;
  id?: MessageId;
}

/** Keeps a session open and follows one queue in it; `arrived` must not throw. */
abstract class Peer {
  protected readonly parts: PeerParts;
  protected session: SwitchSession | undefined;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(parts: PeerParts, queue: string, durability: 'persistent' | 'transient') {
    this.parts = parts;
    this.#ended = this.#follow(queue, durability);
  }
  protected abstract arrived(session: SwitchSession, delivered: Delivered): Promise<void>;
  protected async connected(_session: SwitchSession): Promise<void> {
    // who only answers has nothing to send again
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('closed'));
    await this.session?.close();
    await this.#ended;
  }
  async #follow(queue: string, durability: 'persistent' | 'transient'): Promise<void> {
    const { clock, log, token } = this.parts;
    const { signal } = this.#stop;
    for (let ms = pause.first; !signal.aborted; ms = Math.min(ms * 2, pause.most)) {
      try {
        const session = await this.parts.switch.login(token);
        this.session = session;
        await session.create(queue, durability);
        await this.connected(session);
        ms = pause.first;
        await this.#take(session, queue);
      } catch (error) {
        if (signal.aborted) return;
        log.warn('the message switch is away; trying again', { queue, ms, error: String(error) });
        await bestEffort('it is lost already', log, async () => this.session?.close());
        this.session = undefined;
        await clock.sleep(ms, signal).catch(() => undefined); // closing ends the pause
      }
    }
  }
  async #take(session: SwitchSession, queue: string): Promise<void> {
    const { signal } = this.#stop;
    let from: string | undefined;
    while (!signal.aborted) {
      const { messages, next } = await session.transfer({ queues: [queue], from, timeoutS: waitS, signal });
      from = next;
      await Promise.all(messages.map((m) => this.arrived(session, m)));
    }
  }
}

/** Calls others. */
export class SwitchCaller extends Peer {
  readonly #reply: string;
  readonly #outstanding = new Set<Outstanding>();
  /** Answers that came before the request's own number did. */
  readonly #early = new Map<string, string>();

  constructor(parts: PeerParts) {
    super(parts, parts.token, 'transient');
    this.#reply = parts.token;
  }
  /** The answer to `payload`. No_answer after `timeoutS`, also when nobody has made the queue yet. */
  async call(queue: string, payload: string, timeoutS: number): Promise<string> {
    const { clock } = this.parts;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const call: Outstanding = { queue, payload, resolve, reject };
    this.#outstanding.add(call);
    const late = () => reject(switchErrors.make('No_answer', { queue, timeoutS }));
    const cancel = clock.after(timeoutS * 1000, late);
    if (this.session) void this.#send(this.session, call);
    return promise.finally(() => {
      cancel();
      this.#outstanding.delete(call);
      if (this.#outstanding.size === 0) this.#early.clear();
    });
  }
  async #send(session: SwitchSession, call: Outstanding): Promise<void> {
    while (this.#outstanding.has(call) && this.session === session) {
      try {
        const id = await session.send(call.queue, { payload: call.payload, kind: { request: this.#reply } });
        if (id) {
          call.id = id;
          const answer = this.#early.get(nameOf(id));
          if (answer !== undefined) call.resolve(answer);
          return;
        }
        // Nobody has made the queue yet: its server may be starting.
        await this.parts.clock.sleep(pause.first);
      } catch (error) {
        // Sent again after logging in, unless it is refused for what it is.
        if (!isKind(error, 'Switch_gone') && !isKind(error, 'Not_logged_in')) call.reject(error);
        return;
      }
    }
  }
  protected override async connected(session: SwitchSession): Promise<void> {
    for (const call of this.#outstanding) void this.#send(session, call);
  }
  protected override async arrived(session: SwitchSession, { id, message }: Delivered): Promise<void> {
    const { kind, payload } = message;
    if ('response' in kind) {
      const answered = nameOf(kind.response);
      const call = [...this.#outstanding].find((c) => c.id && nameOf(c.id) === answered);
      if (call) call.resolve(payload);
      else if (this.#outstanding.size > 0) this.#early.set(answered, payload);
    }
    await session.ack(id);
  }
}

/** Answers what comes into a persistent queue; the handler's text is the answer. */
export class SwitchServer extends Peer {
  readonly #handle: (payload: string) => Promise<string>;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: PeerParts, queue: string, handle: (payload: string) => Promise<string>) {
    super(parts, queue, 'persistent');
    this.#handle = handle;
  }
  /** Taken on: the next transfer need not wait for its end. */
  protected override async arrived(session: SwitchSession, delivered: Delivered): Promise<void> {
    if (this.#running >= atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    void this.#serve(session, delivered).finally(() => {
      this.#running--;
      this.#waiting.shift()?.();
    });
  }
  async #serve(session: SwitchSession, { id, message }: Delivered): Promise<void> {
    const { log } = this.parts;
    try {
      if ('request' in message.kind) {
        const answer = await this.#handle(message.payload);
        await session.send(message.kind.request, { payload: answer, kind: { response: id } });
      }
      await session.ack(id);
    } catch (error) {
      // Not acknowledged: it comes again, to whoever serves the queue then.
      log.warn('a request was not answered', { id, error: String(error) });
    }
  }
}
