/** Who may bring guests of other pools here: whoever has a ticket, for an hour. And where they come in: the API's own ports. */
import { isIP, type Socket } from 'node:net';
import { checkArrival } from '../api/arrival-check.ts';
import { hostCertificate } from '../api/certificate.ts';
import type { House } from '../api/context.ts';
import type { Route } from '../api/routes.ts';
import type { RunningApi } from '../api/server.ts';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import { converse, headOf, writeFrame } from '../rpc/index.ts';

const lifeMs = 3_600_000;
/** More at once than anybody needs; the oldest go. */
const mostTickets = 1000;
const anywhere = new Set(['0.0.0.0', '::']);
const loopback = /^(localhost|127(\.\d+){3}|::1)$/;

export interface InvitationsOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly dataDir: string;
  /** How long another host may say nothing; 30 s. */
  readonly silenceMs?: number | undefined;
}

export class Invitations {
  readonly #o: InvitationsOptions;
  /** Until when each is good. */
  readonly #tickets = new Map<string, number>();

  constructor(o: InvitationsOptions) {
    this.#o = o;
  }
  /** `address`: of this host on the network that the guest is to come over. */
  async invite(listening: RunningApi['listening'], address: string): ReturnType<House['invite']> {
    const { tls, tcp } = listening;
    const at = tls ?? (tcp && loopback.test(tcp.host) && loopback.test(address) ? tcp : undefined);
    if (!at) return { refused: 'This host cannot be reached by others: it needs --listen-tls' };
    const host = anywhere.has(at.host) ? address : at.host;
    const base = `${tls ? 'https' : 'http'}://${isIP(host) === 6 ? `[${host}]` : host}:${at.port}/`;
    return { base, ticket: this.#issue(), certificate: tls ? ((await hostCertificate(this.#o.dataDir)) ?? '') : '' };
  }
  route(house: Pick<House, 'xenops' | 'log' | 'db' | 'kernelDirs'>): Route {
    const { silenceMs } = this.#o;
    const { xenops, log } = house;
    const incoming: typeof xenops.incoming = {
      ...xenops.incoming,
      async prepare(a, call) {
        checkArrival(house, a.spec);
        return xenops.incoming.prepare(a, call);
      },
    };
    return {
      method: 'RAW-PUT',
      path: '/services/xenops/migrate/',
      bodyLimit: 0,
      handle: async ({ path, headers, socket }) => {
        const connection = socket as Socket;
        const head = headOf(path.split('?', 1)[0] ?? '', headers.cookie ?? '');
        if (!head) {
          writeFrame(connection, `${path} names no guest`);
          connection.end();
          return;
        }
        connection.setKeepAlive(true, 10_000);
        const believed = this.#isGood(head.cookies.get('ticket') ?? '');
        await converse({ incoming, silenceMs, log }, connection, head, believed);
      },
    };
  }
  #issue(): string {
    const now = this.#o.clock.now();
    for (const [ticket, until] of this.#tickets)
      if (until <= now || this.#tickets.size >= mostTickets) this.#tickets.delete(ticket);
    const ticket = this.#o.ids.uuid();
    this.#tickets.set(ticket, now + lifeMs);
    return ticket;
  }
  #isGood(ticket: string): boolean {
    return (this.#tickets.get(ticket) ?? 0) > this.#o.clock.now();
  }
}
