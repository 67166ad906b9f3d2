/** The XenAPI server as one value: start it with the house's parts, call it, close it. */
import type { House } from './context.ts';
import type { Caller, Route } from './routes.ts';

/** Who a name and password belong to. */
export interface Identity {
  readonly user: string;
  readonly superuser: boolean;
  /** Role names of the data model; empty for superusers. */
  readonly roles: readonly string[];
}
export interface ApiParts {
  readonly house: House;
  /** Answers undefined for a wrong name or password; takes the same time for both. See `filePassword`. */
  authenticate(user: string, password: string): Promise<Identity | undefined>;
  /** Sets root's password. */
  changePassword(password: string): Promise<void>;
  readonly listen: {
    readonly tcp?: { readonly host: string; readonly port: number };
    /** The certificate is made in `<dataDir>/tls` when absent. */
    readonly tls?: { readonly host: string; readonly port: number };
    /** Absolute path of the local socket, whose peers are root. */
    readonly socketPath?: string;
  };
  readonly routes?: readonly Route[];
  /** Ends the milliseconds that a failed login waits; 5000 when absent. */
  readonly loginDelayMs?: number;
}
export interface RunningApi {
  /** With the ports that were chosen for port 0. */
  readonly listening: {
    readonly tcp?: { readonly host: string; readonly port: number };
    readonly tls?: { readonly host: string; readonly port: number };
    readonly socketPath?: string;
  };
  /** A call in this process: `method` and parameters as on the wire (session first); answers plain values. */
  call(caller: Caller, method: string, params: readonly unknown[]): Promise<unknown>;
  /** A session of root, for the house's own work. */
  rootSession(originator: string): string;
  /** Stops listening, ends sessions, blocked calls and tasks; answers when connections are closed. */
  close(): Promise<void>;
}

export function startApi(_parts: ApiParts): Promise<RunningApi> {
  throw new Error('under construction');
}
