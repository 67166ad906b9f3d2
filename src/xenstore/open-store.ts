/** The store for users in the same process: the client of `client.ts` over a pipe without a socket, so that both behave alike. */
import { openClient, type PipeUser, type StoreClient } from './client.ts';
import type { Connection, Line } from './connection.ts';
import type { Core } from './core.ts';
import type { Domain } from './domains.ts';

/** A connection to `core` that speaks as `domain`, by default as domain 0. */
export function openStore(core: Core, domain?: Domain): Promise<StoreClient> {
  return openClient(
    async (user) => {
      const line = new PipeLine(user);
      const connection = core.connect(line, domain);
      return {
        write: (bytes) => connection.receive(bytes),
        end: () => core.disconnect(connection),
      };
    },
    { address: 'in process' },
  );
}

class PipeLine implements Line {
  readonly #user: PipeUser;

  constructor(user: PipeUser) {
    this.#user = user;
  }
  flush(connection: Connection): void {
    this.#user.received(connection.output.take());
  }
  resume(): void {
    // A caller in the same process is not held back: what it sends is kept until its turn.
  }
  broken(why: string): void {
    this.#user.ended(`the store broke it off: ${why}`);
  }
  close(): void {
    this.#user.ended('the store was closed');
  }
}
