/** The network between two simulated hosts: calls, and guests on their way. It can be cut and mended at any moment. */
import type { ManualClock } from '../../base/clock.ts';
import type { Call } from '../../contracts/contract.ts';
import { type Xenops, xenopsErrors } from '../../contracts/xenops.ts';
import type { Wire } from '../backends/simulator/index.ts';

type Incoming = Xenops['incoming'];
/** The host at the other end. */
export interface FarEnd {
  /** What answers there now; undefined while nobody does. */
  incoming(): Incoming | undefined;
  readonly wires: Map<string, Wire>;
}
export interface CableOptions {
  readonly clock: ManualClock;
  /** Nothing coming for so long is the end of a connection, at either side. */
  readonly silenceMs: number;
  /** Called with each message, either way. */
  readonly message?: (what: string) => void;
  /** What its sender had given up arrives nevertheless when the cable is mended, as from a socket that nobody reads any more. */
  readonly late?: boolean;
}
/** How long a guest is under way. */
const transferMs = 1000;

export class Cable {
  readonly #o: CableOptions;
  #up = true;
  #waiting: (() => void)[] = [];

  constructor(o: CableOptions) {
    this.#o = o;
  }
  cut(): void {
    this.#up = false;
  }
  mend(): void {
    this.#up = true;
    for (const go of this.#waiting.splice(0)) go();
  }
  /** What the near end calls; `wires` are its own. */
  peer(far: FarEnd, wires: Map<string, Wire>): Incoming {
    const long =
      <A>(verb: 'prepare' | 'receive') =>
      (a: A, call?: Call) =>
        this.#call(far, verb, (i, signal) => i[verb](a as never, { signal }), call);
    const short = (verb: 'commit' | 'abort' | 'forget') => (a: { readonly token: string }) =>
      this.#call(far, verb, (i) => i[verb](a));
    return {
      prepare: long('prepare'),
      receive: long('receive'),
      stat: async (a) => {
        const seen = await this.#call(far, 'stat', (i) => i.stat(a));
        if (seen.address !== '') this.#relay(far, wires, seen.address);
        return seen;
      },
      commit: short('commit'),
      abort: short('abort'),
      forget: short('forget'),
    };
  }
  /** The near end of the stream into a domain of the far host. */
  #relay(far: FarEnd, wires: Map<string, Wire>, address: string): void {
    const lost = () => far.wires.get(address)?.cut(new Error('the network is silent'));
    wires.set(address, {
      sent: (guest) => {
        this.#o.message?.('state');
        this.#o.clock.after(transferMs, () => {
          if (this.#up) far.wires.get(address)?.sent(guest);
          else this.#o.clock.after(this.#o.silenceMs, lost);
        });
      },
      cut: () => undefined,
      guest: new Promise(() => undefined),
    });
  }
  /** Resolves when the cable is whole. */
  #whole(): Promise<void> {
    return this.#up ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
  async #call<T>(
    far: FarEnd,
    verb: string,
    f: (incoming: Incoming, signal: AbortSignal) => Promise<T>,
    call?: Call,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const gone = new AbortController();
    let over = false;
    let there: Incoming | undefined;
    const end = (reason: string) => {
      over = true;
      gone.abort(new Error('the caller is gone'));
      reject(xenopsErrors.make('Failed_to_migrate', { vm: 'a guest', reason: `${verb}: ${reason}` }));
    };
    const cancel = () => gone.abort(new Error('cancelled by the caller'));
    call?.signal?.addEventListener('abort', cancel, { once: true });
    const carry = async () => {
      this.#o.message?.(verb);
      await this.#whole();
      if (over && !this.#o.late) return;
      there = far.incoming();
      if (!there) return end('nobody listens');
      const answer = await f(there, gone.signal).then(
        (value) => () => resolve(value),
        (error: unknown) => () => reject(error),
      );
      this.#o.message?.(`${verb} answered`);
      await this.#whole();
      answer();
    };
    void carry();
    this.#watch(
      () => over,
      () => there !== undefined && far.incoming() !== there,
      end,
    );
    return promise.finally(() => {
      over = true;
      call?.signal?.removeEventListener('abort', cancel);
    });
  }
  /** Ends a call whose other side has died, or is out of reach for too long. */
  #watch(over: () => boolean, died: () => boolean, end: (reason: string) => void): void {
    let silentMs = 0;
    const look = () => {
      if (over()) return;
      silentMs = this.#up ? 0 : silentMs + 1000;
      if (this.#up && died()) return end('the connection was lost');
      if (silentMs >= this.#o.silenceMs) return end('no answer');
      this.#o.clock.after(1000, look);
    };
    this.#o.clock.after(1000, look);
  }
}
